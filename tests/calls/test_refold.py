"""The stored columns of a call are what its events say: through the doors and the database, in whatever order, and again when rebuilt."""

import random
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from calls import commands
from calls.commands.timeline import events_of
from calls.models import CallEvent, CallLog, Job
from calls.timeline import COLUMNS, fold
from telephony.models import WebhookDelivery
from tests.calls import carrier_stories as stories
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent():
    return made.agent_of(made.operator())


def test_a_bad_lines_reports_through_the_inbox_reach_the_end_of_the_clean_one(agent):
    chance = random.Random(6)
    for number in range(21):
        story = stories.STORIES[number % len(stories.STORIES)]
        told = chance.sample(story.steps, len(story.steps)) if number % 2 else stories.interleaving(story, chance)
        with transaction.atomic():
            log = stories.live_through(agent, story, told)
            assert stories.amiss(story, log, told) == {}, [step.params for step in told]
            assert stories.columns(log) == stories.columns(fold(events_of(log.session)))
            assert commands.refold(log.session, write=False) == {}
            jobs = set(Job.objects.filter(session=log.session).values_list("kind", flat=True))
            assert ("telephony.fetch_recording" if log.status == "completed" else "calls.account") in jobs
            transaction.set_rollback(True)


def test_copies_of_one_delivery_are_counted_and_have_one_effect(agent):
    session = made.talking_call(agent)
    terminal = stories.STORIES[0].steps[3]
    for _ in range(200):
        stories.deliver(session, terminal)
    assert WebhookDelivery.objects.get().copies == 200
    assert CallEvent.objects.filter(session=session, kind="carrier-report").count() == 1
    assert CallEvent.objects.filter(session=session, kind="status-changed", facts__to="completed").count() == 1
    assert Job.objects.filter(session=session).count() == 1


def test_a_report_that_changes_nothing_is_kept_with_its_reason_and_not_applied_again(agent):
    session = made.talking_call(agent)
    answered, terminal = stories.STORIES[0].steps[1], stories.STORIES[0].steps[3]
    late = stories.Step("status", {**answered.params, "EventType": "", "Status": "ringing"})
    for step in (terminal, late, late):
        stories.deliver(session, step)
    delivery = WebhookDelivery.objects.get(params__Status="ringing")
    assert (delivery.state, delivery.copies) == ("ignored", 2)
    assert delivery.reason == "late: the call had ended as completed when ringing came"
    event = CallEvent.objects.get(session=session, facts__call__status="ringing")
    assert event.facts["ignored"] == delivery.reason


def test_what_somebody_changed_by_hand_is_shown_and_put_right(agent):
    session = made.talking_call(agent)
    stories.deliver(session, stories.STORIES[0].steps[-1])
    CallLog.objects.filter(session=session).update(status="failed", duration_s=3, failure="a mistake")
    shown = _refold(session=session.session_id, dry_run=True)
    assert "status: failed -> completed" in shown and "duration_s: 3 -> 75" in shown and "failure: a mistake -> nothing" in shown
    assert stories.end_of(session).status == "failed"
    assert "1 changed" in _refold(since=timezone.localdate(), until=timezone.localdate())
    assert (stories.end_of(session).status, stories.end_of(session).duration_s) == ("completed", 75)
    assert "0 changed" in _refold(session=session.session_id)
    assert "0 calls looked at" in _refold(until=timezone.localdate() - timedelta(days=1))


def test_refolding_wants_to_know_which_calls(agent):
    with pytest.raises(CommandError, match="which calls"):
        _refold()
    with pytest.raises(CommandError, match="no call sess_x"):
        _refold(session="sess_x")


def _refold(**options) -> str:
    shown = StringIO()
    call_command("refold", stdout=shown, **options)
    return shown.getvalue()


def test_a_call_from_before_the_timeline_is_what_it_was(agent):
    from importlib import import_module

    from django.apps import apps

    session = made.talking_call(agent)
    stories.deliver(session, stories.STORIES[0].steps[-1])
    known = {name: value for name, value in stories.columns(stories.end_of(session)).items() if name not in ("carrier_cause", "ended_by")}
    CallEvent.objects.filter(session=session).exclude(kind="status-changed").delete()
    import_module("calls.migrations.0003_timeline").carry_over(apps, None)
    carried = fold(events_of(session))
    assert {name: getattr(carried, name) for name in known} == known
    assert set(known) < set(COLUMNS)
