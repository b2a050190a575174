"""Rehearsals through the real engine, with the simulated model playing the agent, the caller and the judge."""

import json
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from agents import drafts
from agents.restoring import restore
from calls import jobs, queries
from calls.jobs import run_job
from calls.management.commands import rehearse
from calls.models import (
    Attempt,
    Budget,
    CallEvent,
    CallLog,
    Job,
    RehearsalResult,
    Scenario,
    Session,
    UsageLine,
    WebhookEndpoint,
    WebhookMessage,
)
from calls.rehearsing import assertions, from_calls, publishing, runs
from calls.rehearsing.books import cost_of
from calls.rehearsing.talk import AGENT, Line, Talk
from calls.tasks import account
from engine.events import EndReason
from tests.calls import made_calls as made
from tests.calls.rehearsing.conftest import BOOKING
from tests.calls.test_settlement import run as run_task

pytestmark = pytest.mark.django_db

CALLS_TUESDAY = [("(?i)which day", "Tuesday please."), ("(?i)booked", "Thank you, bye. [hang up]"), ("", "I would like an appointment.")]


def scenario(agent, wishes: str = "says: booked\nended by: agent", name: str = "Books a slot", **fields) -> Scenario:
    told = [each.to_json() for each in assertions.parse(wishes)]
    return Scenario.objects.create(agent=agent, name=name, goal="An appointment on Tuesday.", assertions=told, **fields)


def held(run) -> runs.Progress:
    for job in Job.objects.filter(session__rehearsal__run=run, kind="calls.rehearse"):
        run_job(job.pk, job.kind, runs.rehearse, runs.MOST_TRIES)
    return runs.progress(run)


def test_a_scenario_is_held_graded_and_kept_as_a_test_call(agent, says):
    says(agent=BOOKING, caller=CALLS_TUESDAY)
    WebhookEndpoint.objects.create(owner=agent.owner, url="https://example.com/hook", events=["call.started", "call.ended", "call.settled"])
    one = scenario(agent, "says: Tuesday at five\nended by: agent\nwithin: 300 seconds\nnever says: refund\ntool called: book_slot")
    progress = held(runs.begin_run(agent, by=agent.owner))
    result = progress.results[0]
    assert (result.state, result.problem) == (RehearsalResult.State.FAILED, "")
    assert [verdict["passed"] for verdict in result.verdicts] == [True, True, True, True, False]
    turns = list(result.session.turns.values_list("number", "speaker", "text"))
    assert turns[:3] == [(1, "agent", "Namaste, Asha Clinic."), (2, "caller", "I would like an appointment."), (3, "agent", turns[2][2])]
    assert result.verdicts[0]["turns"] == [number for number, who, text in turns if "five" in text]

    log = CallLog.objects.get(session=result.session)
    assert (log.is_test, log.status, log.call_sid, log.ended_by, log.confirmation) == (True, "completed", None, "agent", "confirmed")
    assert log.duration_s == round((result.lasted_ms or 0) / 1000)
    assert set(UsageLine.objects.filter(session=result.session).values_list("kind", flat=True)) == {"llm"}, "no line, no voice, no ear"
    assert UsageLine.objects.filter(session=result.session, purpose="caller").exists()
    assert Attempt.objects.filter(job__session=result.session, outcome="ok").count() == 3
    assert result.cost is not None and result.cost > 0
    run_task(account, result.session)
    log.refresh_from_db()
    assert log.settled_at is not None and log.cost is not None and log.cost > result.cost, "the caller is paid as well"
    assert not WebhookMessage.objects.exists(), "tests are told to nobody"
    assert not queries.calls_in_progress(agent.owner).exists()
    assert {"test-opened", "test-began", "test-over"} <= set(
        CallEvent.objects.filter(session=result.session).values_list("kind", flat=True)
    )
    assert one.results.count() == 1


def test_a_model_judges_what_only_a_reader_can(agent, says):
    verdict = {"criterion_1": {"holds": True, "why": "It asks for the day.", "turns": [3]}}
    says(agent=BOOKING, caller=CALLS_TUESDAY, judge=json.dumps(verdict))
    scenario(agent, "judged: It asks which day suits.")
    result = held(runs.begin_run(agent, by=None)).results[0]
    assert result.state == RehearsalResult.State.PASSED
    assert result.verdicts[0]["why"] == "It asks for the day." and result.verdicts[0]["turns"] == [3]


def test_a_caller_hangs_up_when_everything_is_said(agent, says):
    says(agent=[{"heard": "", "say": "Please go on."}], caller=[("", "And another thing.")])
    scenario(agent, "ended by: caller", most_lines=2, opening="Listen.")
    result = held(runs.begin_run(agent, by=None)).results[0]
    assert result.state == RehearsalResult.State.PASSED
    said = list(result.session.turns.filter(speaker="caller").values_list("text", flat=True))
    assert said == ["Listen.", "And another thing."]


def test_a_caller_whom_nobody_plays_breaks_the_rehearsal_not_the_run(agent, says, settings):
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/openai/v1"
    scenario(agent)
    progress = held(runs.begin_run(agent, by=None))
    assert progress.is_over and not progress.has_passed
    assert progress.results[0].state == RehearsalResult.State.BROKEN
    assert "could not be reached" in progress.results[0].problem
    assert progress.results[0].session.state == Session.State.ENDED


def test_a_job_that_is_run_again_begins_anew(agent, says):
    says(agent=BOOKING, caller=CALLS_TUESDAY)
    scenario(agent)
    run = runs.begin_run(agent, by=None)
    session = run.results.get().session
    made_before = CallEvent.objects.filter(session=session).count()
    from calls.commands import trying

    trying.begin_test(session)
    session.turns.create(number=9, speaker="caller", text="of the try that died", started_ms=0, ended_ms=1)
    held(run)
    assert not session.turns.filter(number=9).exists() and session.turns.count() >= 3
    assert CallEvent.objects.filter(session=session).count() > made_before


def test_what_waits_is_stopped(agent, says):
    scenario(agent)
    run = runs.begin_run(agent, by=None)
    assert runs.stop_run(run)
    progress = held(run)
    assert progress.is_over and progress.results[0].state == RehearsalResult.State.STOPPED
    session = Session.objects.select_related("call_log").get(pk=progress.results[0].session_id)
    assert (session.state, session.call_log.status) == (Session.State.ENDED, "canceled")
    suite = ElementTree.fromstring(rehearse.junit("Clinic", progress))
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["1", "0", "0", "1"]


def test_publishing_asks_for_rehearsals_that_passed_with_just_that(agent, says):
    says(agent=BOOKING, caller=CALLS_TUESDAY)
    one = scenario(agent)
    publishing.require(agent, True, by=agent.owner)
    agent.prompt += " Be kind."
    drafts.save_draft(agent, by=agent.owner)
    with pytest.raises(ValidationError, match="Books a slot"):
        drafts.publish_draft(agent, by=agent.owner, reason="Kinder")
    run = runs.begin_run(agent, by=None, is_draft=True)
    assert held(run).has_passed
    assert run.results.get().session.stored_spec == run.spec != agent.current_version.spec, "its call is shown and priced as the draft"
    one.goal = "Something else"
    one.save()
    with pytest.raises(ValidationError, match="Books a slot"):
        drafts.publish_draft(agent, by=agent.owner, reason="Kinder")
    assert held(runs.begin_run(agent, by=None, is_draft=True)).has_passed
    assert drafts.publish_draft(agent, by=agent.owner, reason="Kinder").number == 2
    assert restore(agent.versions.get(number=1), by=agent.owner).version.number == 3, "going back asks for nothing"


def playing(monkeypatch, *ends: Exception | Talk) -> list[int]:
    """The conversations end so, one after the other, as if they had been held; the list grows with each."""
    left, held_so_far = list(ends), list[int]()

    def hold(*args: object, **how: object) -> Talk:
        held_so_far.append(len(held_so_far) + 1)
        end = left.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    monkeypatch.setattr(runs, "hold", hold)
    return held_so_far


def booked() -> Talk:
    return Talk(lines=[Line(1, AGENT, "It is booked.")], reason=EndReason.AGENT_GOODBYE, lasted_ms=9000)


def test_a_budget_that_is_used_up_on_the_way_holds_no_more(agent, monkeypatch):
    scenario(agent)
    run = runs.begin_run(agent, by=None)
    Budget.objects.create(owner=agent.owner, scope="account-month", amount=Decimal(0), currency="INR")
    conversations = playing(monkeypatch, booked())
    result = held(run).results[0]
    assert (result.state, conversations) == (RehearsalResult.State.BROKEN, []) and "is used up" in result.problem
    assert CallLog.objects.get(session=result.session).status == "canceled"


def test_a_limit_in_rupees_is_held_against_rupees(agent, monkeypatch, settings):
    settings.BILLING_CURRENCY = "USD"
    scenario(agent, "costs at most: ₹0.001")
    run = runs.begin_run(agent, by=None)
    made.use(run.results.get().session, unpriced=False)
    playing(monkeypatch, booked())
    result = held(run).results[0]
    in_rupees, _lines = cost_of(result.session, currency="INR")
    assert result.cost is not None and in_rupees == result.cost * 88
    assert f"₹{in_rupees:.4f}" in result.verdicts[0]["why"]


def test_the_command_tries_again_what_failed_without_a_worker(agent, monkeypatch, capsys):
    monkeypatch.setattr(jobs, "BACK_OFF_S", (0,))
    conversations = playing(monkeypatch, OSError("the disk is away"), booked())
    scenario(agent)
    call_command("rehearse", agent.name, at_once=1)
    assert conversations == [1, 2] and "1 of 1 passed" in capsys.readouterr().out


def test_the_command_keeps_its_limit_when_it_holds_one_at_a_time(agent, monkeypatch):
    conversations = playing(monkeypatch, booked(), booked())
    scenario(agent)
    with pytest.raises(CommandError, match="--limit"):
        call_command("rehearse", agent.name, at_once=1, limit=-1)
    result = RehearsalResult.objects.get()
    assert (conversations, result.state, result.session.state) == ([], RehearsalResult.State.STOPPED, Session.State.ENDED)


def test_a_real_call_becomes_a_scenario_without_numbers(agent):
    session = made.talking_call(agent)
    made.exchange(session, 1, "My number is 98765 43210, Tuesday please", "Booked.")
    from calls import commands

    begun = commands.begin_tool_run(session.session_id, tool="book_slot", arguments={"day": "Tuesday"}, acts=True)
    commands.end_tool_run(begun.run_id or 0, state="done", result="ok")
    made.end(session)
    session.refresh_from_db()
    found = from_calls.proposal(agent, session)
    assert found.opening == "My number is 9999999999, Tuesday please" and "98765" not in found.facts
    assert assertions.written(found.wishes) == 'tool called: book_slot {"day": "Tuesday"}\nended by: caller'


def test_the_command_reports_and_tells_ci(agent, says, tmp_path, capsys):
    says(agent=BOOKING, caller=CALLS_TUESDAY)
    scenario(agent)
    scenario(agent, "says: a unicorn", name="Sees a unicorn")
    file = tmp_path / "out.xml"
    with pytest.raises(SystemExit) as ended:
        call_command("rehearse", agent.name, junit=str(file), at_once=1)
    assert ended.value.code == 1
    told = capsys.readouterr().out
    assert "1 of 2 passed" in told and "✗ says: a unicorn: it was never said" in told
    suite = ElementTree.parse(file).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    call_command("rehearse", str(agent.pk), scenario=["Books a slot"], at_once=1)
    with pytest.raises(SystemExit) as nothing:
        Scenario.objects.all().delete()
        call_command("rehearse", agent.name)
    assert nothing.value.code == 2
