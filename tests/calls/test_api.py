"""Calls over REST: placed once, found by what one knows of them, read whole, and hung up honestly."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import override_settings
from rest_framework.test import APIClient

from agents.models import Agent
from calls import commands
from calls.models import CallLog, Charge, Job, Recording, Session, UsageLine
from calls.status import Direction
from telephony.models import Phone
from tests.calls import made_calls as made

URL = "/api/v1/calls/"
HUMAN = "+919876543210"
EXOPHONE = "+918047112233"


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create_user("asha", password="a long password")


@pytest.fixture
def agent(operator: User) -> Agent:
    agent = Agent.objects.create(owner=operator, name="Desk", prompt="You answer.")
    Phone.objects.create(number=EXOPHONE, agent=agent)
    return agent


@pytest.fixture
def stranger(db: None) -> User:
    return User.objects.create_user("vikram", password="a long password")


@pytest.fixture
def api(operator: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(made.allowed(operator, "view_numbers"))
    return client


def inbound(agent: Agent, call_sid: str = "sid1", user_phone: str = HUMAN) -> Session:
    return commands.open_call(
        agent_version=agent.current_version,
        direction=Direction.INBOUND,
        user_phone=user_phone,
        agent_phone=EXOPHONE,
        call_sid=call_sid,
    )


# --- placing ----------------------------------------------------------------------------------------------------------


def test_a_call_is_placed_from_the_agents_own_number(api: APIClient, agent: Agent) -> None:
    answer = api.post(URL, {"agent": agent.pk, "to": "098765 43210"}, format="json")
    assert answer.status_code == 202, answer.json()
    body = answer.json()
    assert body["session_id"].startswith("sess_")
    assert (body["direction"], body["status"], body["to"], body["from"]) == ("outbound", "queued", HUMAN, EXOPHONE)
    assert (body["agent"], body["agent_version"]) == (agent.pk, 1)
    assert answer["Location"].endswith(f"{URL}{body['session_id']}/")
    assert Job.objects.get(session__session_id=body["session_id"]).kind == "telephony.dial"


def test_a_call_may_be_placed_from_another_of_the_owners_numbers(api: APIClient, agent: Agent, operator: User) -> None:
    other = Agent.objects.create(owner=operator, name="Night desk", prompt="You answer.")
    Phone.objects.create(number="+918047112299", agent=other)
    answer = api.post(URL, {"agent": agent.pk, "to": HUMAN, "from": "08047112299"}, format="json")
    assert answer.json()["from"] == "+918047112299"


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "to", "required"),
        ({"to": "12"}, "to", "too few or too many digits"),
        ({"to": "1-800-FLOWERS"}, "to", "for example +919876543210"),
        ({"to": ""}, "to", "blank"),
        ({"to": HUMAN, "from": "+918047119999"}, "from", "is not one of your active numbers"),
        ({"to": HUMAN, "agent": 999_999}, "agent", "There is no agent 999999"),
        ({"to": HUMAN, "agent": None}, "agent", "null"),
        ({"to": HUMAN, "form": EXOPHONE}, "form", "The fields are: agent, to, customer, from"),
        ({"to": EXOPHONE}, "non_field_errors", "are the same"),
        ({"to": HUMAN, "customer": {"Full Name": "Asha"}}, "customer", "small letters, digits and _"),
    ],
)
def test_a_bad_order_is_refused_with_what_to_do(api: APIClient, agent: Agent, body: dict[str, Any], field: str, words: str) -> None:
    answer = api.post(URL, {"agent": agent.pk, **body}, format="json")
    assert answer.status_code == 400
    assert words in " ".join(answer.json()["errors"][field])
    assert not Session.objects.exists()


def test_an_inactive_agent_places_no_call(api: APIClient, agent: Agent) -> None:
    agent.active = False
    agent.save()
    answer = api.post(URL, {"agent": agent.pk, "to": HUMAN}, format="json")
    assert answer.status_code == 400
    assert "is inactive. Activate it" in answer.json()["detail"]


def test_an_agent_without_a_number_says_that_it_needs_one(api: APIClient, operator: User) -> None:
    mute = Agent.objects.create(owner=operator, name="Mute", prompt="You answer.")
    answer = api.post(URL, {"agent": mute.pk, "to": HUMAN}, format="json")
    assert "has no active number to call from" in answer.json()["errors"]["from"][0]


def test_strangers_agents_and_numbers_are_out_of_reach(api: APIClient, agent: Agent, stranger: User) -> None:
    theirs = Agent.objects.create(owner=stranger, name="Desk", prompt="You answer.")
    Phone.objects.create(number="+918047112299", agent=theirs)
    assert api.post(URL, {"agent": theirs.pk, "to": HUMAN}, format="json").status_code == 400
    assert api.post(URL, {"agent": agent.pk, "to": HUMAN, "from": "+918047112299"}, format="json").status_code == 400


def test_a_superusers_call_belongs_to_the_agents_owner(api: APIClient, agent: Agent, operator: User) -> None:
    api.force_authenticate(User.objects.create_superuser("root"))
    body = api.post(URL, {"agent": agent.pk, "to": HUMAN}, format="json").json()
    assert Session.objects.get(session_id=body["session_id"]).owner == operator


def test_one_idempotency_key_places_one_call(api: APIClient, agent: Agent) -> None:
    order = {"agent": agent.pk, "to": HUMAN}
    first = api.post(URL, order, format="json", headers={"Idempotency-Key": "order-17"})
    again = api.post(URL, order, format="json", headers={"Idempotency-Key": "order-17"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert (again.json(), again["Location"], again["Idempotency-Replayed"]) == (first.json(), first["Location"], "true")
    other = api.post(URL, {**order, "to": "+919876543211"}, format="json", headers={"Idempotency-Key": "order-17"})
    assert other.status_code == 409
    assert "Use a new one for each request" in other.json()["detail"]
    assert Session.objects.count() == 1


def test_a_key_whose_order_was_refused_may_be_used_again(api: APIClient, agent: Agent) -> None:
    agent.active = False
    agent.save()
    order, key = {"agent": agent.pk, "to": HUMAN}, {"Idempotency-Key": "order-18"}
    assert api.post(URL, order, format="json", headers=key).status_code == 400
    agent.active = True
    agent.save()
    assert api.post(URL, order, format="json", headers=key).status_code == 202


def test_one_operators_key_says_nothing_to_another(api: APIClient, agent: Agent, stranger: User) -> None:
    key = {"Idempotency-Key": "order-19"}
    api.post(URL, {"agent": agent.pk, "to": HUMAN}, format="json", headers=key)
    theirs = Agent.objects.create(owner=stranger, name="Desk", prompt="You answer.")
    Phone.objects.create(number="+918047112299", agent=theirs)
    api.force_authenticate(stranger)
    assert api.post(URL, {"agent": theirs.pk, "to": HUMAN}, format="json", headers=key).status_code == 202


def test_without_the_cache_a_key_places_one_call_all_the_same(api: APIClient, agent: Agent) -> None:
    gone = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    order = {"agent": agent.pk, "to": HUMAN}
    with override_settings(CACHES={"default": gone}):
        for _time in range(2):
            answer = api.post(URL, order, format="json", headers={"Idempotency-Key": "order-20"})
            assert answer.status_code == 202
    assert Session.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_copies_of_one_order_sent_at_once_place_one_call(agent: Agent, operator: User) -> None:
    together = threading.Barrier(5)

    def send(_number: int) -> int:
        client = APIClient()
        client.force_authenticate(operator)
        together.wait(60)
        try:
            return client.post(URL, {"agent": agent.pk, "to": HUMAN}, format="json", headers={"Idempotency-Key": "order-21"}).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(5) as pool:
        codes = list(pool.map(send, range(5)))
    assert 202 in codes
    assert set(codes) <= {202, 409}
    assert Session.objects.count() == 1


# --- finding ----------------------------------------------------------------------------------------------------------


def found(api: APIClient, **query: str | int) -> list[str]:
    answer = api.get(URL, query)
    assert answer.status_code == 200, answer.json()
    return [call["session_id"] for call in answer.json()["results"]]


def test_a_page_leads_to_the_next_while_calls_arrive(api: APIClient, agent: Agent) -> None:
    sessions = [inbound(agent, f"sid{number}").session_id for number in range(5)]
    page = api.get(URL, {"limit": "2", "direction": "inbound"}).json()
    assert [call["session_id"] for call in page["results"]] == [sessions[4], sessions[3]]
    inbound(agent, "late")
    page = api.get(page["next"]).json()
    assert [call["session_id"] for call in page["results"]] == [sessions[2], sessions[1]]
    page = api.get(page["next"]).json()
    assert [call["session_id"] for call in page["results"]] == [sessions[0]]
    assert page["next"] is None


def test_calls_are_found_by_what_one_knows_of_them(api: APIClient, agent: Agent, operator: User) -> None:
    other = Agent.objects.create(owner=operator, name="Other", prompt="You answer.")
    first = inbound(agent, "one").session_id
    second = inbound(other, "two", "+919000000001").session_id
    placed = api.post(URL, {"agent": agent.pk, "to": "+919000000002"}, format="json").json()["session_id"]
    assert found(api) == [placed, second, first]
    assert found(api, status="queued") == [placed]
    assert found(api, direction="inbound") == [second, first]
    assert found(api, agent=other.pk) == [second]
    assert found(api, number="09000000001") == [second]
    assert found(api, number=HUMAN) == [first]


def test_calls_are_found_by_local_day_and_by_time(api: APIClient, agent: Agent) -> None:
    old, new = inbound(agent, "old"), inbound(agent, "new")
    # 20 November 23:00 UTC is the 21st in India.
    Session.objects.filter(pk=old.pk).update(created_at=datetime(2026, 11, 20, 23, tzinfo=UTC))
    Session.objects.filter(pk=new.pk).update(created_at=datetime(2026, 11, 21, 23, tzinfo=UTC))
    assert found(api, date="2026-11-21") == [old.session_id]
    assert found(api, date="2026-11-20") == []
    assert found(api, since="2026-11-22") == [new.session_id]
    assert found(api, until="2026-11-22") == [old.session_id]
    assert found(api, since="2026-11-21T04:30:00+05:30", until="2026-11-21T04:30:01+05:30") == [old.session_id]
    # The same with a plus that nobody escaped.
    assert api.get(f"{URL}?since=2026-11-21T04:31:00+05:30").json()["results"][0]["session_id"] == new.session_id


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ({"status": "ringing-maybe"}, "status", "Use one of: queued, initiated"),
        ({"direction": "up"}, "direction", "Use one of: inbound, outbound"),
        ({"agent": "desk"}, "agent", "valid integer"),
        ({"date": "yesterday"}, "date", "YYYY-MM-DD"),
        ({"since": "2026-13-40"}, "since", "Write a date such as"),
        ({"limit": "0"}, "limit", "1"),
        ({"cursor": "abc"}, "cursor", "valid integer"),
        ({"state": "active"}, "state", "There is no such field"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(api: APIClient, query: dict[str, str], field: str, words: str) -> None:
    answer = api.get(URL, query)
    assert answer.status_code == 400
    assert words in " ".join(answer.json()["errors"][field])


def test_the_list_does_not_ask_once_per_call(api: APIClient, agent: Agent, django_assert_max_num_queries: Any) -> None:
    for number in range(8):
        commands.add_usage(inbound(agent, f"sid{number}").session_id, [])
    with django_assert_max_num_queries(12):  # two of them: what the person may see
        assert len(found(api)) == 8


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def call(agent: Agent) -> Session:
    """A settled call with two turns, a recording, and three cost lines: one priced, one unpriced, one not yet accounted."""
    session = inbound(agent)
    session.turns.create(number=1, speaker="caller", text="<b>Namaste</b>", started_ms=0, ended_ms=900)
    session.turns.create(
        number=1, speaker="agent", text="Hello", generated_text="Hello there", interrupted=True, started_ms=1500, ended_ms=2000,
        endpointing_ms=300, llm_ms=200, tts_ms=100, latency_ms=600, silence_after_ms=40,
    )  # fmt: skip
    Recording.objects.create(
        session=session, state="stored", key=f"recordings/{session.session_id}.mp3", size_bytes=5, transcript_text="Namaste"
    )
    lines = [
        UsageLine.objects.create(session=session, kind=kind, provider="openai", model="m", unit=unit, quantity=9, evidence=f"e{number}")
        for number, (kind, unit) in enumerate([("llm", "input_tokens"), ("tts", "characters"), ("stt", "audio_ms")])
    ]
    price = {
        "amount": Decimal("0.0001230"),
        "currency": "USD",
        "unit_price": Decimal("0.10"),
        "price_per": 1_000_000,
        "price_source": "list",
    }
    Charge.objects.create(session=session, usage_line=lines[0], **price)
    Charge.objects.create(session=session, usage_line=lines[1], price_source="no price known")
    return session


def test_a_call_is_read_whole(api: APIClient, call: Session) -> None:
    body = api.get(f"{URL}{call.session_id}/").json()
    assert (body["call_sid"], body["status"], body["from"], body["to"]) == ("sid1", "initiated", HUMAN, EXOPHONE)
    caller, agent = body["turns"]
    assert caller["text"] == "<b>Namaste</b>"
    assert caller["latency"] is None
    assert agent["latency"] == {"total_ms": 600, "endpointing_ms": 300, "llm_ms": 200, "tts_ms": 100}
    assert (agent["text"], agent["generated_text"], agent["interrupted"], agent["silence_after_ms"]) == ("Hello", "Hello there", True, 40)
    assert body["median_latency_ms"] == 600
    assert [event["kind"] for event in body["events"]] == ["call-opened"]
    assert body["jobs"] == []


def test_a_calls_end_is_told_from_both_sides(api: APIClient, call: Session) -> None:
    body = api.get(f"{URL}{call.session_id}/").json()
    assert (body["ended_by"], body["end_words"], body["confirmation"], body["carrier_cause"]) == ("", "", "", "")
    report = commands.CarrierReport(status="busy", cause="USER_BUSY", recording_url="https://recordings.example/a.mp3?Signature=secret")
    commands.apply_carrier_report(session=call, report=report, source="carrier", key="k")
    answer = api.get(f"{URL}{call.session_id}/")
    body = answer.json()
    assert (body["ended_by"], body["end_words"], body["confirmation"]) == ("carrier", "The carrier ended the call", "confirmed")
    assert (body["carrier_cause"], body["carrier_cause_words"]) == ("USER_BUSY", "the line was busy")
    told = next(event for event in body["events"] if event["kind"] == "carrier-report")["facts"]["call"]
    assert (told["status"], told["recording_url"]) == ("busy", True)
    assert "Signature=secret" not in answer.content.decode()


def test_unpriced_is_not_free_and_currencies_are_apart(api: APIClient, call: Session) -> None:
    body = api.get(f"{URL}{call.session_id}/").json()
    assert body["charges"]["totals"] == body["totals"] == {"USD": "0.000123"}
    assert body["charges"]["unpriced"] == body["unpriced"] == 1
    priced, unpriced, pending = body["charges"]["lines"]
    assert (priced["amount"], priced["currency"], priced["unit_price"], priced["price_per"]) == ("0.000123", "USD", "0.10", 1_000_000)
    assert (unpriced["accounted"], unpriced["amount"], unpriced["currency"], unpriced["price_source"]) == (True, None, "", "no price known")
    assert (pending["accounted"], pending["amount"], pending["quantity"], pending["price_source"]) == (False, None, 9, "")


def test_a_stored_recording_comes_with_a_link_that_is_signed(api: APIClient, call: Session) -> None:
    recording = api.get(f"{URL}{call.session_id}/").json()["recording"]
    assert recording["state"] == "stored"
    assert recording["transcript_text"] == "Namaste"
    assert recording["key"] == f"recordings/{call.session_id}.mp3"
    assert "X-Amz-Signature=" in recording["url"]
    assert f"recordings/{call.session_id}.mp3" in recording["url"]


def test_an_expected_recording_has_no_link(api: APIClient, call: Session) -> None:
    Recording.objects.filter(session=call).update(state="expected")
    assert api.get(f"{URL}{call.session_id}/").json()["recording"]["url"] is None


def test_secrets_of_the_line_are_not_shown(api: APIClient, call: Session) -> None:
    Session.objects.filter(pk=call.pk).update(media_token_id="opens-the-socket")
    CallLog.objects.filter(session=call).update(recording_url="https://recordings.exotel.com/private.mp3")
    text = api.get(f"{URL}{call.session_id}/").content.decode()
    assert "opens-the-socket" not in text
    assert "recordings.exotel.com" not in text


def test_a_strangers_call_does_not_exist(api: APIClient, call: Session, stranger: User) -> None:
    api.force_authenticate(stranger)
    assert found(api) == []
    assert api.get(f"{URL}{call.session_id}/").status_code == 404
    assert api.post(f"{URL}{call.session_id}/hangup/").status_code == 404
    call.refresh_from_db()
    assert call.hangup_requested_at is None


def test_a_superuser_reads_every_call(api: APIClient, call: Session) -> None:
    api.force_authenticate(User.objects.create_superuser("root"))
    assert found(api) == [call.session_id]
    assert api.get(f"{URL}{call.session_id}/").status_code == 200


@pytest.mark.django_db
def test_nobody_reads_calls_without_a_name() -> None:
    assert APIClient().get(URL).status_code in {401, 403}
    assert APIClient().post(URL, {}, format="json").status_code in {401, 403}


# --- hanging up -------------------------------------------------------------------------------------------------------


def test_a_queued_call_is_canceled_and_never_dialled(api: APIClient, agent: Agent) -> None:
    session_id = api.post(URL, {"agent": agent.pk, "to": HUMAN}, format="json").json()["session_id"]
    answer = api.post(f"{URL}{session_id}/hangup/")
    assert (answer.status_code, answer.json()["status"]) == (202, "canceled")
    assert "will not be dialled" in answer.json()["detail"]
    assert commands.claim_dial(Session.objects.get(session_id=session_id)) is False


def test_a_talking_call_is_asked_to_end(api: APIClient, call: Session) -> None:
    Session.objects.filter(pk=call.pk).update(state="active")
    answer = api.post(f"{URL}{call.session_id}/hangup/")
    assert answer.status_code == 202
    assert "ends within seconds" in answer.json()["detail"]
    call.refresh_from_db()
    assert call.hangup_requested_at is not None
    assert call.events.get(kind="hangup-requested").facts == {"by": "asha"}


def test_a_ringing_call_is_not_said_to_be_over(api: APIClient, call: Session) -> None:
    answer = api.post(f"{URL}{call.session_id}/hangup/")
    assert "as soon as it is answered" in answer.json()["detail"]


def test_a_call_that_is_over_cannot_be_hung_up(api: APIClient, call: Session) -> None:
    CallLog.objects.filter(session=call).update(status="completed", ended_at=datetime.now(UTC) - timedelta(minutes=1))
    answer = api.post(f"{URL}{call.session_id}/hangup/")
    assert answer.status_code == 409
    assert answer.json()["detail"] == "This call is over (completed): there is nothing to hang up."


def test_a_talk_that_has_ended_is_not_said_to_be_in_progress(api: APIClient, call: Session) -> None:
    CallLog.objects.filter(session=call).update(status="in-progress")
    Session.objects.filter(pk=call.pk).update(state=Session.State.ENDED, end_reason="agent-goodbye")
    answer = api.post(f"{URL}{call.session_id}/hangup/")
    assert answer.status_code == 409
    assert "has not confirmed it yet" in answer.json()["detail"]
