"""A conversation whose line or process was lost goes on in a new stream: with its history, its count of turns and its clock.

Decides what the new stream has to know; nothing here talks.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import structlog
from django.utils import timezone

from agents import prompts
from calls import commands, queries
from calls.conductor.rows import in_thread
from calls.models import Session, Turn
from engine.plan import SessionPlan
from engine.ports import Message

logger = structlog.get_logger()

_LEAST_LEFT_MS: Final = 30_000
_BEYOND_ANY_TURN: Final = 10_000  # where counting goes on if the turns cannot be read


@dataclass(frozen=True, slots=True)
class Before:
    """What was there before this stream. `elapsed_ms`: from the session's start to the stream's; `part` counts the streams before it."""

    messages: tuple[Message, ...] = ()
    last_turn: int = 0
    elapsed_ms: int = 0
    part: int = 0


def recalled(turns: Iterable[Turn], *, elapsed_ms: int, part: int, notes: Iterable[str] = ()) -> Before:
    """Turns in the order in which they were spoken, as the model is to remember them: words of one side in a row are one message.

    What operators have whispered stands behind them. Pure.
    """
    messages: list[Message] = []
    last_turn = 0
    for turn in turns:
        last_turn = max(last_turn, turn.number)
        role: str = "user" if turn.speaker == Turn.Speaker.CALLER else "assistant"
        text = turn.text.strip()
        if not text:
            continue
        if messages and messages[-1].role == role:
            messages[-1] = replace(messages[-1], content=f"{messages[-1].content} {text}")
        else:
            messages.append(Message("user" if role == "user" else "assistant", text))
    messages += [Message("system", prompts.whisper(note)) for note in notes]
    return Before(tuple(messages), last_turn, elapsed_ms, part)


def continued(plan: SessionPlan, before: Before) -> SessionPlan:
    """The plan of a talk that goes on: it is not greeted anew but asked whether the caller is still there. Pure."""
    if before.part == 0:
        return plan
    return replace(
        plan,
        history=(*plan.history, *before.messages),
        first_message=(plan.still_there or plan.first_message) if before.messages else plan.first_message,
        max_duration_ms=max(plan.max_duration_ms - before.elapsed_ms, _LEAST_LEFT_MS),
    )


async def recall(session: Session) -> Before:
    """What came before, from the rows; nothing, and no question asked of them, if this is the session's first stream."""
    if not commands.is_resumed(session):
        return Before()
    elapsed_ms = max(0, round((timezone.now() - (session.started_at or timezone.now())).total_seconds() * 1000))
    try:
        turns, part, notes = await in_thread(partial(_read, session))
    except Exception as error:  # noqa: BLE001 - a talk without memory is better than none
        logger.error("history_not_read", error=type(error).__name__)
        return Before(last_turn=_BEYOND_ANY_TURN, elapsed_ms=elapsed_ms, part=_BEYOND_ANY_TURN)
    return recalled(turns, elapsed_ms=elapsed_ms, part=part, notes=notes)


def _read(session: Session) -> tuple[list[Turn], int, list[str]]:
    return queries.turns(session), queries.times_resumed(session), queries.whispered(session)
