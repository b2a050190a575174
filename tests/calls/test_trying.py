"""Test calls in the rows: no carrier is asked, paid or waited for, and nothing that counts real calls counts them."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from agents import drafts
from calls import alarms, broadcast, commands, overview, presentation, queries, spend
from calls.agent_pages import record
from calls.analytics import keeping
from calls.commands import trying
from calls.commands.polling import claim_polls
from calls.listing.filters import ONLY_TESTS, WITHOUT_TESTS, CallFilters
from calls.models import Budget, CallEvent, CallLog, Job, Recording, Session, UsageLine, WebhookEndpoint, WebhookMessage
from engine.usage import UsageKind
from pricing.meter import LINE
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent():
    return made.agent_of(made.operator())


def talking(agent, **how) -> Session:
    session = commands.open_spoken_test(agent.current_version, by="meera", **how)
    token_id = commands.issue_media_token(session)
    claimed = commands.claim_media(token_id=token_id, call_sid=session.session_id, stream_sid="stream1")
    assert claimed is not None
    return claimed


def ended(agent, **how) -> Session:
    session = talking(agent)
    made.exchange(session, 0, "Are you open on Monday?", "Yes, from ten.")
    made.use(session, unpriced=False)
    assert commands.end_session(session.session_id, reason=how.get("reason", "caller-hangup"), at=timezone.now())
    return Session.objects.select_related("call_log").get(pk=session.pk)


def test_a_test_ends_with_its_talk_and_asks_nobody(agent):
    WebhookEndpoint.objects.create(
        owner=agent.owner, url="https://crm.example.com/hook", events=["call.started", "call.ended", "call.settled"]
    )
    session = ended(agent)
    log = session.call_log
    assert (log.is_test, log.status, log.ended_by, log.confirmation) == (True, "completed", "caller", "confirmed")
    assert (log.call_sid, log.poll_after, log.polls) == (None, None, 0)
    assert log.answered_at is not None and log.ended_at is not None and log.talk_s is not None
    assert set(Job.objects.filter(session=session).values_list("kind", flat=True)) == {"calls.account"}
    assert not Recording.objects.filter(session=session).exists()
    CallLog.objects.filter(pk=log.pk).update(created_at=timezone.now() - timedelta(hours=1))
    assert claim_polls(10) == []
    Job.objects.update(state=Job.State.DONE)
    commands.account(session)
    log.refresh_from_db()
    assert log.settled_at is not None
    assert not WebhookMessage.objects.exists()
    assert CallEvent.objects.get(session=session, kind="tried-by-voice").facts["by"] == "meera"


def test_providers_are_charged_and_the_line_is_not(agent):
    made.tariff()
    session = talking(agent)
    assert LINE not in spend.meter_for(session).read(60_000).unpriced
    assert spend.meter_for(session).read(60_000).amounts.keys() == {"USD"}
    assert queries.line_estimate(session) is None
    made.use(session, unpriced=False)
    commands.end_session(session.session_id, reason="agent-goodbye", at=timezone.now())
    Job.objects.update(state=Job.State.DONE)
    commands.account(session)
    kinds = set(UsageLine.objects.filter(session=session).values_list("kind", flat=True))
    assert kinds == {"stt", "llm", "tts"} and UsageKind.TELEPHONY not in kinds
    summary = queries.charges_summary(Session.objects.get(pk=session.pk))
    assert summary.totals["USD"] > 0 and summary.unpriced == 0
    assert queries.line_estimate(Session.objects.select_related("call_log").get(pk=session.pk)) is None


def test_what_counts_real_calls_counts_no_tests(agent):
    ended(agent)
    talking(agent)
    figures = overview.day_figures(agent.owner)
    assert (figures.calls, figures.answered, figures.median_latency_ms, figures.costs) == (0, 0, None, {})
    assert not overview.set_up(agent.owner).has_call
    version = agent.current_version
    keeping.keep()
    assert record.records([version])[version.pk].calls == 0
    assert queries.call_list(agent.owner, CallFilters(tests=WITHOUT_TESTS)).rows == []
    assert len(queries.call_list(agent.owner, CallFilters(tests=ONLY_TESTS)).rows) == 2
    assert alarms.begun_before(timezone.now() + timedelta(days=1)) == []
    made.talking_call(agent)
    assert overview.day_figures(agent.owner).calls == 1
    keeping.keep()
    assert record.records([version])[version.pk].calls == 1


def test_a_test_by_voice_is_in_progress_as_soon_as_its_audio_may_come(agent):
    opened = commands.open_spoken_test(agent.current_version, by="meera")
    assert not queries.calls_in_progress(agent.owner).exists() and broadcast._facts_now(opened.pk) is None
    commands.issue_media_token(opened)
    talks = talking(agent)
    assert [session.pk for session in queries.calls_in_progress(agent.owner)] == [talks.pk, opened.pk]
    assert all(broadcast._facts_now(shown.pk) for shown in (talks, opened))
    commands.close_unopened(opened)
    assert [session.pk for session in queries.calls_in_progress(agent.owner)] == [talks.pk]
    facts = broadcast._facts_now(opened.pk)
    assert facts is not None and facts["state"] == Session.State.ENDED, "that it is over may be told"


def test_a_draft_talks_as_it_was_when_the_test_began(agent):
    agent.prompt = "You answer the phone of a zoo."
    drafts.save_draft(agent, by=agent.owner)
    session = commands.open_spoken_test(agent.current_version, by="meera", draft=drafts.spec_of(agent), customer={"name": "Asha"})
    drafts.discard(agent)
    kept = Session.objects.get(pk=session.pk)
    assert kept.spec().prompt == kept.stored_spec["prompt"] == "You answer the phone of a zoo."
    assert kept.agent_version == agent.current_version and agent.current_version.number == 1
    assert kept.agent_version.as_spec().prompt == "You answer the phone of a clinic."
    assert kept.customer == {"name": "Asha"}
    assert Session.objects.get(pk=made.talking_call(agent).pk).spec().prompt == "You answer the phone of a clinic."


def test_a_test_whose_process_dies_is_swept_and_certain_all_the_same(agent):
    session = talking(agent)
    now = timezone.now()
    Session.objects.filter(pk=session.pk).update(seen_at=now - timedelta(minutes=2), silent_at=now - timedelta(minutes=1))
    assert commands.sweep_silent_sessions(now) == 1
    log = CallLog.objects.get(session=session)
    assert (log.status, log.ended_by, log.confirmation) == ("completed", "crash", "confirmed")


def test_a_test_that_nobody_begins_is_given_up(agent):
    begun, left = talking(agent), commands.open_spoken_test(agent.current_version, by="meera")
    fresh = commands.open_spoken_test(agent.current_version, by="meera")
    CallLog.objects.exclude(session=fresh).update(created_at=timezone.now() - timedelta(minutes=6))
    assert commands.give_up_unopened_tests() == 1
    found = {log.session_id: log for log in CallLog.objects.all()}
    assert (found[left.pk].status, found[left.pk].confirmation) == ("canceled", "confirmed")
    assert (found[begun.pk].status, found[fresh.pk].status) == ("in-progress", "initiated")
    assert not commands.close_unopened(begun)
    with pytest.raises(commands.CallRefused):
        commands.issue_media_token(left)


def test_a_rehearsal_waits_for_its_worker_as_long_as_it_takes(agent):
    waiting = trying.open_test(agent_version=agent.current_version, by="meera")
    CallLog.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert commands.give_up_unopened_tests() == 0 and not commands.close_unopened(waiting)
    assert Session.objects.get(pk=waiting.pk).state == Session.State.WAITING


def test_a_test_in_writing_ends_once_with_the_time_it_would_have_taken(agent):
    session = trying.open_test(agent_version=agent.current_version, by="meera")
    trying.begin_test(session)
    assert trying.end_test(session, reason="agent-goodbye", lasted_ms=64_400)
    assert not trying.end_test(session, reason="shutdown", lasted_ms=0)
    log = CallLog.objects.get(session=session)
    assert (log.status, log.duration_s, log.ended_by, log.confirmation) == ("completed", 64, "agent", "confirmed")
    assert session.events.filter(facts__call__status="completed").count() == 1
    assert commands.refold(session, write=False) == {}


def test_a_test_in_writing_that_never_began_is_canceled(agent):
    session = trying.open_test(agent_version=agent.current_version, by="meera")
    assert trying.end_test(session, reason="shutdown", lasted_ms=0)
    log = CallLog.objects.get(session=session)
    assert (log.status, log.duration_s, log.answered_at) == ("canceled", None, None)
    assert not session.events.filter(facts__call__status="completed").exists()


def test_what_was_tried_in_writing_is_read_by_no_model_afterwards():
    agent = made.agent_of(made.operator(), analyse_calls=True)
    written = trying.open_test(agent_version=agent.current_version, by="meera")
    trying.begin_test(written)
    trying.end_test(written, reason="agent-goodbye", lasted_ms=1000)
    assert set(Job.objects.filter(session=written).values_list("kind", flat=True)) == {"calls.account"}
    assert set(Job.objects.filter(session=ended(agent)).values_list("kind", flat=True)) == {"calls.analyse"}, (
        "by voice the agent's setting holds"
    )


def test_only_tests_are_closed_before_their_audio(agent):
    real = made.ringing_call(agent)
    assert not commands.close_unopened(real)
    CallLog.objects.update(created_at=timezone.now() - timedelta(days=1))
    assert commands.give_up_unopened_tests() == 0


def test_a_used_up_budget_lets_no_test_begin(agent):
    Budget.objects.create(owner=agent.owner, scope="account-month", amount=Decimal(0), currency="INR")
    with pytest.raises(commands.BudgetSpent, match="is used up"):
        commands.open_spoken_test(agent.current_version, by="meera")
    assert not Session.objects.exists()


def test_the_rows_of_a_test_are_the_fold_of_its_events(agent):
    session = ended(agent)
    assert commands.refold(session, write=False) == {}


def test_how_a_test_ended_is_told_without_a_carrier(agent):
    session = ended(agent)
    facts = presentation.end_facts(session)
    assert facts is not None
    assert "carrier" in facts.confirmation and facts.tone == "quiet" and facts.hint == ""
    assert presentation.call_json(session)["is_test"] is True
