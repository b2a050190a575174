"""Listening to a call at the media process: who may, what is heard, what is kept of it, and that it ends with the call."""

import base64
import json
from contextlib import contextmanager

import numpy as np
import pytest
from django.contrib.auth.models import User
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from calls import listening
from calls.models import CallEvent, Session
from telephony import listening as door
from tests.providers.exotel import payloads
from tests.telephony.servers import eventually
from tests.telephony.stream import opened
from tests.telephony.test_media_socket import root as root
from tests.telephony.test_media_socket import session as session
from tests.telephony.test_media_socket import url as url
from tests.telephony.test_media_socket import vendors as vendors

pytestmark = pytest.mark.django_db(transaction=True)
LOUD = base64.b64encode((4000).to_bytes(2, "little") * 160).decode()


@pytest.fixture
def talk(url, root, session, settings):
    """A call whose agent speaks, and its stream."""
    settings.MEDIA_LISTEN_URL = root
    User.objects.filter(username="meera").update(is_superuser=True)
    with opened(url) as stream:
        stream.start()
        stream.until("media")
        yield stream


def ticket(session: Session) -> str:
    return listening.address(Session.objects.get(pk=session.pk), by="meera")


@contextmanager
def listener(url: str):
    with connect(url, compression=None, close_timeout=3, open_timeout=45) as socket:
        yield socket


def refused(url: str) -> int:
    with pytest.raises(InvalidStatus) as refusal, listener(url):
        pass
    return refusal.value.response.status_code


def events(session: Session) -> list[tuple[str, str, dict]]:
    rows = CallEvent.objects.filter(session=session, kind__startswith="listening").order_by("id")
    return list(rows.values_list("source", "kind", "facts"))


def speak(stream, frames: int) -> None:
    for _ in range(frames):
        stream.send(event="media", media={"payload": LOUD})


def sides(packet: bytes) -> np.ndarray:
    return np.frombuffer(packet[4:], dtype="<i2").reshape(-1, 2)


def test_both_sides_are_heard_and_it_is_kept_who_listened(talk, session):
    link = door._offered[session.session_id]
    assert link.tap is None  # nobody listens: nothing is done
    with listener(ticket(session)) as ears:
        assert json.loads(ears.recv(timeout=45)) == {"rate_hz": 8000, "channels": 2, "packet_ms": 100}
        assert events(session) == [("operator", "listening-began", {"by": "meera"})]
        loud_agent = False
        for _ in range(200):
            speak(talk, 5)
            packet = ears.recv(timeout=45)
            ears.send("1")
            caller, agent = sides(packet).T
            assert caller.tolist() == [4000] * 800
            if loud_agent := bool(np.abs(agent).max() > 100):
                break
            _, mark = talk.until("mark")
            talk.send(event="mark", stream_sid=payloads.STREAM_SID, mark=mark["mark"])
        assert loud_agent
    assert eventually(lambda: len(events(session)) == 2)
    source, kind, facts = events(session)[1]
    assert (source, kind, facts["by"]) == ("operator", "listening-ended", "meera") and facts["seconds"] >= 0
    assert eventually(lambda: link.tap is None)


def test_a_listener_who_confirms_nothing_misses_packets_while_the_call_goes_on(talk, session):
    with listener(ticket(session)) as ears:
        ears.recv(timeout=45)
        speak(talk, 400)
        tap = door._offered[session.session_id].tap
        assert tap is not None
        assert eventually(lambda: tap.ears[0].dropped >= 70)
        numbers = [int.from_bytes(ears.recv(timeout=45)[:4], "little") for _ in range(8)]
        assert numbers == list(range(1, 9))
        ears.send("8")
        assert eventually(lambda: tap.ears[0]._on_the_way == 0)
        speak(talk, 5)
        assert int.from_bytes(ears.recv(timeout=45)[:4], "little") == 81
    assert door._offered[session.session_id].received_frames == 405


def test_listening_ends_with_the_call(talk, session):
    with listener(ticket(session)) as ears:
        ears.recv(timeout=45)
        talk.send(event="stop", stop={"call_sid": payloads.SID, "reason": "callended"})
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                ears.recv(timeout=45)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000
    assert eventually(lambda: len(events(session)) == 2)
    assert eventually(lambda: session.session_id not in door._offered)
    assert refused(ticket(session)) == 404


def test_a_ticket_opens_one_socket_and_only_ours_does(talk, session, root, monkeypatch):
    once = ticket(session)
    with listener(once) as ears:
        ears.recv(timeout=45)
        assert refused(once) == 403
        assert refused(f"{once}x") == 403
        assert refused(f"{root}{listening.PATH}/forged") == 403
        assert refused(f"{root}/process-3{listening.PATH}/forged") == 403  # the balancer may leave its prefix
        monkeypatch.setattr(door, "MOST_EARS", 1)
        assert refused(ticket(session)) == 503
    monkeypatch.setattr(listening, "GOOD_FOR_S", -1)
    assert refused(ticket(session)) == 403
    assert len([kind for _, kind, _ in events(session) if kind == "listening-began"]) == 1


def test_nobody_hears_anything_before_it_is_kept_who_listens(talk, session, monkeypatch):
    def away(*_args, **_how):
        raise RuntimeError("the database is away")

    monkeypatch.setattr("calls.commands.listening", away)
    assert refused(ticket(session)) == 503
    assert door._offered[session.session_id].tap is None
    speak(talk, 5)
    assert eventually(lambda: door._offered[session.session_id].received_frames == 5)


@pytest.mark.parametrize("loses", [{"is_superuser": False}, {"is_active": False}], ids=["the permission", "the account"])
def test_whoever_may_not_listen_any_more_hears_no_more(talk, session, monkeypatch, loses):
    monkeypatch.setattr(door, "ASK_AGAIN_S", 0.05)
    unused = ticket(session)
    with listener(ticket(session)) as ears:
        ears.recv(timeout=45)
        User.objects.filter(username="meera").update(**loses)
        with pytest.raises(ConnectionClosed):
            while True:
                ears.recv(timeout=45)
    assert refused(unused) == 403
    assert eventually(lambda: [kind for _, kind, _ in events(session)] == ["listening-began", "listening-ended"])
    assert session.session_id in door._offered  # the call goes on
