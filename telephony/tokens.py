"""The token in a media socket's path: signed, short-lived, bound to one session. That it works only once is `calls`' to keep.

A signature is checked before anything is asked of the database, so that forged sockets cost nothing.
"""

from dataclasses import dataclass

import msgspec
from django.conf import settings
from django.core import signing

from calls.commands import issue_media_token
from calls.models import Session

_SALT = "telephony.media-token"
_MAX_CHARACTERS = 500


class BadToken(Exception):
    """The token opens nothing. `reason` is for our log, never for the peer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class MediaToken:
    """What a good token says: the id that the session waits for, and the call it was made for (empty before a dial is answered)."""

    token_id: str
    session_id: str
    call_sid: str


def issue(session: Session, *, call_sid: str = "") -> str:
    """A token for the session's audio. Asked again before its use, the copies open the same door and only one of them gets in.

    Raises `CallRefused` if the session no longer waits for audio.
    """
    return signing.dumps([issue_media_token(session), session.session_id, call_sid], salt=_SALT)


def check(token: str) -> MediaToken:
    """The content of a token that we signed no longer than MEDIA_TOKEN_TTL_S ago. Raises `BadToken`."""
    if len(token) > _MAX_CHARACTERS:
        raise BadToken("too long to be ours")
    try:
        return MediaToken(*msgspec.convert(signing.loads(token, salt=_SALT, max_age=settings.MEDIA_TOKEN_TTL_S), tuple[str, str, str]))
    except signing.SignatureExpired:
        raise BadToken("expired") from None
    except (signing.BadSignature, msgspec.ValidationError, ValueError):
        raise BadToken("not signed by us") from None
