"""The media token: ours, fresh, for one session; and the copies of one token agree."""

import time

import pytest
from django.core import signing

from calls.commands import CallRefused, claim_media, open_call
from calls.models import Session
from telephony import tokens
from telephony.tokens import BadToken


@pytest.fixture
def session(answering) -> Session:
    return open_call(
        agent_version=answering.current_version, direction="inbound", user_phone="+919876543211", agent_phone="+918047112230", call_sid="c1"
    )


def test_a_token_says_what_it_opens(session):
    token = tokens.check(tokens.issue(session, call_sid="c1"))
    session.refresh_from_db()
    assert (token.token_id, token.session_id, token.call_sid) == (session.media_token_id, session.session_id, "c1")


def test_a_token_fits_into_a_path(session):
    token = tokens.issue(session, call_sid="0f3c9a1e7b2d4c5f8a6b0d1e2f3a198c")
    assert "/" not in token and "?" not in token and len(token) < 300


@pytest.mark.parametrize(
    "forge", [lambda t: t[:-1], lambda t: t + "x", lambda t: "x" + t[1:], lambda t: "", lambda t: "a:b:c", lambda t: "x" * 9999]
)
def test_a_forged_token_is_not_ours(session, forge):
    with pytest.raises(BadToken):
        tokens.check(forge(tokens.issue(session)))


def test_something_else_that_we_signed_is_no_token(session):
    with pytest.raises(BadToken):
        tokens.check(signing.dumps(["a", "b", "c"]))
    with pytest.raises(BadToken):
        tokens.check(signing.dumps({"a": 1}, salt="telephony.media-token"))


def test_a_token_expires_first_for_new_lines_and_then_for_all(session, settings, monkeypatch):
    token = tokens.issue(session, call_sid="c1")
    assert tokens.check(token).is_fresh
    settings.MEDIA_TOKEN_TTL_S = -1
    assert not tokens.check(token).is_fresh
    monkeypatch.setattr(tokens, "_LONGEST_STREAM_S", -1)
    with pytest.raises(BadToken) as expired:
        tokens.check(token)
    assert expired.value.reason == "expired"


def test_a_token_that_was_dialled_with_outlives_the_ringing(session, settings, monkeypatch):
    """It left with the order, before anybody's phone rang; who comes with a call's id has come at once."""
    dialled_with, fetched = tokens.issue(session), tokens.issue(session, call_sid="c1")
    settings.MEDIA_TOKEN_TTL_S = 10
    now = time.time()
    monkeypatch.setattr("django.core.signing.time.time", lambda: now + 120)
    assert (tokens.check(dialled_with).is_fresh, tokens.check(fetched).is_fresh) == (True, False)
    monkeypatch.setattr("django.core.signing.time.time", lambda: now + 200)
    assert not tokens.check(dialled_with).is_fresh


def test_a_token_that_picks_up_a_line_opens_no_new_one(session):
    known = tokens.check(tokens.issue_again(session, call_sid="c1"))
    assert (known.session_id, known.call_sid, known.is_fresh) == (session.session_id, "c1", False)


def test_a_token_of_another_installation_is_not_ours(session, settings):
    token = tokens.issue(session)
    settings.SECRET_KEY = "another secret key of another installation, long enough"
    with pytest.raises(BadToken):
        tokens.check(token)


def test_no_token_for_a_session_that_no_longer_waits(session):
    token = tokens.check(tokens.issue(session))
    assert claim_media(token_id=token.token_id, call_sid="c1", stream_sid="s1") is not None
    with pytest.raises(CallRefused):
        tokens.issue(session)
