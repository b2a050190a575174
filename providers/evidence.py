"""The names of providers' requests: the evidence that the same use is never charged twice, and which of them spoke which text."""

import re
from collections import deque
from typing import Final
from uuid import uuid4

_NAME: Final = re.compile(r"[!-~]{1,80}")
MOST_USED: Final = 1_000_000_000
"""Of anything, in one request: a provider that says more of tokens, characters or milliseconds is not believed."""


def name_of(told: object) -> str:
    """A request's id or an error's code as a row can keep it: printable ASCII without blanks, not too long. Empty if it is none."""
    return told if isinstance(told, str) and _NAME.fullmatch(told) else ""


def own_name() -> str:
    """A unique key for a request whose provider gives it no usable one."""
    return f"local-{uuid4().hex}"


def is_plausible(quantity: object) -> bool:
    """Whether so much can have been used."""
    return isinstance(quantity, int) and not isinstance(quantity, bool) and 0 <= quantity <= MOST_USED


class SpokenRequests:
    """Request ids of finished or running speech, waiting to be accounted for; bounded, the oldest is forgotten."""

    def __init__(self, limit: int = 64) -> None:
        self._noted: deque[tuple[str, str]] = deque(maxlen=limit)

    def note(self, text: str, request_id: str) -> None:
        if name_of(request_id):
            self._noted.append((text, request_id))

    def take(self, text: str) -> str:
        """The request id under which `text` was spoken, given out once; else a unique key of our own."""
        for place, (noted, request_id) in enumerate(self._noted):
            if noted == text:
                del self._noted[place]
                return request_id
        return own_name()
