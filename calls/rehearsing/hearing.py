"""What is known of a call by voice, read from its rows: the agent's turns while it goes on, and the whole talk once it is over.

The caller is told the agent's words as the agent's side has kept them, cut where the caller's line had played them; its sound is not
recognised once more. So words that a voice garbles are not noticed here.
"""

from collections.abc import Sequence
from typing import Any

from calls.models import CallEvent, Session, ToolRun, Turn
from calls.rehearsing.talk import AGENT, Line, Talk, ToolUse
from engine.events import EndReason

_COLLECT = "collect_digits"


def played_turns(session: Session, *, after: int) -> list[tuple[int, Line]]:
    """The agent's turns that have been played to their end since, each with the key of the event that tells so; `after`: the last of these.

    Not the rows of turns: the words of one that goes on stand there as well, also while it waits for a tool.
    """
    told = CallEvent.objects.filter(session=session, kind="turn-played", pk__gt=after).order_by("pk").values_list("pk", "facts__turn")
    played = list(told)
    if not played:
        return []
    turns = Turn.objects.filter(session=session, speaker=Turn.Speaker.AGENT, number__in=[number for _pk, number in played])
    words = dict(turns.values_list("number", "text"))
    return [(pk, Line(number, AGENT, words[number])) for pk, number in played if words.get(number, "").strip()]


def was_broken_off(session: Session, number: int) -> bool:
    """Whether the caller spoke over this turn of the agent's, and it fell silent."""
    return Turn.objects.filter(session=session, number=number, interrupted=True).exists()


def asks_for_keys(session: Session) -> int:
    """Which wish for keys is open: its row's key; 0 if none is."""
    runs = ToolRun.objects.filter(session=session, tool=_COLLECT, state=ToolRun.State.RUNNING)
    return runs.order_by("-pk").values_list("pk", flat=True).first() or 0


def state(session: Session) -> str:
    """Once it has ended all of its rows are there: its end is written last."""
    return Session.objects.values_list("state", flat=True).get(pk=session.pk)


def whole_talk(session: Session) -> Talk:
    """The talk as its rows tell it, once they are complete."""
    session.refresh_from_db()
    turns = list(Turn.objects.filter(session=session).order_by("number"))
    talk = Talk(lines=[Line(turn.number, turn.speaker, turn.text) for turn in turns], is_spoken=True)
    talk.reason = EndReason(session.end_reason) if session.end_reason else None
    if session.started_at is not None:
        ended_at = session.ended_at or session.started_at
        talk.lasted_ms = max(0, round((ended_at - session.started_at).total_seconds() * 1000))
    talk.tools = [_used(session, run, turns) for run in ToolRun.objects.filter(session=session).order_by("pk")]
    failed = CallEvent.objects.filter(session=session, kind="provider-failed").order_by("pk").values_list("facts", flat=True)
    talk.failures = [_failure(facts) for facts in failed]
    return talk


def _used(session: Session, run: ToolRun, turns: Sequence[Turn]) -> ToolUse:
    """A tool belongs to the agent's turn that ended next, or was the last."""
    at_ms = (run.started_at - (session.started_at or run.started_at)).total_seconds() * 1000
    own = [turn for turn in turns if turn.speaker == AGENT]
    number = next((turn.number for turn in own if turn.ended_ms >= at_ms), own[-1].number if own else 0)
    return ToolUse(run.tool, run.arguments, run.result, ok=run.state == ToolRun.State.DONE, turn=number)


def _failure(facts: dict[str, Any]) -> str:
    return f"{facts.get('provider', '')} {facts.get('reason', '')}".strip()
