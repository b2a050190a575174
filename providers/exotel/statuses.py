"""Exotel's words for how a call stands, turned into ours: one table. An unknown word is None, never a guess and never an error."""

from typing import Final

# Left: every word found in Exotel's REST tables, applets, callbacks and its v3 API. Right: the words of `calls.status.CallStatus`.
_CALL_STATUS: Final[dict[str, str]] = {
    "queued": "initiated",  # with Exotel, not with us: our own "queued" ends when the carrier has the call
    "initiated": "initiated",
    "ringing": "ringing",
    "in-progress": "in-progress",
    "answered": "in-progress",
    "completed": "completed",
    "busy": "busy",
    "failed": "failed",
    "no-answer": "no-answer",
    "canceled": "canceled",
    "cancelled": "canceled",
    "client-hangup": "canceled",
    "from-leg-unanswered": "no-answer",
    "to-leg-unanswered": "no-answer",
    "from-leg-cancelled": "canceled",
    "to-leg-cancelled": "canceled",
    "from-leg-no-dial": "failed",
    "to-leg-no-dial": "failed",
}
TERMINAL: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})

_DIRECTION: Final[dict[str, str]] = {
    "incoming": "inbound",
    "inbound": "inbound",
    "outbound": "outbound",
    "outgoing": "outbound",
    "outbound-dial": "outbound",
    "outbound-api": "outbound",
}


def _word(text: object) -> str:
    return str(text or "").strip().strip('"').lower().replace("_", "-").replace(" ", "-")


def call_status(word: object) -> str | None:
    """Our status for Exotel's word, however it is written; None if the word is empty or unknown."""
    return _CALL_STATUS.get(_word(word))


def direction(word: object) -> str | None:
    """`inbound` or `outbound`, from the words of the REST API and of the applets; None if unknown."""
    return _DIRECTION.get(_word(word))
