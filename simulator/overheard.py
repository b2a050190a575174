"""What the fake recognisers told their clients and when, for whoever measures how soon a client acts on it.

Nothing here knows which call a stream belongs to: a scenario in which the caller says a number of their own tells it.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_MOST_STREAMS = 2_000
_MOST_REPORTS = 1_000


@dataclass(slots=True)
class Told:
    """One stream: (loop time in s, "speech" or "words", text) for each message that told of speech, oldest first."""

    reports: list[tuple[float, str, str]] = field(default_factory=list)

    def note(self, message: Mapping[str, Any], now_s: float) -> None:
        """Takes a message that goes out at `now_s`; one without speech in it is passed over."""
        if len(self.reports) >= _MOST_REPORTS:
            return
        match message:
            case {"type": "SpeechStarted"}:
                self.reports.append((now_s, "speech", ""))
            case {"type": "Results", "channel": {"alternatives": [{"transcript": str(text)}]}} if text:
                self.reports.append((now_s, "words", text))
            case {"type": "TurnInfo", "transcript": str(text)} if text:
                self.reports.append((now_s, "words", text))


class Overheard:
    """The streams of one server, a bounded number of them."""

    def __init__(self) -> None:
        self.streams: deque[Told] = deque(maxlen=_MOST_STREAMS)

    def stream(self) -> Told:
        told = Told()
        self.streams.append(told)
        return told
