"""What stands on a call's timeline: each thing once, with the time when it happened, and in few lines."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calls import commands
from calls.commands import Happened
from calls.commands.timeline import tell
from calls.conductor.line import Line
from calls.models import CallEvent
from calls.presentation import event_lines
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


@pytest.fixture
def session():
    return made.talking_call(made.agent_of(made.operator()))


def played(session, number: int, marks: str = "2 of 2 marks came back", *, at_s: int | None = None) -> Happened:
    at = timezone.now() + timedelta(seconds=number if at_s is None else at_s)
    return Happened(session.pk, f"engine:{number}", "engine", "turn-played", at, {"turn": number, "marks": marks, "at_ms": number})


def test_what_happened_in_a_talk_is_written_with_its_own_time_and_once(session):
    began = timezone.now() - timedelta(minutes=1)
    one = Happened(session.pk, "engine:1", "engine", "key-pressed", began, {"at_ms": 5})
    commands.record_talk([one, one])
    commands.record_talk([one])
    commands.record_talk([])
    assert list(CallEvent.objects.filter(session=session, kind="key-pressed").values_list("created_at", flat=True)) == [began]


def test_utterances_in_a_row_are_one_line_and_what_comes_between_stands_out(session):
    told = [played(session, number) for number in (1, 2, 3)]
    told += [played(session, 5, at_s=5), played(session, 6, "1 of 2 marks came back", at_s=6)]
    told.append(Happened(session.pk, "engine:4", "engine", "interrupted", timezone.now() + timedelta(seconds=4), {"at_ms": 4}))
    commands.record_talk(told)
    lines = [
        (line.what, line.times) for line in event_lines(CallEvent.objects.filter(session=session, source="engine", key__startswith="e"), {})
    ]
    words = "The agent's words were played: {} of 2 marks came back"
    assert lines == [(words.format(2), 3), ("The caller interrupted the agent", 1), (words.format(2), 1), (words.format(1), 1)]


class Carrier:
    """A link that counts."""

    sample_rate_hz = 8000
    received_frames, dropped_frames, bad_messages, clears = 1500, 0, 2, 1
    marks_sent, marks_back = 3, 2
    ending = "the carrier said stop (callended)"


def test_a_line_tells_its_marks_for_each_utterance_and_its_sums_at_the_end():
    link = Carrier()
    line = Line(link)
    assert line.marks() == "2 of 3 marks came back"
    assert line.marks() == "", "nothing since"
    link.marks_sent, link.marks_back = 5, 5  # the late one too
    assert line.marks() == "2 of 2 marks came back"
    sums = {"frames": 1500, "unreadable": 2, "marks_sent": 5, "marks_back": 5, "clears": 1}
    assert line.closing() == {"how": "the carrier said stop (callended)", **sums}


def test_a_line_that_knows_nothing_of_itself_says_nothing():
    line = Line(object())
    assert (line.connected_at, line.marks(), line.closing()) == (None, "", {})


def test_what_a_talk_left_behind_is_not_read_when_the_carrier_tells_of_the_call(session):
    """One question for what is known of a call, whose answer does not grow with the talk."""
    commands.record_talk([played(session, number) for number in range(2000)])
    with CaptureQueriesContext(connection) as asked:
        tell(session, key="status:1", source="carrier", kind="carrier-report", facts={"door": "status", "call": {"status": "in-progress"}})
    reading = [each["sql"] for each in asked if each["sql"].startswith("SELECT") and "calls_callevent" in each["sql"]]
    assert len(reading) == 1
    with connection.cursor() as cursor:
        cursor.execute(reading[0])
        assert len(cursor.fetchall()) < 10
