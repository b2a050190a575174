"""The ticket with which a browser may hear one call: signed, good for half a minute and for one socket.

The web process gives it to whoever has the permission; the media process that holds the talk takes it. No row and no cache is asked for it:
that it is used once is known where it can be used at all.
"""

import secrets
from dataclasses import dataclass

import msgspec
from django.core import signing

from calls.models import Session

PATH = "/api/v1/media/listen"
GOOD_FOR_S = 30
_SALT = "calls.listening"
_MOST_CHARACTERS = 600


class BadTicket(Exception):
    """The ticket opens nothing. The message is for our log, never for the peer."""


@dataclass(frozen=True, slots=True)
class Ticket:
    ticket_id: str
    session_id: str
    by: str


def address(session: Session, *, by: str) -> str:
    """Where `by` (a user name) may listen to this session, once and soon."""
    ticket = signing.dumps([secrets.token_urlsafe(12), session.session_id, by], salt=_SALT)
    return f"{session.listen_url}{PATH}/{ticket}"


def check(ticket: str) -> Ticket:
    """What a ticket of ours says. Raises `BadTicket`."""
    if len(ticket) > _MOST_CHARACTERS:
        raise BadTicket("too long to be ours")
    try:
        told = signing.loads(ticket, salt=_SALT, max_age=GOOD_FOR_S)
        return Ticket(*msgspec.convert(told, tuple[str, str, str]))
    except signing.SignatureExpired:
        raise BadTicket("expired") from None
    except (signing.BadSignature, msgspec.ValidationError, ValueError):
        raise BadTicket("not signed by us") from None
