"""Exotel's deliveries through the front door: every documented payload, in every shape it may come in."""

import base64
import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.db import DatabaseError
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.utils import timezone

from calls import commands
from calls.models import CallEvent, CallLog, Session
from telephony import applying, doors, inbox, tokens
from telephony.models import Phone, WebhookDelivery
from tests.providers.exotel import payloads
from tests.telephony.conftest import DOORS, FIRST, SECOND, SHAPES, as_form, as_json, as_query, door

pytestmark = pytest.mark.django_db
ALL_DOORS = ["incoming", "voicebot", "status", "passthru", "after-stream", "recording/sess_abc"]
State = WebhookDelivery.State


@pytest.fixture
def call(client, answering) -> Session:
    """A call that the Voicebot applet has announced."""
    assert as_query(client, door("voicebot"), payloads.VOICEBOT).status_code == 200
    return Session.objects.get()


# --- opening a call -----------------------------------------------------------------------------------------------------


def test_the_call_arrived_webhook_opens_the_rows_and_says_and_records(client, answering, shape):
    answering.voice_id = "ravi'"
    answering.save()
    answer = shape(client, door("incoming"), payloads.INCOMING)
    session = Session.objects.get()
    assert answer.status_code == 200 and answer["Content-Type"] == "application/xml"
    root = ET.fromstring(answer.content)
    say, record = list(root)
    assert (root.tag, say.tag, record.tag) == ("Response", "Say", "Record")
    assert (say.text, say.get("voice"), say.get("language")) == ('Hello & "welcome" <friend>', "ravi'", "en-IN")
    assert record.get("action") == f"http://testserver{DOORS}recording/{session.session_id}?key={FIRST}"
    assert (record.get("method"), record.get("maxLength"), record.get("finishOnKey")) == ("POST", "3600", "#")
    log = session.call_log
    assert session.session_id.startswith("sess_")
    assert (session.user_phone, session.agent_phone) == (payloads.HUMAN, payloads.EXOPHONE)
    assert (log.call_sid, log.direction, log.status) == (payloads.SID, "inbound", "initiated")
    assert (log.from_phone, log.to_phone) == (payloads.HUMAN, payloads.EXOPHONE)


def test_the_voicebot_gets_a_socket_of_its_own(client, answering, shape):
    answer = shape(client, door("voicebot"), payloads.VOICEBOT)
    assert answer.status_code == 200 and answer["Content-Type"] == "application/json"
    url = answer.json()["url"]
    assert list(answer.json()) == ["url"] and url.startswith("ws://127.0.0.1:1/api/v1/media/exotel/")
    session = Session.objects.get()
    token = tokens.check(url.rpartition("/")[2])
    assert (token.token_id, token.session_id, token.call_sid) == (session.media_token_id, session.session_id, payloads.SID)
    assert session.call_log.status == "ringing"


def test_a_voicebot_that_asks_twice_gets_the_same_call_and_an_equal_token(client, answering):
    urls = [as_query(client, door("voicebot"), {**payloads.VOICEBOT, "CurrentTime": stamp}).json()["url"] for stamp in ("1", "2")]
    assert Session.objects.count() == 1
    ids = {tokens.check(url.rpartition("/")[2]).token_id for url in urls}
    assert ids == {Session.objects.get().media_token_id}


@pytest.mark.parametrize("name", ["incoming", "voicebot"])
@pytest.mark.parametrize("trouble", ["no phone", "phone inactive", "no agent", "agent inactive"])
def test_a_number_that_nobody_answers_is_not_found_and_the_reason_is_kept(client, answering, name, trouble):
    phone = Phone.objects.get()
    match trouble:
        case "no phone":
            phone.delete()
        case "phone inactive":
            Phone.objects.update(active=False)
        case "no agent":
            Phone.objects.update(agent=None)
        case "agent inactive":
            answering.active = False
            answering.save()
    answer = as_form(client, door(name), payloads.INCOMING)
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("application/json" if name == "voicebot" else "text/plain")
    assert Session.objects.count() == 0
    delivery = WebhookDelivery.objects.get()
    assert delivery.state == State.IGNORED and ("Phones" in delivery.reason or "Agents" in delivery.reason)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", urlencode(payloads.VOICEBOT)),
        ("application/json", json.dumps(payloads.VOICEBOT)),
        (MULTIPART_CONTENT, encode_multipart(BOUNDARY, payloads.VOICEBOT).decode()),
    ],
)
def test_a_get_may_carry_a_body_of_every_kind(client, answering, content_type, body):
    answer = client.generic("GET", door("voicebot"), body, content_type=content_type)
    assert answer.status_code == 200 and "url" in answer.json()
    assert Session.objects.get().call_log.call_sid == payloads.SID


def test_a_withheld_caller_is_answered_too(client, answering):
    assert as_query(client, door("voicebot"), {**payloads.VOICEBOT, "CallFrom": "anonymous"}).status_code == 200
    assert Session.objects.get().user_phone == ""


def test_a_word_for_the_end_does_not_end_a_call_that_is_being_announced(client, answering):
    assert as_query(client, door("voicebot"), {**payloads.VOICEBOT, "CallStatus": "completed"}).status_code == 200
    assert CallLog.objects.get().status == "initiated"


def test_a_call_that_is_over_gets_no_socket(client, call):
    as_form(client, door("status"), payloads.TERMINAL_FORM)
    answer = as_query(client, door("voicebot"), {**payloads.VOICEBOT, "CurrentTime": "later"})
    assert answer.status_code == 409 and "error" in answer.json()


# --- reports --------------------------------------------------------------------------------------------------------------


def test_a_terminal_callback_settles_what_it_knows(client, call, shape):
    answer = shape(client, door("status"), payloads.TERMINAL_FORM)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    log = CallLog.objects.get()
    assert (log.status, log.duration_s, log.recording_url) == ("completed", 61, payloads.STREAM_RECORDING)
    assert log.ended_at == datetime(2025, 8, 12, 5, 20, 1, tzinfo=UTC)
    assert WebhookDelivery.objects.get(door="status").state == State.APPLIED


def test_an_answered_callback_as_json_moves_the_call(client, call):
    assert as_json(client, door("status"), payloads.ANSWERED_JSON).status_code == 200
    log = CallLog.objects.get()
    assert log.status == "in-progress"
    assert log.answered_at == datetime(2025, 8, 12, 5, 18, 41, tzinfo=UTC)


def test_late_and_backward_callbacks_are_kept_and_change_nothing(client, call):
    as_form(client, door("status"), payloads.BASE_CALLBACK)
    as_form(client, door("status"), {**payloads.BASE_CALLBACK, "Status": "in-progress"})
    assert CallLog.objects.get().status == "no-answer"
    late = WebhookDelivery.objects.latest("id")
    assert late.state == State.IGNORED and late.reason.startswith("late")


def test_an_unknown_call_is_accepted_and_kept(client, answering, shape):
    answer = shape(client, door("status"), payloads.TERMINAL_FORM)
    assert answer.status_code == 200
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.reason, delivery.call_sid) == (State.IGNORED, inbox.UNKNOWN_CALL, payloads.SID)
    assert delivery.params["Status"] == "completed"


def test_news_that_came_before_the_call_was_known_is_applied_later(client, answering):
    as_form(client, door("status"), payloads.TERMINAL_FORM)
    as_query(client, door("voicebot"), payloads.VOICEBOT)
    assert applying.repair() == 1
    assert CallLog.objects.get().status == "completed"


@pytest.mark.parametrize("params", [payloads.AFTER_BOT, payloads.AFTER_BOT_AS_JSON], ids=["fields", "one json"])
def test_a_stream_report_in_both_its_forms(client, call, params):
    Session.objects.update(state=Session.State.ENDED, started_at=datetime(2025, 1, 1, tzinfo=UTC), end_reason="agent-goodbye")
    answer = as_query(client, door("after-stream"), params)
    assert answer.status_code == 302 and "Location" not in answer
    event = CallEvent.objects.get(kind="stream-reported")
    assert event.facts == {"status": "completed", "disconnected_by": "bot", "duration_s": 64}
    assert CallLog.objects.get().recording_url == payloads.STREAM_RECORDING
    assert "a-token" not in json.dumps(WebhookDelivery.objects.get(door="after-stream").params)


def test_a_stream_that_failed_sends_the_caller_on(client, call):
    assert as_query(client, door("after-stream"), payloads.AFTER_BOT_FAILED).status_code == 200
    assert CallEvent.objects.get(kind="stream-reported").facts["error"] == "3009 failed to establish ws conn"


@pytest.mark.parametrize(
    ("end_reason", "status"), [("agent-goodbye", 302), ("caller-hangup", 302), ("provider-failed", 200), ("crash", 200)]
)
def test_a_passthru_answers_by_how_the_talk_ended(client, call, end_reason, status):
    Session.objects.update(state=Session.State.ENDED, started_at=datetime(2025, 1, 1, tzinfo=UTC), end_reason=end_reason)
    assert as_query(client, door("passthru"), payloads.PASSTHRU_ANSWERED).status_code == status


@pytest.mark.parametrize(("silent_s", "status"), [(10, 200), (0, 302)], ids=["its process died", "it is being closed"])
def test_a_caller_whose_process_died_is_not_hung_up_on(client, call, monkeypatch, silent_s, status):
    """Nobody has written down how the talk ended, and the sweeper will not for a while."""
    monkeypatch.setattr(doors, "_WAIT_FOR_END_S", 0.0)
    monkeypatch.setattr(commands, "DEAD_AFTER", timedelta(0))
    now = timezone.now()
    Session.objects.update(state=Session.State.ACTIVE, started_at=now - timedelta(seconds=60), seen_at=now - timedelta(seconds=silent_s))
    CallLog.objects.update(status="in-progress")
    assert as_query(client, door("passthru"), payloads.PASSTHRU_ANSWERED).status_code == status


def test_a_passthru_of_an_unknown_call_goes_on(client, answering):
    assert as_query(client, door("passthru"), payloads.PASSTHRU_ANSWERED).status_code == 200


def test_a_passthru_before_the_agent_goes_on(client, call):
    assert as_query(client, door("passthru"), {"CallSid": payloads.SID}).status_code == 200


def test_a_recording_finds_its_session_by_our_id(client, call, shape):
    url = "https://recordings.exotel.com/exotelrecordings/exampleco1/y.mp3"
    assert shape(client, door(f"recording/{call.session_id}"), {"RecordingUrl": url}).status_code == 200
    assert CallLog.objects.get().recording_url == url


def test_a_recording_of_no_session_is_accepted_and_kept(client, db):
    assert as_form(client, door("recording/sess_nobody"), {"RecordingUrl": "https://recordings.exotel.com/y.mp3"}).status_code == 200
    assert WebhookDelivery.objects.get().reason == inbox.UNKNOWN_CALL


# --- who is let in ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL_DOORS)
@pytest.mark.parametrize("method", ["get", "post", "head"])
def test_without_a_secret_nobody_is_let_in(client, answering, name, method):
    for path in (f"{DOORS}{name}", f"{DOORS}{name}?key=wrong", f"{DOORS}{name}?key="):
        answer = getattr(client, method)(path)
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("Basic ")
    assert WebhookDelivery.objects.count() == 0


@pytest.mark.parametrize("secret", [FIRST, SECOND])
def test_both_active_secrets_open_the_door_either_way(client, answering, secret):
    assert as_query(client, door("status", secret), payloads.BASE_CALLBACK).status_code == 200
    credentials = base64.b64encode(f"anybody:{secret}".encode()).decode()
    answer = client.post(f"{DOORS}status", payloads.BASE_CALLBACK, headers={"Authorization": f"Basic {credentials}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header", ["Basic", "Basic %%%", "Bearer " + FIRST, "Basic " + base64.b64encode(b"\xff\xfe").decode(), "Basic Og=="]
)
def test_odd_credentials_are_no_credentials(client, db, header):
    assert client.get(f"{DOORS}status", headers={"Authorization": header}).status_code == 401


def test_without_any_secret_configured_the_doors_stay_shut_and_say_why(client, settings):
    settings.EXOTEL_WEBHOOK_SECRETS = ()
    for path in (f"{DOORS}status", f"{DOORS}status?key="):
        answer = client.get(path)
        assert answer.status_code == 503 and "EXOTEL_WEBHOOK_SECRETS" in answer.json()["error"]


def test_no_secret_is_ever_stored(client, answering):
    params = {**payloads.TERMINAL_FORM, "Stream[StreamUrl]": f"wss://any:{SECOND}@media.example.com/api/v1/media/exotel/tok", "note": FIRST}
    as_query(client, door("status"), params)
    as_json(client, door("status"), {"CallSid": payloads.SID, "key": FIRST, "nested": {"url": f"https://x/?key={SECOND}"}})
    for delivery in WebhookDelivery.objects.all():
        kept = json.dumps(delivery.params)
        assert FIRST not in kept and SECOND not in kept and "key" not in delivery.params


@pytest.mark.parametrize("name", ALL_DOORS)
def test_head_answers_and_changes_nothing(client, answering, name):
    answer = client.head(f"{door(name)}&CallSid={payloads.SID}&CallTo={payloads.EXOPHONE_0}")
    assert answer.status_code == 200 and answer.content == b""
    assert (WebhookDelivery.objects.count(), Session.objects.count()) == (0, 0)


@pytest.mark.parametrize("method", ["put", "delete", "patch", "options"])
def test_other_methods_are_refused(client, db, method):
    assert getattr(client, method)(door("status")).status_code == 405


# --- what is refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("{", "application/json"),
        ('["CallSid"]', "application/json"),
        ('{"CallSid": NaN}', "application/json"),
        ('{"CallSid":"x","y":"\\u0000"}', "application/json"),
        ('{"CallSid":"x","y":"\\ud800"}', "application/json"),
        ("[" * 100_000, "application/json"),
        ('{"CallSid":"x","y":' + "[" * 50 + "]" * 50 + "}", "application/json"),
        (b"\xff\xfe{", "application/json"),
        ("CallSid=x%00y", "application/x-www-form-urlencoded"),
        ("CallSid=" + "x" * 65, "application/x-www-form-urlencoded"),
        ("CallSid=../../etc", "application/x-www-form-urlencoded"),
        ("&".join(f"p{i}=1" for i in range(2000)), "application/x-www-form-urlencoded"),
        ("no boundary", "multipart/form-data"),
        ("", "application/json"),
        ("Status=completed", "application/x-www-form-urlencoded"),
    ],
)
def test_what_is_no_delivery_is_refused_with_a_reason(client, answering, body, content_type):
    answer = client.post(door("status"), body, content_type=content_type)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert WebhookDelivery.objects.count() == 0


@pytest.mark.parametrize("shape_name", ["form", "multipart", "json"])
def test_a_body_beyond_a_megabyte_is_refused(client, db, shape_name):
    answer = SHAPES[shape_name](client, door("status"), {"CallSid": payloads.SID, "x": "y" * (1024 * 1024)})
    assert answer.status_code == 413 and WebhookDelivery.objects.count() == 0


def test_a_file_in_a_form_is_passed_over(client, call):
    from django.core.files.uploadedfile import SimpleUploadedFile

    answer = client.post(door("status"), {**payloads.BASE_CALLBACK, "x": SimpleUploadedFile("x.bin", b"\x00" * 100)})
    assert answer.status_code == 200 and CallLog.objects.get().status == "no-answer"


def test_a_session_id_that_is_none_is_refused(client, db):
    assert as_form(client, door("recording/sess_a-b"), {"RecordingUrl": "https://x"}).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_our_own_failure_is_a_500_and_repairs_itself(client, answering, monkeypatch):
    as_query(client, door("voicebot"), payloads.VOICEBOT)
    from calls import commands

    real = commands.apply_carrier_report

    def broken(**_):
        raise DatabaseError("no")

    monkeypatch.setattr(commands, "apply_carrier_report", broken)
    assert as_form(client, door("status"), payloads.TERMINAL_FORM).status_code == 500
    delivery = WebhookDelivery.objects.get(door="status")
    assert (delivery.state, delivery.attempts) == (State.FAILED, 1)
    assert applying.repair() == 0
    monkeypatch.setattr(commands, "apply_carrier_report", real)
    assert applying.repair() == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (State.APPLIED, 3)
    assert CallLog.objects.get().status == "completed"
