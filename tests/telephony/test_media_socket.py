"""The media socket on a real port: who is let in, what is said, and how it ends. The vendors are the simulator's."""

import base64
import json
import time
from urllib.request import urlopen

import pytest
from django.db import OperationalError, connections
from websockets.exceptions import InvalidStatus

from calls import conductor
from calls.commands import issue_media_token, open_call
from calls.conductor.capacity import LagMeter
from calls.models import CallEvent, Session
from simulator.app import build_app
from simulator.state import SimulatorState
from telephony import admission, tokens
from telephony import media as module
from tests.providers.exotel import payloads
from tests.telephony.conftest import FIRST, SECOND
from tests.telephony.servers import eventually, serving
from tests.telephony.stream import opened

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/media/exotel"


@pytest.fixture
def vendors(tmp_path, settings):
    with serving(build_app(SimulatorState(scratch=tmp_path))) as port:
        settings.OPENAI_BASE_URL = f"http://127.0.0.1:{port}/openai/v1"
        settings.DEEPGRAM_BASE_URL = f"http://127.0.0.1:{port}/deepgram"
        settings.ELEVENLABS_BASE_URL = f"http://127.0.0.1:{port}/elevenlabs"
        yield port


@pytest.fixture
def root(transactional_db, vendors):
    with serving(module.application, lifespan="on") as port:
        yield f"ws://127.0.0.1:{port}"
    connections.close_all()


@pytest.fixture
def session(answering) -> Session:
    return open_call(
        agent_version=answering.current_version,
        direction="inbound",
        user_phone=payloads.HUMAN,
        agent_phone=payloads.EXOPHONE,
        call_sid=payloads.SID,
    )


@pytest.fixture
def url(root, session) -> str:
    return f"{root}{PATH}/{tokens.issue(session, call_sid=payloads.SID)}"


def refused(url: str, **headers: str) -> int:
    with pytest.raises(InvalidStatus) as refusal, opened(url, **headers):
        pass
    return refusal.value.response.status_code


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"exotel:{password}".encode()).decode()}


def fresh(session: Session) -> Session:
    return Session.objects.select_related("call_log").get(pk=session.pk)


# --- the talk ---------------------------------------------------------------------------------------------------------------


def test_a_good_token_lets_the_agent_speak_as_exotel_wants_it(url, session):
    with opened(url) as stream:
        stream.start()
        audio, mark = stream.until("mark")
        row = fresh(session)
        assert (row.state, row.stream_sid, row.media_token_id) == ("active", payloads.STREAM_SID, "")
        assert row.call_log.status == "in-progress" and row.call_log.answered_at is not None
        assert audio and {message["event"] for message in audio} == {"media"}
        for number, message in enumerate(audio, 1):
            assert message["stream_sid"] == payloads.STREAM_SID
            assert (message["sequence_number"], message["media"]["chunk"]) == (str(number), str(number))
            assert message["media"]["timestamp"] == str((number - 1) * 200)
            assert len(base64.b64decode(message["media"]["payload"])) == 3200
        assert mark["mark"]["name"]
        stream.send(event="mark", stream_sid=payloads.STREAM_SID, mark=mark["mark"])
        stream.send(event="stop", stop={"call_sid": payloads.SID, "reason": "callended"})
        assert stream.closed() == 1000
    row = eventually(lambda: fresh(session) if fresh(session).state == "ended" else None)
    assert row.end_reason == "caller-hangup" and row.ended_at is not None
    told = {event.kind: event for event in CallEvent.objects.filter(session=session)}
    order = ["stream-connected", "stream-started", "turn-played", "stream-ended"]
    assert sorted(order, key=lambda kind: told[kind].created_at) == order, "each has the time when it happened, however late it was written"
    assert told["stream-connected"].facts == {"sample_rate_hz": 8000}
    assert told["turn-played"].facts["marks"].startswith("1 of ")
    assert told["stream-ended"].facts == {**told["stream-ended"].facts, "how": "the carrier said stop (callended)", "marks_back": 1}


def test_a_caller_who_just_goes_has_hung_up(url, session):
    with opened(url) as stream:
        stream.start()
        stream.until("media")
    row = eventually(lambda: fresh(session) if fresh(session).state == "ended" else None)
    assert row.end_reason == "caller-hangup"


def test_an_operator_ends_the_call_by_closing_the_socket(url, session):
    from calls.commands import request_hangup

    with opened(url) as stream:
        stream.start()
        stream.until("media")
        assert request_hangup(fresh(session), by="meera")
        assert stream.closed(20) == 1000
    assert eventually(lambda: fresh(session).end_reason) == "operator-hangup"


def test_sixteen_kilohertz_are_spoken_at_sixteen(url, session):
    with opened(f"{url}?sample-rate=16000") as stream:
        stream.start(media_format={"encoding": "raw/slin", "sample_rate": "16000"})
        _, first = stream.until("media")
        _, second = stream.until("media")
        assert (first["media"]["timestamp"], second["media"]["timestamp"]) == ("0", "100")
        assert len(base64.b64decode(first["media"]["payload"])) == 3200


def test_binary_frames_and_some_garbage_do_not_disturb(url, session):
    with opened(url) as stream:
        stream.socket.send("garbage")
        stream.socket.send(b"\x00\x01")
        stream.media()
        stream.start()
        stream.socket.send(b"\x00\x01")
        stream.socket.send("garbage")
        assert stream.until("mark")[0]


def test_too_much_garbage_ends_the_stream(url, session):
    with opened(url) as stream:
        stream.start()
        stream.until("media")
        for _ in range(20):
            stream.socket.send("garbage")
        assert stream.closed() == 1003
    assert eventually(lambda: fresh(session).end_reason)


def test_a_message_beyond_the_limit_ends_the_stream(url, session):
    with opened(url) as stream:
        stream.start()
        stream.until("media")
        stream.send(event="media", media={"payload": "A" * 70_000})
        assert stream.closed() == 1009


# --- who is let in ----------------------------------------------------------------------------------------------------------


def test_a_forged_or_missing_token_is_refused_at_the_handshake(root, url):
    for bad in (f"{root}{PATH}/forged", f"{url}x", f"{root}{PATH}", f"{root}{PATH}/"):
        assert refused(bad) == 403
    assert refused(f"{root}/elsewhere") == 404


def test_an_expired_token_is_refused(url, settings):
    settings.MEDIA_TOKEN_TTL_S = -1
    assert refused(url) == 403


def test_a_token_works_once(url, session):
    with opened(url) as stream:
        stream.start()
        stream.until("media")
        assert refused(url) == 403
    eventually(lambda: fresh(session).state == "ended")
    assert refused(url) == 403


def test_of_two_sockets_with_one_token_only_the_first_to_start_gets_the_call(url, session):
    with opened(url) as first, opened(url) as second:
        first.start()
        first.until("media")
        second.start(stream_sid="another")
        assert second.closed() == 1008
        first.until("mark")
    assert fresh(session).stream_sid == payloads.STREAM_SID


def test_a_token_does_not_open_another_call(url, session):
    with opened(url) as stream:
        stream.start(call_sid="anothercall")
        assert stream.closed() == 1008
    assert fresh(session).state == "waiting"


def test_a_stream_without_a_start_costs_nothing(url, session, monkeypatch):
    monkeypatch.setattr(module, "START_DEADLINE_S", 0.3)
    with opened(url) as stream:
        stream.send(event="connected")
        stream.media(5)
        assert stream.closed() == 1008
    assert fresh(session).state == "waiting"


@pytest.mark.parametrize("start", [{"call_sid": ""}, {"call_sid": "a b"}, {"stream_sid": ""}])
def test_a_start_without_its_ids_is_refused(url, session, start):
    with opened(url) as stream:
        stream.start(**start)
        assert stream.closed() == 1008


# --- a statically configured applet -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [FIRST, SECOND])
@pytest.mark.parametrize("ours", ["to", "from"])
def test_basic_credentials_open_a_call_by_our_number_on_either_side(root, answering, secret, ours):
    theirs = "from" if ours == "to" else "to"
    with opened(f"{root}{PATH}", **basic(secret)) as stream:
        stream.start(**{ours: payloads.EXOPHONE_0, theirs: payloads.HUMAN_0})
        stream.until("media")
        session = Session.objects.select_related("call_log").get()
        assert (session.agent_phone, session.user_phone) == (payloads.EXOPHONE, payloads.HUMAN)
        assert (session.state, session.call_log.call_sid) == ("active", payloads.SID)
    eventually(lambda: fresh(session).state == "ended")


def test_a_static_applet_joins_the_call_that_we_dialled(root, session):
    with opened(f"{root}{PATH}", **basic(FIRST)) as stream:
        stream.start()
        stream.until("media")
        assert Session.objects.get().pk == session.pk
    eventually(lambda: fresh(session).state == "ended")


def test_wrong_credentials_are_refused_at_the_handshake(root, answering):
    assert refused(f"{root}{PATH}", **basic("wrong")) == 403
    assert refused(f"{root}{PATH}?key={FIRST}") == 403


def test_a_number_that_nobody_answers_is_refused_at_its_start(root, answering):
    with opened(f"{root}{PATH}", **basic(FIRST)) as stream:
        stream.start(**{"from": "09876500000", "to": "08000000000"})
        assert stream.closed() == 1008
    assert Session.objects.count() == 0


# --- the process ----------------------------------------------------------------------------------------------------------------


def test_a_full_process_refuses_and_says_it_is_not_ready(url, settings):
    http = url.replace("ws://", "http://").partition("/api")[0]
    with urlopen(f"{http}/readyz", timeout=10) as ready, urlopen(f"{http}/healthz", timeout=45) as healthy:
        told = json.load(ready)
        assert (ready.status, healthy.status, told["status"]) == (200, 200, "ok")
        assert (told["room"], told["calls"], told["draining"]) == (settings.MEDIA_MAX_SESSIONS, 0, False)
    settings.MEDIA_MAX_SESSIONS = 0
    assert conductor.room() == 0
    before = conductor.load().refused
    assert refused(url) == 503
    assert conductor.load().refused == before + 1
    with urlopen(f"{http}/metrics", timeout=45) as told:
        lines = dict(line.split(" ") for line in told.read().decode().splitlines() if not line.startswith("#"))
    assert (lines["voiceagents_media_room"], lines["voiceagents_media_calls"]) == ("0", "0")
    assert float(lines["voiceagents_media_loop_lag_ms"]) >= 0 and int(lines["voiceagents_media_tasks"]) > 0
    with pytest.raises(OSError, match="503"):
        urlopen(f"{http}/readyz", timeout=45)


def test_a_call_that_is_still_being_let_in_has_its_seat_already(root, url, settings):
    settings.MEDIA_MAX_SESSIONS = 1
    with opened(url) as stream:
        assert eventually(lambda: conductor.load().calls == 1)
        assert refused(url) == 503  # nobody has started, and yet there is no room for a second
        stream.start()
        stream.until("media")
        assert conductor.load().calls == 1
    assert eventually(lambda: conductor.room() == 1)


def test_a_loop_that_runs_late_lets_nobody_in(url, monkeypatch):
    late = LagMeter()
    for _ in range(20):
        late.note(10_000)
    monkeypatch.setattr(conductor, "_lag", late)
    assert refused(url) == 503


def test_the_id_of_a_waiting_token_is_worthless_without_our_signature(root, session):
    assert refused(f"{root}{PATH}/{issue_media_token(session)}") == 403


@pytest.mark.parametrize("trouble", ["away", "slow"])
def test_without_its_database_the_process_lets_nobody_in_and_says_it_is_not_ready(url, monkeypatch, trouble):
    asked = []

    def broken(*_):
        asked.append(1)
        if trouble == "slow":
            time.sleep(0.5)
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(admission, "_DATABASE_LIMIT_S", 0.2)
    monkeypatch.setattr(admission, "_is_awaited", broken)
    monkeypatch.setattr(admission, "_ask", broken)
    monkeypatch.setattr("telephony.away.REST_S", 60.0)
    assert refused(url) == 503
    # The carrier's second knock, and a fixed address, learn it without waiting: the flow goes on at once.
    assert refused(url) == 503
    assert refused(url.rpartition("/")[0], **basic(FIRST)) == 503
    assert len(asked) == 1
    with pytest.raises(OSError, match="503"):
        urlopen(f"{url.replace('ws://', 'http://').partition('/api')[0]}/readyz", timeout=45)
