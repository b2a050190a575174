"""Inputs that would poison a queue: each ends parked with its reason, waits, or is made harmless; none raises, and none holds up others."""

import gzip
import hashlib
import os
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone
from starlette.responses import Response

from agents.models import AgentVersion
from calls import commands, dispatch, queries
from calls.models import Attempt, CallLog, Job, Recording, Session
from calls.tasks import account, analyse, sweep_jobs, transcribe_recording, upload_recording
from simulator import deepgram, storage
from simulator.state import SimulatorState
from simulator.storage.settings import StorageSettings
from telephony import tasks
from tests.calls import made_calls as made
from tests.calls.made_audio import mp3, wav
from tests.providers.exotel.conftest import Peer
from tests.simulator.serving import Served, served

pytestmark = pytest.mark.django_db
PATH = "/exotelrecordings/exampleco1/x.wav"
QUEUED, PARKED, DONE = Job.State.QUEUED, Job.State.PARKED, Job.State.DONE


@pytest.fixture
def session(peer: Peer, settings, tmp_path) -> Session:
    """A call that is over; Exotel has named its recording."""
    settings.EXOTEL_BASE_URL, settings.RECORDING_SPOOL_DIR = peer.root, tmp_path / "spool"
    return a_call(peer)


def a_call(peer: Peer) -> Session:
    session = made.talking_call(made.agent_of(made.operator(), language="en-US"))
    made.end(session)
    report = commands.CarrierReport(recording_url=peer.root + PATH)
    commands.apply_carrier_report(session=session, report=report, source="carrier", key="named")
    commands.note_poll(session=session, next_at=None)
    return session


def run(task, session: Session) -> Job:
    job = Job.objects.get(session=session, kind=task.name)
    Job.objects.filter(pk=job.pk).update(run_at=timezone.now() - timedelta(seconds=1))
    task(job.pk)
    return Job.objects.get(pk=job.pk)


CHUNKED = {"transfer_encoding": "chunked", "content_length": "10"}
HUGE_CHUNK = b"%x\r\n" % 2_000_000 + wav(lasts_ms=100)[:44] + bytes(1_999_956) + b"\r\n0\r\n\r\n"
FETCHED = [
    ("empty file", (200, b"", {}), QUEUED, "still empty"),
    ("truncated mp3", (200, mp3(told_bytes=90_000), {}), QUEUED, "ends before"),
    ("truncated wav", (200, wav(told_bytes=90_000), {}), QUEUED, "ends before"),
    ("4 GB Content-Length", (200, wav(), {"content_length": str(4 << 30)}), PARKED, "RECORDING_MAX_BYTES"),
    ("a Content-Length beyond all numbers", (200, wav(), {"content_length": "9" * 30}), QUEUED, "broke off"),
    ("a lying Content-Length", (200, wav(), {"content_length": "500000"}), QUEUED, "broke off"),
    ("a negative Content-Length", (200, wav(), {"content_length": "-5"}), QUEUED, "broke off"),
    ("no length and no end", (200, HUGE_CHUNK, CHUNKED), PARKED, "RECORDING_MAX_BYTES"),
    ("redirect loop", (302, b"", {"location": PATH}), PARKED, "again and again"),
    ("redirect off the list", (302, b"", {"location": "http://169.254.169.254/latest/"}), PARKED, "not https"),
    ("HTML instead of audio", (200, b"<!doctype html><title>Log in</title>", {}), PARKED, "neither MP3 nor WAV"),
    ("gzip bomb", (200, gzip.compress(bytes(50 << 20)), {"content_encoding": "gzip"}), PARKED, "neither MP3 nor WAV"),
    ("wrong magic", (200, b"\xff\xf1\x50\x80" + bytes(4000), {}), PARKED, "neither MP3 nor WAV"),
    ("zero channels", (200, wav(told_channels=0), {}), PARKED, "no playable audio"),
    ("65,535 channels", (200, wav(told_channels=65_535 // 2), {}), PARKED, "no playable audio"),
    ("a header and nothing else", (200, b"RIFF\xff\xff\xff\xffWAVE", {}), PARKED, "no playable audio"),
    ("a tag larger than the file", (200, b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(50), {}), PARKED, "no playable audio"),
    ("403", (403, b"", {}), PARKED, "permit"),
    ("401", (401, b"", {}), PARKED, "EXOTEL_API_KEY"),
]


@pytest.mark.parametrize(("answer", "state", "word"), [one[1:] for one in FETCHED], ids=[one[0] for one in FETCHED])
def test_a_poisonous_recording(session, peer, settings, answer, state, word):
    settings.RECORDING_MAX_BYTES = 1_000_000
    status, body, headers = answer
    peer.answer(PATH, status, body, **headers)
    job = run(tasks.fetch_recording, session)
    assert job.state == state, job.last_error
    assert word in job.last_error
    assert list(settings.RECORDING_SPOOL_DIR.glob("*")) == [], "nothing half stays behind"
    if state == PARKED:
        assert Job.objects.filter(session=session, kind="calls.account").exists(), "the call's known costs are accounted all the same"


def test_what_fails_five_times_is_parked(session, peer):
    peer.answer(PATH, 200, mp3(told_bytes=90_000))
    states = [run(tasks.fetch_recording, session).state for _ in range(5)]
    assert states == [QUEUED] * 4 + [PARKED]


def test_a_disk_that_is_full_is_waited_for_and_then_a_persons_work(session, peer, settings):
    """/dev/full takes the place of the part that would be written: the kernel itself says that there is no space."""
    peer.answer(PATH, 200, wav())
    settings.RECORDING_SPOOL_DIR.mkdir()
    part = settings.RECORDING_SPOOL_DIR / f".{session.session_id}.audio.{os.getpid()}.part"
    part.symlink_to("/dev/full")
    job = run(tasks.fetch_recording, session)
    assert (job.state, job.attempts) == (QUEUED, 0), "a full disk uses up no attempt"
    assert "Make room" in job.last_error
    assert not part.is_symlink()
    assert run(tasks.fetch_recording, session).state == DONE

    late = a_call(peer)
    part = settings.RECORDING_SPOOL_DIR / f".{late.session_id}.audio.{os.getpid()}.part"
    part.symlink_to("/dev/full")
    Job.objects.filter(session=late).update(created_at=timezone.now() - timedelta(days=2))
    assert run(tasks.fetch_recording, late).state == PARKED


def test_room_is_looked_for_before_anything_is_written(session, peer, settings, monkeypatch):
    monkeypatch.setattr("providers.exotel.recordings._SPARE_BYTES", 1 << 60)
    peer.answer(PATH, 200, wav())
    job = run(tasks.fetch_recording, session)
    assert (job.state, "Make room" in job.last_error) == (QUEUED, True)


# --- what the transcriber and the store may answer -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    state = SimulatorState(scratch=tmp_path_factory.mktemp("simulator"))
    with served(state, [*storage.routes(state), *deepgram.routes(state)]) as server:
        yield server


@pytest.fixture
def spooled(session: Session, peer, outside: Served, settings) -> Session:
    """Its recording is on this machine."""
    outside.state.faults.clear()
    settings.RECORDING_STORE = replace(settings.RECORDING_STORE, endpoint_url=f"{outside.http}/s3")
    settings.DEEPGRAM_BASE_URL = f"{outside.http}/deepgram"
    queries.storage().ensure_bucket()
    peer.answer(PATH, 200, wav())
    assert run(tasks.fetch_recording, session).state == DONE
    return session


def transcript(*, duration=1.0, channels=2, request_id="req-1", **utterance) -> dict:
    said = {"start": 0.1, "end": 0.5, "channel": 0, "confidence": 0.9, "transcript": "hello", "words": [], "id": "u", **utterance}
    told = {
        "request_id": request_id,
        "duration": duration,
        "channels": channels,
        "created": "2026-11-22T00:00:00Z",
        "sha256": "",
        "models": [],
    }
    return {
        "metadata": told,
        "results": {"channels": [{"alternatives": [{"transcript": "hello", "confidence": 0.9, "words": []}]}], "utterances": [said]},
    }


HEARD = [
    ("a negative length", transcript(duration=-3.0)),
    ("a length of years", transcript(duration=1e9)),
    ("zero channels", transcript(channels=0)),
    ("a negative channel", transcript(channel=-1)),
    ("an utterance before the beginning", transcript(start=-1.0)),
    ("an utterance that ends before it begins", transcript(start=2.0, end=1.0)),
    ("a list", []),
    ("another object", {"error": "no"}),
]


@pytest.mark.parametrize("answer", [one[1] for one in HEARD], ids=[one[0] for one in HEARD])
def test_an_absurd_transcript_is_parked_after_one_paid_request(spooled, monkeypatch, answer):
    monkeypatch.setattr(deepgram, "batch_answer", lambda *_: answer)
    run(upload_recording, spooled)
    job = run(transcribe_recording, spooled)
    assert (job.state, "unreadable" in job.last_error) == (PARKED, True), job.last_error
    assert list(Attempt.objects.values_list("outcome", flat=True)) == ["failed"]
    assert Recording.objects.get(session=spooled).transcript is None


@pytest.mark.parametrize(
    "body", [b'{"metadata": "\xff\xfe"}', b"<html>busy</html>", b'{"metadata": ', b""], ids=["bytes", "html", "cut", "empty"]
)
def test_a_transcript_that_is_no_json_is_parked(spooled, monkeypatch, body):
    monkeypatch.setattr(deepgram, "_answer", lambda *_: Response(body, media_type="application/json"))
    run(upload_recording, spooled)
    job = run(transcribe_recording, spooled)
    assert (job.state, "unreadable" in job.last_error or "no API" in job.last_error) == (PARKED, True), job.last_error


def test_a_transcript_without_end_is_parked(spooled, monkeypatch):
    answer = transcript()
    answer["results"]["utterances"] = answer["results"]["utterances"] * 50_001
    monkeypatch.setattr("providers.deepgram.batch._MOST_ANSWER_BYTES", 1 << 20)
    monkeypatch.setattr(deepgram, "batch_answer", lambda *_: answer)
    run(upload_recording, spooled)
    job = run(transcribe_recording, spooled)
    assert (job.state, "unreadable" in job.last_error) == (PARKED, True), job.last_error


def test_nul_and_half_characters_in_a_transcript_are_taken_out(spooled, monkeypatch):
    monkeypatch.setattr(deepgram, "batch_answer", lambda *_: transcript(transcript="order\x00 4711"))
    run(upload_recording, spooled)
    assert run(transcribe_recording, spooled).state == DONE
    recording = Recording.objects.get(session=spooled)
    assert recording.transcript_text == "order 4711"
    assert [said["text"] for said in recording.transcript or ()] == ["order 4711"]


@pytest.mark.parametrize(
    "name", ["req\x00-1", "r" * 5000, "two words", "\u0939", 7, None], ids=["NUL", "long", "blank", "Hindi", "number", "none"]
)
def test_a_name_of_a_request_that_no_row_can_keep_gets_one_of_our_own(spooled, monkeypatch, name):
    monkeypatch.setattr(deepgram, "batch_answer", lambda *_: transcript(request_id=name))
    run(upload_recording, spooled)
    assert run(transcribe_recording, spooled).state == DONE
    recording = Recording.objects.get(session=spooled)
    assert recording.transcript_request_id.startswith("local-")
    assert Attempt.objects.get().request_id == recording.transcript_request_id, "one paid request, and its name is known"


def test_two_clocks_that_disagree_park_nothing(session):
    """The carrier's answer stands behind its end: a length below zero is none."""
    CallLog.objects.filter(session=session).update(duration_s=None, answered_at=timezone.now() + timedelta(hours=1))
    dispatch.enqueue("calls.account", session)
    assert run(account, session).state == DONE


def test_what_the_database_refuses_is_told_in_words_for_an_operator(session, monkeypatch):
    monkeypatch.setattr("calls.analysing.analyse", lambda *_: partial(commands.recording_missing, session, "a reason with a \x00"))
    dispatch.enqueue("calls.analyse", session)
    for _ in range(5):
        job = run(analyse, session)
    assert job.state == PARKED
    assert "NUL character" in job.last_error and "Error" not in job.last_error


def test_a_bucket_that_is_not_there_is_a_persons_work(spooled, outside, settings, monkeypatch):
    settings.RECORDING_STORE = replace(settings.RECORDING_STORE, bucket="nowhere")
    before = outside.state.part(StorageSettings, StorageSettings)
    monkeypatch.setitem(outside.state._parts, StorageSettings, replace(before, creates_buckets=False))
    job = run(upload_recording, spooled)
    assert (job.state, "bucket" in job.last_error) == (PARKED, True), job.last_error


def test_a_store_that_forbids_is_a_persons_work(spooled, outside):
    outside.state.faults.add({"target": "s3.put", "fault": "status", "status": 403})
    job = run(upload_recording, spooled)
    assert (job.state, "permissions" in job.last_error) == (PARKED, True), job.last_error


# --- what another release may have left ------------------------------------------------------------------------------------------


def test_messages_of_another_release_do_no_harm(session):
    job = dispatch.enqueue("calls.account", session)
    for arguments in [(), ("sess_x",), (None,), (-1,), (2**80,), ({"job": job.pk},), (str(job.pk),)]:
        account(*arguments)
        assert Job.objects.get(pk=job.pk).attempts == 0
    account(job.pk, "priority", countdown=3)
    assert Job.objects.get(pk=job.pk).state == DONE


def test_a_job_of_a_kind_that_nobody_knows_is_parked_once_no_newer_release_takes_it(session):
    fresh = Job.objects.create(kind="calls.of_tomorrow", session=session)
    sweep_jobs()
    assert Job.objects.get(pk=fresh.pk).state == QUEUED, "a newer release may be on its way"
    Job.objects.filter(pk=fresh.pk).update(run_at=timezone.now() - timedelta(hours=2))
    sweep_jobs()
    job = Job.objects.get(pk=fresh.pk)
    assert (job.state, "knows no work" in job.last_error) == (PARKED, True)


def test_a_version_of_an_older_release_is_read_and_a_broken_one_is_parked(session):
    old = {name: value for name, value in session.agent_version.spec.items() if name not in ("analyse_calls", "extraction_schema", "tools")}
    version = AgentVersion.objects.create(agent=session.agent, number=90, spec={**old, "a_field_of_tomorrow": 1})
    assert version.as_spec().analyse_calls
    broken = AgentVersion.objects.create(agent=session.agent, number=91, spec={"name": 7})
    Session.objects.filter(pk=session.pk).update(agent_version=broken)
    job = dispatch.enqueue("calls.analyse", session)
    Job.objects.filter(pk=job.pk).update(attempts=4)
    assert run(analyse, session).state == PARKED
    assert Job.objects.filter(session=session, kind="calls.account").exists()


def test_good_calls_beside_poison_go_the_whole_way(spooled, peer):
    """The same worker, one after the other: what poison leaves behind is nobody else's trouble."""
    for _name, (status, body, headers), _state, _word in FETCHED[:8]:
        bad = a_call(peer)
        peer.answers[PATH] = [(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)]
        run(tasks.fetch_recording, bad)
    for task in (upload_recording, transcribe_recording, account):
        assert run(task, spooled).state == DONE
    digest = hashlib.sha256(wav()).hexdigest()
    stored = queries.storage().head(f"recordings/{spooled.session_id}.wav")
    assert stored is not None
    assert (Recording.objects.get(session=spooled).sha256, stored.sha256) == (digest, digest)
