"""The ledger of tools and the decision to hand a caller over, in the real Postgres."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from agents.ledger import Begun
from calls import commands
from calls.models import CallEvent, Session, ToolRun, Transfer, UsageLine
from engine.usage import Unit, UsageKind, UsageRecord
from tests.calls import made_calls as made

BOOK = {"tool": "book", "arguments": {"day": "monday", "time": "10:00"}, "acts": True}


@pytest.fixture
def session(db) -> Session:
    return made.talking_call(made.agent_of(made.operator()))


def begin(session: Session, **how) -> Begun:
    return commands.begin_tool_run(session.session_id, **{**BOOK, **how})


def begun(session: Session, **how) -> int:
    run_id = begin(session, **how).run_id
    assert run_id is not None
    return run_id


def test_a_tool_that_acts_runs_once_for_the_same_wish_however_it_is_written(session):
    assert commands.end_tool_run(begun(session), state="done", result="Booked, number 17.")
    again = begin(session, arguments={"time": "10:00", "day": "monday"})
    assert again == Begun(None, "done", "Booked, number 17.")
    assert begin(session, arguments={"day": "tuesday", "time": "10:00"}).run_id


def test_what_failed_for_certain_may_be_tried_again_and_what_may_have_happened_may_not(session):
    first = begun(session)
    commands.end_tool_run(first, state="failed", result="refused")
    second = begun(session)
    assert second == first
    assert ToolRun.objects.get().tries == 2
    commands.end_tool_run(second, state="unknown", result="")
    assert begin(session) == Begun(None, "unknown", "")
    assert not commands.end_tool_run(second, state="done", result="too late")


def test_a_run_that_a_dead_process_left_open_is_not_repeated(session):
    begin(session)
    assert begin(session) == Begun(None, "running", "")


def test_a_tool_that_reads_is_asked_as_often_as_wished_and_each_time_is_a_row(session):
    runs = [begin(session, tool="slots", acts=False).run_id for _ in range(3)]
    assert len(set(runs)) == 3
    assert list(ToolRun.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3]


def test_another_call_has_a_ledger_of_its_own(session):
    commands.end_tool_run(begun(session), state="done", result="Booked.")
    other = made.talking_call(made.agent_of(made.operator()))
    assert begin(other).run_id


@pytest.mark.django_db(transaction=True)
def test_of_two_wishes_at_once_only_one_runs():
    session = made.talking_call(made.agent_of(made.operator()))
    together = threading.Barrier(2)

    def wish(_):
        together.wait(60)
        try:
            return begin(session).run_id
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(wish, range(2)))
    assert sorted(run is None for run in runs) == [False, True]


def test_postgres_keeps_arguments_with_characters_it_cannot_store(session):
    run_id = begun(session, arguments={"name": "a\0b", "list": ["\0"]})
    assert ToolRun.objects.get(pk=run_id).arguments == {"name": "ab", "list": [""]}


def decide(session: Session, **how) -> bool:
    given = {"destination_id": 7, "name": "Sales", "numbers": ["+918047112200"], "ring_s": 25, **how}
    return commands.decide_transfer(session.session_id, **given)


def test_a_transfer_is_decided_asked_for_and_told_once(session):
    assert commands.transfer_asked(session) is None
    assert decide(session)
    assert decide(session, destination_id=8, name="Support")
    asked = commands.transfer_asked(session)
    assert asked is not None
    assert (asked.name, asked.numbers, asked.ring_s) == ("Support", ["+918047112200"], 25)
    assert not decide(session), "the numbers were given out: the decision stands"
    again = commands.transfer_asked(session)
    assert again is not None
    assert again.asked_at == asked.asked_at
    assert commands.transfer_ended(session, outcome="answered")
    assert not commands.transfer_ended(session, outcome="no-answer")
    assert Transfer.objects.get().outcome == "answered"
    kinds = list(CallEvent.objects.filter(session=session, kind__startswith="transfer").values_list("kind", flat=True))
    assert kinds == ["transfer-decided", "transfer-decided", "transfer-asked", "transfer-ended"]


def test_a_call_that_is_over_is_not_handed_over(session):
    commands.end_session(session.session_id, reason="caller-hangup", at=timezone.now())
    assert not decide(session)
    assert not Transfer.objects.exists()


def test_a_purpose_is_stored_with_the_usage(session):
    wasted = UsageRecord(UsageKind.LLM, "openai", "gpt-6-luna", Unit.OUTPUT_TOKENS, 9, "one", purpose="speculative")
    heard = UsageRecord(UsageKind.LLM, "openai", "gpt-6-luna", Unit.OUTPUT_TOKENS, 5, "two")
    commands.add_usage(session.session_id, [wasted, heard])
    assert list(UsageLine.objects.values_list("quantity", "purpose")) == [(9, "speculative"), (5, "")]


def test_an_outbound_call_keeps_what_is_known_about_the_customer(db):
    agent = made.agent_of(made.operator())
    session = commands.queue_outbound_call(owner=agent.owner, agent=agent, to_phone="+919876543210", customer={"name": "Asha"})
    assert Session.objects.get(pk=session.pk).customer == {"name": "Asha"}


def test_the_call_shows_its_tools_its_transfer_and_what_was_used_in_vain(session):
    commands.end_tool_run(begun(session), state="done", result="Booked.")
    decide(session)
    wasted = UsageRecord(UsageKind.LLM, "openai", "gpt-6-luna", Unit.OUTPUT_TOKENS, 9, "one", purpose="speculative")
    heard = UsageRecord(UsageKind.LLM, "openai", "gpt-6-luna", Unit.OUTPUT_TOKENS, 5, "two")
    commands.add_usage(session.session_id, [wasted, heard])
    Session.objects.filter(pk=session.pk).update(customer={"name": "Asha"})
    client = APIClient()
    client.force_authenticate(session.owner)
    shown = client.get(f"/api/v1/calls/{session.session_id}/").json()
    assert [(run["tool"], run["state"], run["result"]) for run in shown["tools"]] == [("book", "done", "Booked.")]
    assert (shown["transfer"]["name"], shown["transfer"]["outcome"], shown["customer"]) == ("Sales", "", {"name": "Asha"})
    assert [(line["quantity"], line["purpose"]) for line in shown["charges"]["lines"]] == [(9, "speculative"), (5, "")]
    page = Client()
    page.force_login(session.owner)
    text = page.get(f"/calls/{session.session_id}/").content.decode()
    for words in (
        "prepared ahead and not needed",
        "What the agent did",
        "day: monday · time: 10:00",
        "Handed over to Sales",
        "Not known yet",
    ):
        assert words in text
