"""Everything that can happen to one call, at the same moment: nobody deadlocks, nothing is charged twice, one end stands."""

import random
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.utils import timezone

from calls import commands, dispatch
from calls.jobs import run_job
from calls.models import CallEvent, CallLog, Charge, Job, Session, UsageLine
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db(transaction=True)


def happenings(session: Session, token: str, sid: str) -> list:
    def report(key: str, **facts):
        return lambda: commands.apply_carrier_report(session=session, report=commands.CarrierReport(**facts), source="carrier", key=key)

    def account() -> None:
        job = dispatch.enqueue("calls.account", session, again=True)
        run_job(job.pk, job.kind, lambda s, j: lambda: commands.account(s), 5)

    return [
        lambda: commands.claim_media(token_id=token, call_sid=sid, stream_sid="stream"),
        lambda: commands.claim_media(token_id=token, call_sid=sid, stream_sid="stream-again"),
        lambda: commands.request_hangup(session, by="asha"),
        lambda: commands.end_session(session.session_id, reason="caller-hangup", at=timezone.now()),
        lambda: commands.end_session(session.session_id, reason="operator-hangup", at=timezone.now()),
        report("ringing", status="ringing"),
        report("done", status="completed", duration_s=30),
        report("busy", status="busy"),
        report("recording", recording_url="https://recordings.example/a.mp3"),
        report("price", status="completed", price=Decimal("1.20"), currency="INR"),
        lambda: commands.note_poll(session=session, next_at=None),
        lambda: commands.begin_settlement(session),
        lambda: commands.recording_fetched(session, path="/nowhere", size_bytes=1, sha256="0" * 64, content_type="audio/wav"),
        lambda: commands.recording_stored(session, bucket="b", key="k", size_bytes=1, sha256="0" * 64),
        lambda: commands.recording_missing(session, "there is none"),
        lambda: made.use(session),
        lambda: made.use(session),
        account,
        account,
        lambda: commands.sweep_silent_sessions(),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_at_once_leaves_one_consistent_call(seed):
    session = made.ringing_call(made.agent_of(made.operator()))
    token, sid = commands.issue_media_token(session), session.call_log.call_sid or ""
    todo = happenings(session, token, sid) * 2
    random.Random(seed).shuffle(todo)
    start, failures = Barrier(8), []

    def work(share: list) -> None:
        start.wait(60)
        try:
            for happening in share:
                happening()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failures.append(error)
        finally:
            connection.close()

    threads = [Thread(target=work, args=(todo[number::8],)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []

    log = CallLog.objects.get(session=session)
    assert log.status == "completed"
    assert CallEvent.objects.filter(session=session, kind="status-changed", facts__to="completed").count() == 1
    assert Session.objects.get(pk=session.pk).state == Session.State.ENDED
    assert UsageLine.objects.filter(session=session, kind="tts").count() == 1
    for job in Job.objects.filter(session=session, kind="calls.account"):
        Job.objects.filter(pk=job.pk).update(state=Job.State.QUEUED, run_at=timezone.now())
        run_job(job.pk, job.kind, lambda s, j: lambda: commands.account(s), 5)
    uses = UsageLine.objects.filter(session=session).count()
    assert Charge.objects.filter(session=session, part="").count() == uses
    assert Charge.ever.filter(session=session, part="", supersedes=None).count() == uses
    assert Charge.objects.filter(session=session, part="tax").count() == 1
