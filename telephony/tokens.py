"""The token in a media socket's path: signed, short-lived, bound to one session. That it works only once is `calls`' to keep.

A signature is checked before anything is asked of the database, so that forged sockets cost nothing.
"""

from dataclasses import dataclass, replace

import msgspec
from django.conf import settings
from django.core import signing

from calls.commands import issue_media_token
from calls.models import Session

_SALT = "telephony.media-token"
_MAX_CHARACTERS = 500
_LONGEST_STREAM_S = 3600  # Exotel cuts every stream after an hour
_RINGS_S = 180  # the order, its repeats, the ringing of both ends, and the handshake
_PICKS_UP = "picks-up"  # never the id of a token that a session waits for


class BadToken(Exception):
    """The token opens nothing. `reason` is for our log, never for the peer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class MediaToken:
    """What a good token says: the id that the session waits for, and the call it was made for (empty before a dial is answered).

    One that is no longer fresh opens nothing new; it may only pick up a line that broke.
    """

    token_id: str
    session_id: str
    call_sid: str
    is_fresh: bool = True


def issue(session: Session, *, call_sid: str = "") -> str:
    """A token for the session's audio. Asked again before its use, the copies open the same door and only one of them gets in.

    Raises `CallRefused` if the session no longer waits for audio.
    """
    return signing.dumps([issue_media_token(session), session.session_id, call_sid], salt=_SALT)


def issue_again(session: Session, *, call_sid: str) -> str:
    """A token that opens nothing new but may pick up the session's line, should that have broken."""
    return signing.dumps([_PICKS_UP, session.session_id, call_sid], salt=_SALT)


def check(token: str) -> MediaToken:
    """The content of a token that we signed; fresh if no longer than MEDIA_TOKEN_TTL_S ago. Raises `BadToken`.

    One that went out with the order to dial has first to wait until somebody answers: that is no staleness.
    """
    if len(token) > _MAX_CHARACTERS:
        raise BadToken("too long to be ours")
    try:
        known = _read(token, max(_LONGEST_STREAM_S, settings.MEDIA_TOKEN_TTL_S))
        fresh_s = settings.MEDIA_TOKEN_TTL_S if known.call_sid else max(_RINGS_S, settings.MEDIA_TOKEN_TTL_S)
    except signing.SignatureExpired:
        raise BadToken("expired") from None
    except (signing.BadSignature, msgspec.ValidationError, ValueError):
        raise BadToken("not signed by us") from None
    try:
        return _read(token, fresh_s)
    except signing.SignatureExpired:
        return replace(known, is_fresh=False)


def _read(token: str, max_age_s: int) -> MediaToken:
    token_id, session_id, call_sid = msgspec.convert(signing.loads(token, salt=_SALT, max_age=max_age_s), tuple[str, str, str])
    return MediaToken(token_id, session_id, call_sid, token_id != _PICKS_UP)
