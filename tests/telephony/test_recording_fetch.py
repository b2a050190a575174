"""A recording on its way from Exotel to our spool: waited for, refused, given up, or fetched."""

from datetime import timedelta

import pytest
from django.utils import timezone

from calls import commands
from calls.models import CallLog, Job, Recording, Session
from telephony import tasks
from tests.calls.made_audio import wav
from tests.providers.exotel import payloads

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/exotelrecordings/simulated1/x.wav"
WAV = wav()


@pytest.fixture
def session(answering, peer, settings, tmp_path) -> Session:
    """A call that is over and whose version records; Exotel has not named the recording yet."""
    settings.EXOTEL_BASE_URL, settings.RECORDING_SPOOL_DIR = peer.root, tmp_path / "spool"
    session = commands.open_call(
        agent_version=answering.current_version,
        direction="inbound",
        user_phone=payloads.HUMAN,
        agent_phone=payloads.EXOPHONE,
        call_sid=payloads.SID,
    )
    report = commands.CarrierReport(status="in-progress")
    commands.apply_carrier_report(session=session, report=report, source="carrier", key="1")
    report = commands.CarrierReport(status="completed", ended_at=timezone.now(), duration_s=30)
    commands.apply_carrier_report(session=session, report=report, source="carrier", key="2")
    return session


def run(session: Session) -> Job:
    Job.objects.filter(session=session, kind="telephony.fetch_recording", state="queued").update(run_at=timezone.now())
    tasks.fetch_recording(Job.objects.get(session=session, kind="telephony.fetch_recording").pk)
    return Job.objects.get(session=session, kind="telephony.fetch_recording")


def named(session: Session, url: str) -> None:
    report = commands.CarrierReport(recording_url=url)
    commands.apply_carrier_report(session=session, report=report, source="carrier", key="named")


def state(session: Session) -> str:
    return Recording.objects.get(session=session).state


def test_it_waits_until_exotel_names_the_recording(session):
    job = run(session)
    assert (job.state, job.attempts) == ("queued", 0) and job.run_at > timezone.now()
    assert state(session) == "expected"


def test_it_waits_while_exotel_prepares_it_and_then_fetches_it(session, peer):
    named(session, peer.root + PATH)
    peer.answer(PATH, 404)
    assert run(session).state == "queued"
    peer.answers.clear()
    peer.answer(PATH, 200, WAV)
    assert run(session).state == "done"
    recording = Recording.objects.get(session=session)
    assert (recording.state, recording.size_bytes, recording.content_type) == ("fetched", len(WAV), "audio/wav")
    with open(recording.spool_path, "rb") as file:
        assert file.read() == WAV
    assert Job.objects.filter(session=session, kind="calls.upload_recording").exists()


def test_it_gives_up_when_exotel_was_asked_for_the_last_time(session):
    CallLog.objects.update(poll_after=None, polls=6)
    assert run(session).state == "done"
    assert state(session) == "missing"
    assert Job.objects.filter(session=session, kind="calls.account").exists()


def test_it_gives_up_on_a_file_that_never_appears(session, peer):
    named(session, peer.root + PATH)
    CallLog.objects.update(ended_at=timezone.now() - timedelta(hours=2))
    assert run(session).state == "done"
    assert state(session) == "missing"


def test_an_address_that_is_not_exotels_is_parked_for_a_person_and_never_asked(session, peer):
    named(session, "https://evil.example/x.wav")
    job = run(session)
    assert job.state == "parked" and "EXOTEL_RECORDING_HOSTS" in job.last_error
    assert peer.asked == []


def test_a_server_error_is_tried_again_as_a_failure(session, peer):
    named(session, peer.root + PATH)
    peer.answer(PATH, 503)
    job = run(session)
    assert (job.state, job.attempts) == ("queued", 1) and "503" in job.last_error


def test_a_recording_that_is_stored_is_not_fetched_again(session, peer):
    named(session, peer.root + PATH)
    Recording.objects.update(state=Recording.State.STORED)
    assert run(session).state == "done"
    assert peer.asked == []
