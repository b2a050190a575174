"""What a recogniser heard in a process that was killed is paid all the same: it is estimated, marked, and never told twice."""

from datetime import timedelta

import pytest
from django.utils import timezone

from calls import commands
from calls.models import Session, UsageLine
from engine.usage import Unit, UsageKind, UsageRecord
from tests.calls import made_calls

pytestmark = pytest.mark.django_db


def a_call(*, told_ms=(), resumed=0, reason="crash", lasted_s=60) -> list[UsageLine]:
    """The recogniser's lines of a call that was accounted twice."""
    session = made_calls.talking_call(made_calls.agent_of(made_calls.operator()))
    for number, quantity in enumerate(told_ms):
        record = UsageRecord(UsageKind.STT, "deepgram", "nova-2", Unit.AUDIO_MS, quantity, f"stream-{number}")
        commands.add_usage(session.session_id, [record])
    for number in range(resumed):
        commands.record_event(session=session, key=f"resumed:{number}", source="stream", kind="stream-resumed", facts={})
    now = timezone.now()
    Session.objects.filter(pk=session.pk).update(started_at=now - timedelta(seconds=lasted_s))
    commands.end_session(session.session_id, reason=reason, at=now)
    for _ in range(2):
        commands.account(Session.objects.get(pk=session.pk))
    return list(UsageLine.objects.filter(session=session, kind=UsageKind.STT).order_by("id"))


def test_a_killed_process_leaves_the_time_of_the_call_as_an_estimate():
    (line,) = a_call()
    spec = line.session.agent_version.as_spec()
    assert (line.provider, line.model, line.quantity, line.purpose) == (spec.stt.provider, spec.stt.model, 60_000, "lost")
    assert line.charge is not None and line.charge.amount is not None


def test_what_the_second_stream_told_is_not_estimated_again():
    told, lost = a_call(told_ms=[22_000], resumed=1, reason="caller-hangup")
    assert (told.purpose, told.quantity) == ("", 22_000)
    assert (lost.purpose, lost.quantity) == ("lost", 38_000)


@pytest.mark.parametrize(
    "how",
    [
        {"reason": "caller-hangup"},  # the recogniser never opened: nothing was used
        {"told_ms": [59_000], "reason": "crash"},
        {"told_ms": [30_000, 29_000], "resumed": 1, "reason": "caller-hangup"},
    ],
)
def test_where_every_stream_has_told_nothing_is_estimated(how):
    assert [line for line in a_call(**how) if line.purpose] == []
