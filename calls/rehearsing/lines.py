"""What a rehearsal by voice needs of the telephone, in words only: whoever has the line registers how one is opened.

So that no arrow points up: the line speaks the carrier's protocol, and calls know no carrier.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from calls.models import Session

LINE_RATE_HZ = 8000
CLOSED_EARLY = "The media process closed the call before it began. Its log says why (media_refused)."


class NoLine(Exception):
    """The call cannot be made. `message` says why and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class EveryLineIsBusy(Exception):
    """Not now: all media processes are full."""

    message = "Every line is busy. The rehearsal waits until a call has ended."


@dataclass(frozen=True, slots=True)
class Heard:
    """How the line stands, in ms of its own clock, which begins when it is open.

    `quiet_ms`: since the agent's last sound; None if it has made none. `overlap_ms`: how much of it sounded since the caller began to
    speak, while they speak. `sounded_ms`: all of it. `waits_ms`: from the end of the caller's words, or the opening, to the agent's next
    sound, each time that there was one; `waiting_ms`: for how long they wait for it now.
    """

    now_ms: int = 0
    is_over: bool = False
    is_speaking: bool = False
    quiet_ms: int | None = None
    overlap_ms: int = 0
    sounded_ms: int = 0
    waits_ms: tuple[int, ...] = ()
    waiting_ms: int = 0


class Line(Protocol):
    """The caller's end of one call, open. Nothing but `close` waits, and that no longer than some seconds."""

    def look(self) -> Heard: ...

    def say(self, pcm: bytes) -> None:
        """Begins to say this, at `LINE_RATE_HZ`; what was still being said is dropped."""

    def hush(self) -> float:
        """Falls silent; gives the share of what was being said that was said."""

    def press(self, keys: str) -> None: ...

    def close(self) -> None:
        """Hangs up if the call goes on. Idempotent; the line is gone afterwards."""


Opener = Callable[[Session], Line]

_openers: list[Opener] = []


def install(opener: Opener) -> None:
    """`opener(session)` calls the agent of a session that waits for its audio. It raises `NoLine` or `EveryLineIsBusy`."""
    _openers[:] = [opener]


def open_line(session: Session) -> Line:
    """Raises `NoLine` or `EveryLineIsBusy`."""
    if not _openers:
        raise NoLine("This process knows no way to open a line. Hold the rehearsal in a worker.")
    return _openers[0](session)
