"""The job that draws a recording: from the local copy, else from storage, and never in anybody's way. Real store, real sockets."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from django.utils import timezone

from calls import commands, queries
from calls.models import CallLog, Job, Recording, Session, Waveform
from calls.tasks import account, draw_recording, upload_recording
from simulator import storage
from simulator.state import SimulatorState
from tests.calls import made_audio
from tests.calls import made_calls as made
from tests.simulator.serving import Served, served

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    state = SimulatorState(scratch=tmp_path_factory.mktemp("simulator"))
    with served(state, storage.routes(state)) as server:
        yield server


@pytest.fixture(autouse=True)
def addresses(outside: Served, settings, tmp_path) -> None:
    outside.state.faults.clear()
    settings.RECORDING_STORE = replace(settings.RECORDING_STORE, endpoint_url=f"{outside.http}/s3")
    settings.RECORDING_SPOOL_DIR = tmp_path / "spool"
    queries.storage().ensure_bucket()


@pytest.fixture
def session() -> Session:
    session = made.talking_call(made.agent_of(made.operator()))
    made.end(session)
    commands.note_poll(session=session, next_at=None)
    return session


def store(session: Session, path: Path, content: bytes) -> None:
    """The recording as upload leaves it: in storage, the local copy still there."""
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    commands.recording_fetched(session, path=str(path), size_bytes=len(content), sha256=digest, content_type="audio/wav")
    assert run(upload_recording, session).state == Job.State.DONE


def run(task, session: Session) -> Job:
    job = Job.objects.get(session=session, kind=task.name)
    Job.objects.filter(pk=job.pk).update(run_at=timezone.now() - timedelta(seconds=1))
    task(job.pk)
    return Job.objects.get(pk=job.pk)


@pytest.mark.parametrize("local_copy", ["there", "removed", "forgotten"])
def test_it_draws_what_was_stored_wherever_it_lies(session, tmp_path, settings, local_copy):
    path = tmp_path / "recording.audio"
    store(session, path, made_audio.wav(lasts_ms=500))
    if local_copy != "there":
        path.unlink()
    if local_copy == "forgotten":
        Recording.objects.filter(session=session).update(spool_path="")
    assert run(draw_recording, session).state == Job.State.DONE
    picture = Waveform.objects.get(session=session)
    assert (picture.channels, picture.duration_ms, len(picture.peaks)) == (2, 500, 20)
    assert not settings.RECORDING_SPOOL_DIR.exists() or not list(settings.RECORDING_SPOOL_DIR.iterdir())
    # Asked again it is drawn again, in the same row.
    commands.draw_waveform(session)
    assert run(draw_recording, session).state == Job.State.DONE
    assert Waveform.objects.filter(session=session).count() == 1


def test_a_recording_that_cannot_be_decoded_parks_the_picture_and_nothing_else(session, tmp_path):
    store(session, tmp_path / "recording.audio", b"ID3 nothing that plays" * 40)
    job = run(draw_recording, session)
    assert job.state == Job.State.PARKED and "plays it without a waveform" in job.last_error
    Job.objects.filter(session=session).exclude(kind__in=(draw_recording.name, account.name)).update(state=Job.State.DONE)
    commands.account(session)
    assert CallLog.objects.get(session=session).settled_at is not None


def test_a_call_is_settled_without_waiting_for_its_picture(session, tmp_path):
    store(session, tmp_path / "recording.audio", made_audio.wav())
    Job.objects.filter(session=session).exclude(kind__in=(draw_recording.name, account.name)).update(state=Job.State.DONE)
    commands.account(session)
    assert CallLog.objects.get(session=session).settled_at is not None
    assert Job.objects.get(session=session, kind=draw_recording.name).state == Job.State.QUEUED


def test_a_store_that_fails_is_tried_again(session, tmp_path, outside):
    path = tmp_path / "recording.audio"
    store(session, path, made_audio.wav())
    path.unlink()
    key = Recording.objects.get(session=session).key
    queries.storage().delete(key)
    job = run(draw_recording, session)
    assert job.state in (Job.State.QUEUED, Job.State.PARKED) and job.last_error


def test_a_deleted_recording_is_not_drawn(session, tmp_path):
    store(session, tmp_path / "recording.audio", made_audio.wav())
    Recording.objects.filter(session=session).update(state=Recording.State.DELETED)
    assert run(draw_recording, session).state == Job.State.DONE
    assert not Waveform.objects.exists()


def test_a_link_gives_any_part_of_the_recording(session, tmp_path):
    content = made_audio.wav(lasts_ms=1000)
    store(session, tmp_path / "recording.audio", content)
    link = queries.recording_link(session)
    assert link is not None
    part = httpx.get(link, headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.headers["content-range"]) == (206, f"bytes 1000-1999/{len(content)}")
    assert part.content == content[1000:2000]
    assert httpx.get(link, headers={"Range": "bytes=-10"}).content == content[-10:]
    assert httpx.get(link, headers={"Range": f"bytes={len(content)}-"}).status_code == 416
    assert httpx.get(link).headers["accept-ranges"] == "bytes"
