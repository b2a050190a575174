"""What a call's line can tell of itself beside its audio: when it was opened, what went over it, how it ended. Read, never awaited.

A link need not know any of it: those of tests and demonstrations do not.
"""

from datetime import datetime
from typing import Any, Final

_COUNTS: Final = {
    "received_frames": "frames",
    "dropped_frames": "dropped",
    "bad_messages": "unreadable",
    "marks_sent": "marks_sent",
    "marks_back": "marks_back",
    "clears": "clears",
}


class Line:
    """One stream. `connected_at`: when its socket was accepted; None if nobody knows."""

    def __init__(self, link: Any) -> None:
        self._link = link
        self._told = (0, 0)
        self.connected_at: datetime | None = getattr(link, "connected_at", None)

    def opening(self) -> dict[str, Any]:
        return {"sample_rate_hz": self._link.sample_rate_hz}

    def marks(self) -> str:
        """`2 of 3 marks came back`, of those since it was last asked: once an utterance, never once a frame. Empty: none was sent."""
        sent, back = self._count("marks_sent"), self._count("marks_back")
        sent_before, back_before = self._told
        if sent == sent_before:
            return ""
        self._told = (sent, back)
        return f"{min(back - back_before, sent - sent_before)} of {sent - sent_before} marks came back"  # one may be late, from before

    def closing(self) -> dict[str, Any]:
        """How it ended, and how much went over it; what is 0 is left out."""
        how = str(getattr(self._link, "ending", ""))[:80]
        counted = {name: self._count(attribute) for attribute, name in _COUNTS.items()}
        return {**({"how": how} if how else {}), **{name: count for name, count in counted.items() if count}}

    def _count(self, name: str) -> int:
        return int(getattr(self._link, name, 0))
