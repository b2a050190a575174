"""What was done in a call beside talking, placed where it belongs in the transcript: tools and operators' notes. Reads one loaded row."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from calls import wording
from calls.models import OperatorOrder, Session, ToolRun
from calls.overview import Beside
from calls.presentation.deeds import run_words

LONGEST_RESULT_CHARS = 600


def beside_json(session: Session, row: Beside) -> dict[str, Any]:
    """A tool that ran or runs, or what an operator wanted of the agent, as the live page draws it."""
    return _tool(session, row) if isinstance(row, ToolRun) else _note(session, row)


def _tool(session: Session, run: ToolRun) -> dict[str, Any]:
    state, tone = run_words(run)
    took_ms = (run.ended_at - run.started_at).total_seconds() * 1000 if run.ended_at else None
    result = run.result if len(run.result) <= LONGEST_RESULT_CHARS else f"{run.result[:LONGEST_RESULT_CHARS]} …"
    return {
        "kind": "tool",
        "key": f"tool-{run.pk}",
        **_place(session, run.started_at),
        "what": run.tool,
        "state_words": state if took_ms is None else f"{state}, {wording.latency_words(took_ms)}",
        "tone": tone,
        "arguments": " · ".join(f"{name}: {value}" for name, value in run.arguments.items()),
        "result": result,
    }


def _note(session: Session, order: OperatorOrder) -> dict[str, Any]:
    is_whisper = order.kind == OperatorOrder.Kind.WHISPER
    return {
        "kind": "note",
        "key": f"note-{order.pk}",
        **_place(session, order.created_at),
        "what": (_("%(who)s whispered") if is_whisper else _("%(who)s hands the caller over to %(whom)s"))
        % {"who": order.by, "whom": order.destination},
        "text": order.text,
        "state_words": _("The agent knows") if order.taken_at else _("On its way to the agent"),
        "tone": "good" if order.taken_at else "wait",
    }


def _place(session: Session, at: datetime) -> dict[str, Any]:
    at_ms = max(round((at - (session.started_at or at)).total_seconds() * 1000), 0)
    return {"at_ms": at_ms, "at_words": wording.duration_words(at_ms / 1000)}
