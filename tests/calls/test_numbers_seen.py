"""Callers' numbers on every door that tells of calls: in full to those who may see them, masked to others, and not to be searched out."""

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from rest_framework.test import APIClient

from agents.models import Agent
from calls import commands, wording
from calls.models import Session, ToolRun, WebhookEndpoint, WebhookMessage
from tests.calls import made_calls as made

CALLER, CALLED, OURS = "+919876543210", "+919000000077", "+918047112233"
MASKED = wording.mask_number(CALLER)


def person(owner: User, *, may: bool) -> User:
    """The owner, with or without the right to see numbers."""
    wanted = Permission.objects.get(codename="view_numbers", content_type__app_label="calls")
    (owner.user_permissions.add if may else owner.user_permissions.remove)(wanted)
    return User.objects.get(pk=owner.pk)  # without the permissions that it has read already


@pytest.fixture
def owner(db: None) -> User:
    user: User = made.operator()
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_session", "view_calllog", "view_toolrun")))
    return user


@pytest.fixture
def calls(owner: User) -> tuple[Session, Session]:
    """One that came in, with all that can hold a number, and one that we placed."""
    agent: Agent = made.agent_of(owner)
    WebhookEndpoint.objects.create(owner=owner, url="https://example.com/hook")
    inbound, outbound = made.talking_call(agent, user_phone=CALLER), made.ringing_call(agent, user_phone=CALLED, direction="outbound")
    Session.objects.filter(pk=inbound.pk).update(customer={"name": "Asha", "mobile": "098765 43210"})
    facts = {"phone": CALLER, "note": f"call {CALLER[3:]} back", "digits": int(CALLER[1:]), "seats": 2}
    begun = commands.begin_tool_run(inbound.session_id, tool="book", arguments=facts, acts=True)
    commands.end_tool_run(begun.run_id or 0, state="done", result=f'{{"for": "{CALLER[1:]}"}}')
    made.end(inbound)
    return inbound, outbound


def program(owner: User, *, may: bool) -> APIClient:
    client = APIClient()
    client.force_authenticate(person(owner, may=may))
    return client


def browser(owner: User, *, may: bool) -> Client:
    client = Client()
    client.force_login(person(owner, may=may))
    return client


DOORS = (
    "calls/", "calls/{inbound}/", "calls/{outbound}/", "sessions/", "sessions/{inbound}/", "sessions/{outbound}/", "turns/", "recordings/",
    "charges/", "webhook-messages/", "webhook-messages/{message}/",
)  # fmt: skip
PAGES = ("/", "/calls/", "/calls/{inbound}/", "/calls/{outbound}/", "/admin/calls/session/", "/admin/calls/session/{pk}/change/",
         "/admin/calls/calllog/", "/admin/calls/calllog/{log}/change/")  # fmt: skip
IN_FULL = {"/", "calls/", "calls/{inbound}/", "calls/{outbound}/", "sessions/", "sessions/{inbound}/", "sessions/{outbound}/",
           "webhook-messages/{message}/", "/calls/{inbound}/", "/calls/", "/admin/calls/session/{pk}/change/", "/admin/calls/calllog/",
           "/admin/calls/calllog/{log}/change/", "/calls/{outbound}/"}  # fmt: skip


@pytest.mark.parametrize("door", [*(f"/api/v1/{door}" for door in DOORS), *PAGES])
def test_a_number_is_told_to_those_who_may_see_it_and_to_nobody_else(owner: User, calls: tuple[Session, Session], door: str) -> None:
    inbound, outbound = calls
    message = WebhookMessage.objects.filter(session=inbound).earliest("pk")
    path = door.format(
        inbound=inbound.session_id, outbound=outbound.session_id, message=message.message_id, pk=inbound.pk, log=inbound.call_log.pk
    )
    for may in (False, True):
        client = program(owner, may=may) if door.startswith("/api/") else browser(owner, may=may)
        answer = client.get(path)
        assert answer.status_code == 200
        digits = re.sub(r"[\s().-]", "", answer.content.decode())
        seen = [number for number in (CALLER, CALLED) if number[3:] in digits]
        assert bool(seen) == (may and door.removeprefix("/api/v1/") in IN_FULL), (may, seen)


def test_what_is_masked_is_masked_as_on_the_pages_and_our_own_numbers_are_not(owner: User, calls: tuple[Session, Session]) -> None:
    inbound, outbound = calls
    api = program(owner, may=False)
    told = api.get(f"/api/v1/calls/{inbound.session_id}/").json()
    assert (told["from"], told["to"], told["customer"]) == (MASKED, OURS, {"name": "Asha", "mobile": MASKED})
    assert told["tools"][0]["arguments"] == {"phone": MASKED, "note": f"call {MASKED} back", "digits": MASKED, "seats": 2}
    assert told["tools"][0]["result"] == f'{{"for": "{MASKED}"}}'
    placed = api.get(f"/api/v1/calls/{outbound.session_id}/").json()
    assert (placed["from"], placed["to"]) == (OURS, wording.mask_number(CALLED))
    listed = api.get(f"/api/v1/sessions/{inbound.session_id}/").json()
    assert (listed["user_phone"], listed["agent_phone"]) == (MASKED, OURS)
    assert MASKED in browser(owner, may=False).get(f"/calls/{inbound.session_id}/").content.decode()
    ToolRun.objects.update(state="running")
    assert MASKED in browser(owner, may=False).get(f"/calls/{inbound.session_id}/").content.decode()


def test_what_is_sent_to_the_operators_own_systems_stays_whole(owner: User, calls: tuple[Session, Session]) -> None:
    assert CALLER in WebhookMessage.objects.filter(session=calls[0]).earliest("pk").body


@pytest.mark.parametrize(
    ("typed", "those_who_may", "the_others"),
    [
        (CALLER, "in", "in"),
        ("098765 43210", "in", "in"),
        ("9876543210", "in", "in"),
        ("876543210", "in", ""),
        ("43210", "in", ""),
        ("210", "in", ""),
        ("10", "in", "in"),
        ("0", "in", "in"),
        ("77", "out", "out"),
        ("077", "out", ""),
        ("233", "in out", "in out"),
        ("8047112233", "in out", "in out"),
        ("999", "", ""),
    ],
)
@pytest.mark.parametrize("door", ["page", "api"])
def test_digits_that_are_masked_are_not_found_out_by_searching(
    owner: User, calls: tuple[Session, Session], door: str, typed: str, those_who_may: str, the_others: str
) -> None:
    names = {calls[0].session_id: "in", calls[1].session_id: "out"}
    for may, expected in ((True, those_who_may), (False, the_others)):
        client, path = (program(owner, may=may), "/api/v1/calls/") if door == "api" else (browser(owner, may=may), "/calls/")
        answer = client.get(path, {"number": typed})
        assert answer.status_code == 200
        assert " ".join(sorted(name for session_id, name in names.items() if session_id in answer.content.decode())) == expected, may


def test_the_admin_is_searched_by_number_only_by_those_who_see_it(owner: User, calls: tuple[Session, Session]) -> None:
    for may in (True, False):
        client = browser(owner, may=may)
        for model in ("session", "calllog"):
            assert client.get(f"/admin/calls/{model}/?q=3210").context["cl"].result_count == may
        narrowed = client.get("/admin/calls/calllog/?from_phone__endswith=3210")
        assert narrowed.status_code == (200 if may else 400)


@pytest.mark.parametrize(
    ("told", "number", "left"),
    [
        ("+919876543210", CALLER, MASKED),
        ("09876543210, now", CALLER, f"{MASKED}, now"),
        ("(98765) 43-210", CALLER, f"({MASKED}"),
        ({"a": ["x 9876543210"], "b": 919876543210, "c": True, "d": None, "e": 1.5}, CALLER,
         {"a": [f"x {MASKED}"], "b": MASKED, "c": True, "d": None, "e": 1.5}),
        ("98765432101", CALLER, "98765432101"),
        ("12345", "12345", "12345"),
        ("anything", "", "anything"),
    ],
)  # fmt: skip
def test_every_spelling_of_a_number_is_taken_out(told: object, number: str, left: object) -> None:
    assert wording.without_number(told, number) == left
