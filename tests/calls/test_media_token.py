"""Who may open a call's audio: one token, one use, one call."""

from threading import Barrier, Thread

import pytest
from django.db import connection

from calls import commands
from calls.models import CallEvent, Session
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> Session:
    return made.ringing_call(made.agent_of(made.operator()))


def claim(token: str, call_sid: str | None, stream_sid: str = "stream-1") -> Session | None:
    return commands.claim_media(token_id=token, call_sid=call_sid or "", stream_sid=stream_sid)


def test_copies_of_one_request_get_the_same_token_and_nobody_can_guess_it(session):
    token = commands.issue_media_token(session)
    assert commands.issue_media_token(session) == token
    assert len(token) >= 32


def test_a_token_opens_the_audio_of_its_call_once(session):
    token = commands.issue_media_token(session)
    claimed = claim(token, session.call_log.call_sid)
    assert claimed is not None
    assert (claimed.state, claimed.stream_sid, claimed.call_log.status) == ("active", "stream-1", "in-progress")
    assert claimed.call_log.answered_at is not None
    assert claim(token, session.call_log.call_sid) is None


def test_a_reconnect_of_a_running_conversation_gets_no_new_token(session):
    claim(commands.issue_media_token(session), session.call_log.call_sid)
    with pytest.raises(commands.CallRefused, match="active"):
        commands.issue_media_token(session)


@pytest.mark.parametrize("token", ["", "guess"])
def test_an_unknown_token_opens_nothing(session, token):
    assert claim(token, session.call_log.call_sid) is None


def test_a_token_of_another_call_opens_nothing_and_stays_good_for_its_own(session):
    token = commands.issue_media_token(session)
    assert claim(token, "somebody-elses-call") is None
    assert claim(token, session.call_log.call_sid) is not None


@pytest.mark.django_db(transaction=True)
def test_of_many_claims_at_once_one_gets_the_audio():
    session = made.ringing_call(made.agent_of(made.operator()))
    token, sid = commands.issue_media_token(session), session.call_log.call_sid
    start, claimed = Barrier(12), []

    def connect(number: int) -> None:
        try:
            start.wait(60)
            claimed.append(claim(token, sid, f"stream-{number}"))
        finally:
            connection.close()

    threads = [Thread(target=connect, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(claimed) == 12
    assert len([session for session in claimed if session is not None]) == 1
    assert CallEvent.objects.filter(session=session, kind="stream-started").count() == 1
