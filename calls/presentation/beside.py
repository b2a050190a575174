"""What was done in a call beside talking, placed where it belongs in the transcript: tools, and what operators told the agent or noted.

Reads one loaded row.
"""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from calls import wording
from calls.models import CallNote, OperatorOrder, Session, ToolRun
from calls.overview import Beside
from calls.presentation.deeds import run_words

LONGEST_RESULT_CHARS = 600


def beside_json(session: Session, row: Beside, *, sees_numbers: bool = False) -> dict[str, Any]:
    """A tool that ran or runs, what an operator wanted of the agent, or noted for other people, as pages draw it between the turns.

    The caller's number is masked in what tools were asked and gave back, unless the reader `sees_numbers`.
    """
    if isinstance(row, ToolRun):
        return _tool(session, row, "" if sees_numbers else session.user_phone)
    return _remark(session, row) if isinstance(row, CallNote) else _note(session, row)


def _tool(session: Session, run: ToolRun, hidden: str) -> dict[str, Any]:
    state, tone = run_words(run)
    took_ms = (run.ended_at - run.started_at).total_seconds() * 1000 if run.ended_at else None
    arguments, result = wording.without_number(run.arguments, hidden), wording.without_number(run.result, hidden)
    return {
        "kind": "tool",
        "key": f"tool-{run.pk}",
        **_place(session, run.started_at),
        "what": run.tool,
        "state_words": state if took_ms is None else f"{state}, {wording.latency_words(took_ms)}",
        "tone": tone,
        "arguments": " · ".join(f"{name}: {value}" for name, value in arguments.items()),
        "result": result if len(result) <= LONGEST_RESULT_CHARS else f"{result[:LONGEST_RESULT_CHARS]} …",
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


def _remark(session: Session, note: CallNote) -> dict[str, Any]:
    return {
        "kind": "remark",
        "key": f"remark-{note.pk}",
        **_place(session, note.created_at),
        "what": _("%(who)s noted") % {"who": note.author.get_full_name() or note.author.get_username()},
        "text": note.text,
        "state_words": _("The agent does not see it"),
        "tone": "quiet",
    }


def _place(session: Session, at: datetime) -> dict[str, Any]:
    at_ms = max(round((at - (session.started_at or at)).total_seconds() * 1000), 0)
    return {"at_ms": at_ms, "at_words": wording.duration_words(at_ms / 1000)}
