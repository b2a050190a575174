"""Whole calls over the real wire: a simulated Exotel, our web process's doors and our media socket, each on a port of its own."""

import httpx
import pytest
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.utils import timezone

from calls import commands
from calls.models import CallEvent, CallLog, Job, Recording, Session, Turn
from telephony import media, reconciling, tasks
from telephony.models import WebhookDelivery
from tests.providers.exotel import payloads
from tests.telephony.conftest import DOORS, FIRST
from tests.telephony.servers import eventually, serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def line(transactional_db, answering, exotel, settings, tmp_path):
    """Exotel, with our exophone's flow leading to us: Voicebot, then Passthru, then an asynchronous one."""
    answering.first_message = "Hello, how can I help you?"
    answering.save()
    settings.RECORDING_SPOOL_DIR = tmp_path / "spool"
    with serving(ASGIHandler()) as web, serving(media.application, lifespan="on") as media_port:
        settings.WEBHOOK_BASE_URL = f"http://127.0.0.1:{web}"
        settings.MEDIA_BASE_URL = f"ws://127.0.0.1:{media_port}"
        doors = f"http://127.0.0.1:{web}{DOORS}"
        phone = {
            "number": payloads.EXOPHONE,
            "app_id": "228040",
            "voicebot_url": f"{doors}voicebot?key={FIRST}",
            "passthru_url": f"{doors}passthru?key={FIRST}",
            "after_stream_url": f"{doors}after-stream?key={FIRST}",
        }
        exotel.settings(exophones=[phone])
        exotel.phone = phone
        yield exotel
    connections.close_all()


TALK = {
    "step": [{"wait_for_agent": {"quiet_ms": 400, "deadline_s": 15}}, {"say": "Goodbye"}, {"wait_for_close": {"deadline_s": 15}}],
    "reply": [{"heard": "(?i)bye", "say": "Goodbye!", "tool": {"name": "end_call", "arguments": {}}}],
}
HANGS_UP = {"step": [{"wait_for_agent": {"quiet_ms": 400, "deadline_s": 15}}, {"hangup": True}]}


def ended():
    return eventually(lambda: Session.objects.select_related("call_log").filter(state="ended").first())


def settle(session: Session) -> CallLog:
    CallLog.objects.filter(session=session).update(poll_after=timezone.now())
    reconciling.reconcile()
    return CallLog.objects.get(session=session)


def test_a_caller_talks_to_the_agent_and_the_agent_hangs_up(line):
    report = line.watch(TALK)
    session = ended()
    assert report["breaches"] == []
    assert (session.end_reason, session.user_phone) == ("agent-goodbye", payloads.HUMAN)
    turns = eventually(lambda: list(Turn.objects.values_list("speaker", "text")) if Turn.objects.count() >= 3 else None)
    assert ("caller", "Goodbye") in [(speaker, text.strip(".!")) for speaker, text in turns]
    passthru = eventually(lambda: WebhookDelivery.objects.filter(door="passthru").first())
    after = eventually(lambda: WebhookDelivery.objects.filter(door="after-stream", state="applied").first())
    assert passthru is not None and after is not None
    assert CallEvent.objects.get(kind="stream-reported").facts["disconnected_by"] == "bot"
    assert {"event": "passthru", "status": 302}.items() <= next(e for e in line.calls()[0].journal if e["event"] == "passthru").items()

    log = settle(session)
    assert (log.status, log.carrier_currency) == ("completed", "INR")
    assert log.carrier_price is not None and log.duration_s is not None and log.recording_url
    tasks.fetch_recording(Job.objects.get(session=session, kind="telephony.fetch_recording").pk)
    recording = Recording.objects.get(session=session)
    assert (recording.state, recording.content_type) == ("fetched", "audio/wav")
    with open(recording.spool_path, "rb") as file:
        assert len(file.read()) == recording.size_bytes


def test_a_caller_who_hangs_up_ends_the_session(line):
    line.watch(HANGS_UP)
    assert ended().end_reason == "caller-hangup"


def test_a_hang_up_without_a_stop_message_is_understood(line):
    line.settings(stop_event_on_hangup=False)
    line.watch(HANGS_UP)
    assert ended().end_reason == "caller-hangup"


@pytest.mark.parametrize(
    "doubt",
    [
        {"camel_case": True, "ints_as_strings": False, "numbers_format": "+91"},
        {"send_method": "POST", "stream_as_json": True},
        {"echo_marks_on_clear": True, "jitter_ms": 40, "burst_frames": 5},
    ],
    ids=["camel case", "post and json", "jitter"],
)
def test_whatever_is_in_doubt_about_exotel_the_call_works(line, doubt):
    line.settings(**doubt)
    report = line.watch(TALK)
    assert report["breaches"] == []
    assert ended().end_reason == "agent-goodbye"
    assert Session.objects.get().user_phone == payloads.HUMAN


@pytest.mark.parametrize("app_id", ["", "228040"], ids=["connect voice ai", "flow"])
def test_a_call_that_we_place_is_one_call_with_one_session(line, answering, settings, app_id):
    settings.EXOTEL_APP_ID = app_id
    person = "+919811122233"
    line.settings(people=[{"number": person, "scenario": TALK}])
    session = commands.queue_outbound_call(owner=answering.owner, agent=answering, to_phone=person)
    tasks.dial(Job.objects.get(session=session, kind="telephony.dial").pk)
    assert ended().pk == session.pk
    log = eventually(lambda: CallLog.objects.filter(status="completed").first())
    assert (log.session_id, log.direction, log.dial_outcome) == (session.pk, "outbound", "accepted")
    assert Session.objects.count() == 1
    session.refresh_from_db()
    assert session.end_reason == "agent-goodbye"


def test_a_statically_configured_applet_works_with_basic_credentials(line, settings):
    root = settings.MEDIA_BASE_URL.replace("ws://", f"ws://exotel:{FIRST}@")
    line.settings(exophones=[{**line.phone, "voicebot_url": f"{root}/api/v1/media/exotel"}])
    assert line.watch(TALK)["breaches"] == []
    assert ended().end_reason == "agent-goodbye"


def test_a_body_that_comes_without_its_length_is_measured_as_it_comes(line, settings):
    def pieces(count: int):
        yield b"CallSid=unknown&x="
        yield from (b"y" * 1024 for _ in range(count))

    door = f"{settings.WEBHOOK_BASE_URL}{DOORS}status?key={FIRST}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert httpx.post(door, content=pieces(10), headers=form).status_code == 200
    assert httpx.post(door, content=pieces(1100), headers=form).status_code == 413
    assert WebhookDelivery.objects.count() == 1
