"""How many requests Exotel takes from one account, as the client sees it: it asks before each request and tells of each refusal."""

from enum import StrEnum
from typing import Protocol


class Purpose(StrEnum):
    """What a request is for. When requests are scarce people who are to be called come first."""

    DIAL = "dial"
    RECORDING = "recording"
    DETAILS = "details"


class Pace(Protocol):
    """The account's budget, shared by whoever speaks for it."""

    def take(self, purpose: Purpose) -> float:
        """0 if the request may be made now, and is counted; else in how many seconds to ask again. Never raises."""

    def hold(self, wait_s: float) -> None:
        """Exotel has had enough: nobody asks for this long. Never raises."""


class Unpaced:
    """No budget: every request may be made."""

    def take(self, purpose: Purpose) -> float:
        return 0.0

    def hold(self, wait_s: float) -> None:
        return
