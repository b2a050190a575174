"""When the caller of a rehearsal by voice speaks, falls silent or gives up, as people on the telephone do. Pure."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from calls.rehearsing.lines import Heard

REACTION_MS: Final = 700  # of quiet behind the agent's words before somebody answers
GIVES_WAY_MS: Final = 800  # of the agent's sound over the caller's words: they stop, as most people do
DEAD_AIR_MS: Final = 45_000  # agents ask whether anybody is there long before


class Move(Enum):
    WAIT = "wait"
    ANSWER = "answer"
    GIVE_WAY = "give way"
    GIVE_UP = "give up"


@dataclass(frozen=True, slots=True)
class Situation:
    """`has_news`: the agent has ended a turn that was not answered; `is_asked_for_keys`: it waits for keys, and was not answered;
    `opens`: the caller is to speak first and has not; `idle_ms`: since anybody last did anything.
    """

    heard: Heard
    has_news: bool = False
    is_asked_for_keys: bool = False
    opens: bool = False
    idle_ms: int = 0


def move(now: Situation) -> Move:
    if now.heard.is_speaking:
        return Move.GIVE_WAY if now.heard.overlap_ms >= GIVES_WAY_MS else Move.WAIT
    quiet_ms = now.heard.now_ms if now.heard.quiet_ms is None else now.heard.quiet_ms
    if quiet_ms < REACTION_MS:
        return Move.WAIT
    if now.has_news or now.is_asked_for_keys or now.opens:
        return Move.ANSWER
    return Move.GIVE_UP if now.idle_ms >= DEAD_AIR_MS else Move.WAIT


def said_of(text: str, share: float) -> str:
    """The words of `text` that were said before it was broken off."""
    if share >= 1.0:
        return text
    return text[: round(len(text) * share)].rpartition(" ")[0]
