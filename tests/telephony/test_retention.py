"""Recordings that are kept no longer: ordered by the agent's setting, deleted in every version, and proved."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Agent
from calls import commands, queries
from calls.models import Job, Recording, RecordingDeletion, Session
from calls.tasks import tidy_recordings
from simulator import storage
from simulator.state import SimulatorState
from telephony import tasks
from tests.calls import made_calls as made
from tests.calls.made_audio import wav
from tests.simulator.serving import Served, served

pytestmark = pytest.mark.django_db
KIND = "telephony.delete_recording"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    state = SimulatorState(scratch=tmp_path_factory.mktemp("simulator"))
    with served(state, storage.routes(state)) as server:
        yield server


@pytest.fixture
def session(shelf: Served, settings, tmp_path) -> Session:
    """A call of ten days ago whose recording is stored, in a bucket that keeps versions."""
    shelf.state.faults.clear()
    settings.RECORDING_SPOOL_DIR = tmp_path / "spool"
    settings.RECORDING_STORE = replace(settings.RECORDING_STORE, endpoint_url=f"{shelf.http}/s3", bucket="kept")
    store = queries.storage()
    store.ensure_bucket()
    store._client.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    session = made.talking_call(made.agent_of(made.operator()))
    made.end(session)
    Session.objects.filter(pk=session.pk).update(created_at=timezone.now() - timedelta(days=10))
    for body in (wav(), wav(1)):
        store._client.put_object(Bucket="kept", Key=f"recordings/{session.session_id}.wav", Body=body)
    commands.recording_stored(session, bucket="kept", key=f"recordings/{session.session_id}.wav", size_bytes=1, sha256="0" * 64)
    return session


def keep_for(session: Session, days: int | None) -> None:
    Agent.objects.filter(pk=session.agent_id).update(recording_retention_days=days)


def job_of(session: Session) -> Job | None:
    return Job.objects.filter(session=session, kind=KIND).first()


def run(session: Session) -> Job:
    Job.objects.filter(session=session, kind=KIND).update(run_at=timezone.now() - timedelta(seconds=1))
    job = Job.objects.get(session=session, kind=KIND)
    tasks.delete_recording(job.pk)
    return Job.objects.get(pk=job.pk)


@pytest.mark.parametrize(("days", "due"), [(None, False), (11, False), (9, True)])
def test_what_is_due_follows_the_agents_present_setting(session, days, due):
    keep_for(session, days)
    tidy_recordings()
    assert (job_of(session) is not None) is due


def test_every_version_goes_and_the_proof_says_which_and_what_the_carrier_keeps(session):
    keep_for(session, 9)
    tidy_recordings()
    key = Recording.objects.get(session=session).key
    assert run(session).state == Job.State.DONE
    assert (queries.storage().versions(key), queries.storage().head(key)) == ([], None)
    proof = RecordingDeletion.objects.get(session=session)
    assert (proof.key, proof.bucket, proof.found_after) == (key, "kept", False)
    assert len(proof.versions) == 2 and all(one["version_id"] for one in proof.versions)
    assert "9 days" in proof.reason and "keeps its own copy" in proof.carrier
    recording = Recording.objects.get(session=session)
    assert (recording.state, recording.key) == (Recording.State.DELETED, "")
    assert queries.recording_link(session) is None


def test_the_page_and_the_api_show_the_proof(session, client):
    keep_for(session, 9)
    tidy_recordings()
    run(session)
    client.force_login(session.owner)
    assert "keeps its own copy" in client.get(f"/calls/{session.session_id}/").content.decode()
    shown = client.get(f"/api/v1/calls/{session.session_id}/").json()["recording"]
    assert (shown["state"], len(shown["deletions"][0]["versions"])) == ("deleted", 2)


def test_a_deletion_that_is_repeated_still_tells_of_every_version(session):
    """Killed between deleting and writing: whoever finishes it finds nothing there any more."""
    keep_for(session, 9)
    tidy_recordings()
    key = Recording.objects.get(session=session).key
    versions = queries.storage().versions(key)
    commands.recording_deletion_begun(session, [{"version_id": one.version_id, "is_marker": False} for one in versions])
    queries.storage().delete_for_good(key, versions)
    run(session)
    assert len(RecordingDeletion.objects.get(session=session).versions) == 2


def test_storage_that_refuses_leaves_the_recording_as_it_is(session, shelf):
    keep_for(session, 9)
    tidy_recordings()
    shelf.state.faults.add({"target": "s3.delete", "fault": "status", "status": 403})
    assert run(session).state == Job.State.PARKED
    assert Recording.objects.get(session=session).state == Recording.State.STORED
    assert not RecordingDeletion.objects.exists()


def test_a_retention_that_is_taken_back_in_time_saves_the_recording_and_counts_again_later(session):
    keep_for(session, 9)
    tidy_recordings()
    keep_for(session, None)
    assert run(session).state == Job.State.DONE
    assert Recording.objects.get(session=session).state == Recording.State.STORED
    keep_for(session, 9)
    tidy_recordings()
    run(session)
    assert Recording.objects.get(session=session).state == Recording.State.DELETED


def test_a_deleted_recording_is_never_fetched_stored_or_listened_to_again(session):
    keep_for(session, 9)
    tidy_recordings()
    run(session)
    report = commands.CarrierReport(recording_url="https://recordings.exotel.com/exotelrecordings/a/b.wav")
    commands.apply_carrier_report(session=session, report=report, source="carrier", key="late")
    commands.recording_fetched(session, path="/x", size_bytes=1, sha256="0" * 64, content_type="audio/wav")
    commands.recording_lost(session)
    assert Recording.objects.get(session=session).state == Recording.State.DELETED


def test_local_copies_that_nobody_needs_go_and_uploads_that_were_never_finished_are_aborted_after_a_day(session, settings, monkeypatch):
    directory = settings.RECORDING_SPOOL_DIR
    directory.mkdir()
    needed, left, part = directory / "sess_needed.audio", directory / "sess_left.audio", directory / ".sess_left.audio.1.part"
    for path in (needed, left, part):
        path.write_bytes(b"audio")
    Recording.objects.filter(session=session).update(spool_path=str(needed))
    queries.storage()._client.create_multipart_upload(Bucket="kept", Key="recordings/sess_left.wav")
    tidy_recordings()
    assert left.exists(), "whoever works on it may still need it today"
    monkeypatch.setattr("calls.tasks.ORPHAN_AFTER_S", -60)
    tidy_recordings()
    assert [path.name for path in directory.iterdir()] == ["sess_needed.audio"]
    assert queries.storage().abort_orphans("recordings/") == 0
