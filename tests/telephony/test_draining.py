"""SIGTERM does not cut calls: a real media process is told to stop while a caller talks."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from django.db import connection
from websockets.exceptions import InvalidStatus

from calls.commands import open_call
from calls.models import Session
from telephony import tokens
from tests.providers.exotel import payloads
from tests.telephony.servers import eventually
from tests.telephony.stream import opened

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]
ROOT = Path(__file__).resolve().parents[2]


def status(port: int, path: str):
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status
    except HTTPError as error:
        return error.code
    except (URLError, OSError):
        return 0


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def media_process(settings, **environment: str):
    """A real media process that is ready for calls, and its port. Another process may take the port first: then with another one."""
    root, _, _ = settings.DATABASE_URL.rpartition("/")
    own = {
        "DATABASE_URL": f"{root}/{connection.settings_dict['NAME']}",
        "SECRET_KEY": settings.SECRET_KEY,
        **{name: getattr(settings, name) for name in ("OPENAI_BASE_URL", "DEEPGRAM_BASE_URL", "ELEVENLABS_BASE_URL")},
        **environment,
    }
    for _ in range(3):
        port = free_port()
        of_it = {**os.environ, **own, "MEDIA_PORT": str(port)}
        process = subprocess.Popen([sys.executable, "-m", "voiceagents.serve", "media"], cwd=ROOT, env=of_it)
        eventually(lambda port=port, process=process: process.poll() is not None or status(port, "/readyz") == 200, 90)
        if process.poll() is None:
            break
    try:
        assert process.poll() is None and status(port, "/readyz") == 200, "the media process did not get ready"
        yield process, port
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


@pytest.fixture
def session(answering) -> Session:
    how = {"direction": "inbound", "user_phone": payloads.HUMAN, "agent_phone": payloads.EXOPHONE, "call_sid": payloads.SID}
    return open_call(agent_version=answering.current_version, **how)


def address(port: int, session: Session) -> str:
    return f"ws://127.0.0.1:{port}/api/v1/media/exotel/{tokens.issue(session, call_sid=payloads.SID)}"


def test_a_talk_goes_on_to_its_own_end_while_no_new_one_is_let_in(session, exotel, settings):
    with media_process(settings, MEDIA_DRAIN_S="60") as (process, port):
        url = address(port, session)
        with opened(url) as stream:
            stream.start()
            stream.until("media")
            process.send_signal(signal.SIGTERM)
            assert eventually(lambda: status(port, "/readyz") == 503)
            assert status(port, "/healthz") == 200
            with pytest.raises(InvalidStatus) as refusal, opened(url):
                pass
            assert refusal.value.response.status_code == 503
            _, mark = stream.until("mark")
            stream.send(event="mark", mark=mark["mark"])
            stream.send(event="stop", stop={"reason": "callended"})
            assert stream.closed() == 1000
        assert process.wait(30) == 0
    session.refresh_from_db()
    assert (session.state, session.end_reason) == ("ended", "caller-hangup")


def test_a_talk_beyond_the_deadline_is_ended_with_a_goodbye_and_its_rows(session, exotel, settings):
    with media_process(settings, MEDIA_DRAIN_S="1") as (process, port):
        with opened(address(port, session)) as stream:
            stream.start()
            _, mark = stream.until("mark")
            stream.send(event="mark", mark=mark["mark"])
            process.send_signal(signal.SIGTERM)
            spoken, mark = stream.until("mark")
            assert [message for message in spoken if message["event"] == "media"]
            stream.send(event="mark", mark=mark["mark"])
            assert stream.closed(30) == 1000
        assert process.wait(30) == 0
    session.refresh_from_db()
    assert (session.state, session.end_reason) == ("ended", "shutdown")


def test_an_idle_process_stops_at_once(transactional_db, exotel, settings):
    with media_process(settings, MEDIA_DRAIN_S="60") as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
