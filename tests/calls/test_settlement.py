"""After the call, step by step, against the simulator's object store and recogniser over real sockets."""

import asyncio
import hashlib
import wave
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import httpx
import numpy as np
import pytest
from django.utils import timezone

from calls import commands, dispatch, queries
from calls.models import Attempt, CallLog, Charge, Job, Recording, Session, UsageLine
from calls.tasks import account, transcribe_recording, upload_recording
from simulator import deepgram, storage
from simulator.speech import load
from simulator.state import SimulatorState
from tests.calls import made_calls as made
from tests.simulator.serving import Served, served

pytestmark = pytest.mark.django_db

RATE_HZ = 8000
CALLER_SAID, AGENT_SAID = "I need an appointment", "Tomorrow at ten is free"


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    state = SimulatorState(scratch=tmp_path_factory.mktemp("simulator"))
    with served(state, [*storage.routes(state), *deepgram.routes(state)]) as server:
        yield server


@pytest.fixture(autouse=True)
def addresses(outside: Served, settings) -> None:
    outside.state.faults.clear()
    settings.RECORDING_STORE = replace(settings.RECORDING_STORE, endpoint_url=f"{outside.http}/s3")
    settings.DEEPGRAM_BASE_URL = f"{outside.http}/deepgram"
    queries.storage().ensure_bucket()


@pytest.fixture(scope="module")
def stereo(tmp_path_factory):
    """Both sides of a talk, the caller left, the agent right, in words that a recogniser can hear."""
    speech = load("tones")
    left, right = (np.frombuffer(asyncio.run(speech.synthesise(text, RATE_HZ)), dtype="<i2") for text in (CALLER_SAID, AGENT_SAID))
    quiet = np.zeros(RATE_HZ, dtype="<i2")
    left, right = (
        np.concatenate([quiet, left, quiet, np.zeros_like(right), quiet]),
        np.concatenate([quiet, np.zeros_like(left), quiet, right, quiet]),
    )
    path = tmp_path_factory.mktemp("recordings") / "stereo.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.column_stack((left, right)).tobytes())
    return path


@pytest.fixture
def session() -> Session:
    """A call that is over, whose carrier has told everything."""
    session = made.talking_call(made.agent_of(made.operator(), language="en-US"))
    made.use(session)
    made.end(session)
    commands.note_poll(session=session, next_at=None)
    return session


@pytest.fixture
def spool(session, stereo, tmp_path):
    """The recording as the fetching step leaves it."""
    path = tmp_path / f"{session.session_id}.audio"
    path.write_bytes(stereo.read_bytes())
    Job.objects.filter(session=session, kind="telephony.fetch_recording").update(state=Job.State.DONE)
    commands.recording_fetched(
        session,
        path=str(path),
        size_bytes=path.stat().st_size,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        content_type="audio/wav",
    )
    return path


def run(task, session: Session) -> Job:
    job = Job.objects.get(session=session, kind=task.name)
    Job.objects.filter(pk=job.pk).update(run_at=timezone.now() - timedelta(seconds=1))
    task(job.pk)
    return Job.objects.get(pk=job.pk)


def state_of(session: Session, kind: str) -> str:
    return Job.objects.get(session=session, kind=kind).state


def test_a_recording_goes_to_storage_to_its_transcript_and_to_the_bill(session, spool, django_capture_on_commit_callbacks):
    assert run(upload_recording, session).state == Job.State.DONE
    recording = Recording.objects.get(session=session)
    assert (recording.state, recording.key) == (Recording.State.STORED, f"recordings/{session.session_id}.wav")
    assert spool.exists(), "the local copy is needed for the transcript"

    with django_capture_on_commit_callbacks(execute=True):
        assert run(transcribe_recording, session).state == Job.State.DONE
    recording.refresh_from_db()
    assert [(said["channel"], said["text"].lower().strip(".")) for said in recording.transcript or ()] == [
        (0, CALLER_SAID.lower()),
        (1, AGENT_SAID.lower()),
    ]
    assert recording.channels == 2
    assert not spool.exists()
    heard = UsageLine.objects.filter(session=session, kind="transcription").order_by("id")
    assert [line.quantity for line in heard] == 2 * [recording.duration_ms], "each channel for the whole length"
    assert [line.evidence for line in heard] == [recording.transcript_request_id, f"{recording.transcript_request_id}:channel2"]
    assert list(Attempt.objects.filter(job__session=session).values_list("number", "outcome")) == [(1, "ok")]

    assert run(account, session).state == Job.State.DONE
    assert CallLog.objects.get(session=session).settled_at is not None
    summary = queries.charges_summary(session)
    assert len(summary.lines) == 8
    assert (summary.totals["INR"], [tax.amount for tax in summary.taxes]) == (Decimal("1.416"), [Decimal("0.216")])
    transcription = Decimal("0.0043") * sum(line.quantity for line in heard) / 60_000
    others = Decimal("0.0048") * 84 / 60 + Decimal("0.1") * 1204 / 10**6 + Decimal("0.5") * 156 / 10**6 + Decimal("0.05") * 642 / 1000
    assert summary.totals["USD"] == pytest.approx(transcription + others, abs=Decimal("0.000000005"))
    assert summary.unpriced == 1


def test_live_turns_are_found_in_the_recording_and_those_that_are_not_say_so(session, spool, client):
    def say(number: int, speaker: str, text: str, started_ms: int) -> None:
        commands.add_turn(session=session, number=number, speaker=speaker, text=text, started_ms=started_ms, ended_ms=started_ms + 1500)

    say(0, "caller", CALLER_SAID, 400)
    say(1, "agent", AGENT_SAID, 4000)
    say(2, "agent", "Have a nice day", 60_000)
    run(upload_recording, session)
    run(transcribe_recording, session)
    alignment = Recording.objects.get(session=session).alignment
    assert alignment is not None
    assert alignment["names"] == {"c0": "caller", "c1": "agent"}
    assert [(turn["number"], turn["heard"]) for turn in alignment["turns"]] == [(0, True), (1, True), (2, False)]
    client.force_login(session.owner)
    page = client.get(f"/calls/{session.session_id}/").content.decode()
    assert page.count("not in the recording") == 1
    assert '<span class="channel">Caller</span>' in page
    assert queries.said(session)[-1] == ("agent", "Have a nice day", {"speaker": "agent", "number": 2})


def test_what_only_the_recording_heard_is_read_between_the_turns(session, spool):
    commands.add_turn(session=session, number=0, speaker="caller", text=CALLER_SAID, started_ms=400, ended_ms=1900)
    run(upload_recording, session)
    run(transcribe_recording, session)
    assert [(who, "at_ms" in turn) for who, _text, turn in queries.said(session)] == [("caller", False), ("somebody", True)]


def test_the_stored_recording_is_private_and_played_by_a_link(session, spool):
    run(upload_recording, session)
    link = queries.recording_link(session)
    assert link is not None
    assert httpx.get(link).content == spool.read_bytes()
    assert httpx.get(link.split("?")[0]).status_code == 403
    assert queries.recording_link(session) == link, "a link is reused while it is fresh"


def test_there_is_no_link_before_there_is_a_recording(session):
    assert queries.recording_link(session) is None


def test_a_store_that_fails_is_asked_again_later(session, spool, outside, settings):
    outside.state.faults.add({"target": "s3.put", "fault": "status", "status": 503, "times": 20})
    job = run(upload_recording, session)
    assert (job.state, job.attempts) == (Job.State.QUEUED, 1)
    assert "storage" in job.last_error
    outside.state.faults.clear()
    assert run(upload_recording, session).state == Job.State.DONE


def test_a_missing_bucket_setting_is_a_persons_work(session, spool, settings):
    settings.RECORDING_STORE = replace(settings.RECORDING_STORE, bucket="")
    job = run(upload_recording, session)
    assert job.state == Job.State.PARKED
    assert "AWS_S3_BUCKET" in job.last_error


@pytest.mark.parametrize("task", [upload_recording, transcribe_recording])
@pytest.mark.parametrize("accident", ["gone", "cut short"])
def test_a_local_copy_that_is_gone_or_cut_short_is_fetched_again(session, spool, task, accident):
    if task is transcribe_recording:
        run(upload_recording, session)
    if accident == "gone":
        spool.unlink()
    else:
        spool.write_bytes(spool.read_bytes()[:-1])
    assert run(task, session).state == Job.State.DONE
    assert state_of(session, "telephony.fetch_recording") == Job.State.QUEUED
    assert not Attempt.objects.filter(job__session=session).exists()


def test_after_being_fetched_again_the_recording_goes_the_whole_way(session, spool, stereo):
    run(upload_recording, session)
    spool.unlink()
    run(transcribe_recording, session)
    spool.write_bytes(stereo.read_bytes())
    digest = hashlib.sha256(stereo.read_bytes()).hexdigest()
    Job.objects.filter(session=session, kind="telephony.fetch_recording").update(state=Job.State.DONE)
    commands.recording_fetched(session, path=str(spool), size_bytes=spool.stat().st_size, sha256=digest, content_type="audio/wav")
    assert run(upload_recording, session).state == Job.State.DONE
    assert run(transcribe_recording, session).state == Job.State.DONE
    assert Recording.objects.get(session=session).transcript


def test_a_spool_that_loses_every_copy_is_a_persons_work(session, spool):
    spool.unlink()
    for _ in range(5):
        run(upload_recording, session)
        Job.objects.filter(session=session, kind="telephony.fetch_recording").update(state=Job.State.DONE)
        commands.recording_fetched(session, path=str(spool), size_bytes=1, sha256="0" * 64, content_type="audio/wav")
    job = run(upload_recording, session)
    assert job.state == Job.State.PARKED
    assert "RECORDING_SPOOL_DIR" in job.last_error


def test_each_paid_try_leaves_its_trace_and_only_success_is_charged(session, spool, outside):
    run(upload_recording, session)
    outside.state.faults.add({"target": "deepgram.batch", "fault": "status", "status": 500, "times": 2})
    for tried in (1, 2):
        assert run(transcribe_recording, session).attempts == tried
    assert run(transcribe_recording, session).state == Job.State.DONE
    assert list(Attempt.objects.filter(job__session=session).values_list("outcome", flat=True)) == ["failed", "failed", "ok"]
    assert UsageLine.objects.filter(session=session, kind="transcription").count() == 2


def test_a_request_whose_end_nobody_saw_is_a_line_of_its_own(session, spool):
    run(upload_recording, session)
    job = Job.objects.get(session=session, kind="calls.transcribe_recording")
    Attempt.objects.create(job=job, number=1, provider="deepgram")  # its worker was killed before the answer came
    assert run(transcribe_recording, session).state == Job.State.DONE
    for _ in range(2):
        run(account, session)
        Job.objects.filter(session=session, kind="calls.account").update(state=Job.State.QUEUED)
    lines = UsageLine.objects.filter(session=session, kind="transcription").order_by("id")
    assert [line.purpose for line in lines] == ["", "", "unseen", "unseen"]
    assert [line.quantity for line in lines[:2]] == [line.quantity for line in lines[2:]]
    assert len({line.charge.amount for line in lines if line.charge}) == 1


def test_an_answer_that_was_paid_and_then_lost_is_counted_with_the_one_that_took_its_place(session, spool, monkeypatch):
    run(upload_recording, session)
    with monkeypatch.context() as broken:
        broken.setattr("calls.commands.settlement.transcription_over", None)
        assert run(transcribe_recording, session).state == Job.State.QUEUED
    assert not Recording.objects.get(session=session).transcript
    assert run(transcribe_recording, session).state == Job.State.DONE
    run(account, session)
    attempts = Attempt.objects.filter(job__session=session, job__kind="calls.transcribe_recording")
    assert list(attempts.values_list("outcome", flat=True)) == ["ok", "ok"]
    lines = UsageLine.objects.filter(session=session, kind="transcription")
    assert [line.purpose for line in lines] == [""] * 4
    assert {line.evidence.partition(":channel")[0] for line in lines} == set(attempts.values_list("request_id", flat=True))


def test_a_recogniser_without_a_key_is_a_persons_work_and_the_known_costs_are_accounted(session, spool, settings):
    run(upload_recording, session)
    settings.DEEPGRAM_API_KEY = ""
    job = run(transcribe_recording, session)
    assert job.state == Job.State.PARKED
    assert "DEEPGRAM_API_KEY" in job.last_error
    assert run(account, session).state == Job.State.DONE
    assert CallLog.objects.get(session=session).settled_at is None
    assert queries.charges_summary(session).totals["INR"] == Decimal("1.416")

    settings.DEEPGRAM_API_KEY = "sim-deepgram"
    commands.retry_job(job)
    assert run(transcribe_recording, session).state == Job.State.DONE
    assert run(account, session).state == Job.State.DONE
    assert CallLog.objects.get(session=session).settled_at is not None
    assert UsageLine.objects.filter(session=session, kind="transcription", charge__amount__isnull=False).count() == 2


def test_steps_that_run_twice_charge_once(session, spool):
    for task in (upload_recording, transcribe_recording, account):
        for _ in range(2):
            run(task, session)
            Job.objects.filter(session=session, kind=task.name).update(state=Job.State.QUEUED)
    assert Attempt.objects.filter(job__session=session).count() == 1
    lines = UsageLine.objects.filter(session=session)
    assert Charge.ever.filter(session=session, part="").count() == lines.count() == 8
    assert Charge.ever.filter(session=session, part="tax").count() == 1


# --- accounting ----------------------------------------------------------------------------------------------------------------


def accountable(**how) -> Session:
    session = made.talking_call(made.agent_of(made.operator(), record_calls=False), **how)
    made.use(session)
    return session


def test_accounting_waits_for_the_talk_to_end_and_for_the_carriers_price():
    session = accountable()
    dispatch.enqueue("calls.account", session)
    assert "still running" in run(account, session).last_error
    commands.end_session(session.session_id, reason="agent-goodbye", at=timezone.now())
    commands.apply_carrier_report(
        session=session, report=commands.CarrierReport(status="completed", duration_s=84), source="carrier", key="end"
    )
    waiting = run(account, session)
    assert (waiting.state, waiting.attempts) == (Job.State.QUEUED, 0)
    assert "price" in waiting.last_error
    assert not Charge.objects.filter(session=session).exists()


def test_a_price_that_is_told_ends_the_waiting_at_once():
    session = accountable()
    commands.end_session(session.session_id, reason="agent-goodbye", at=timezone.now())
    commands.apply_carrier_report(session=session, report=commands.CarrierReport(status="completed"), source="carrier", key="end")
    run(account, session)
    assert Job.objects.get(session=session).run_at > timezone.now()
    report = commands.CarrierReport(price=Decimal("2.40"), currency="INR", duration_s=200)
    commands.apply_carrier_report(session=session, report=report, source="carrier", key="price")
    assert Job.objects.get(session=session).run_at <= timezone.now()


def test_a_price_that_never_comes_leaves_telephony_unpriced_and_the_call_settled():
    session = accountable()
    commands.end_session(session.session_id, reason="agent-goodbye", at=timezone.now())
    commands.apply_carrier_report(session=session, report=commands.CarrierReport(status="completed"), source="carrier", key="end")
    commands.note_poll(session=session, next_at=None)
    assert run(account, session).state == Job.State.DONE
    line = UsageLine.objects.get(session=session, kind="telephony")
    unknown = line.charge
    assert unknown is not None
    assert (unknown.amount, unknown.currency) == (None, "")
    assert queries.charges_summary(session).unpriced == 2

    late = commands.CarrierReport(price=Decimal("0.60"), currency="INR")
    commands.apply_carrier_report(session=session, report=late, source="carrier", key="late")
    assert run(account, session).state == Job.State.DONE
    assert queries.charges_summary(session).totals["INR"] == Decimal("0.708")
    live = Charge.objects.get(session=session, usage_line=line, part="")
    assert live.supersedes == unknown, "what was said before stays in the books"


def test_usage_that_comes_after_the_bill_is_billed_too():
    session = accountable()
    made.end(session)
    commands.note_poll(session=session, next_at=None)
    run(account, session)
    made.use(session, "late")
    assert run(account, session).state == Job.State.DONE
    assert Charge.objects.filter(session=session, part="").count() == 11
