"""What the agent did beside talking, as a list for a call's page: its tools and the hand-over. What each was asked for and gave back stands
in the transcript. Reads rows that are already loaded."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from calls.models import Session, ToolRun, Transfer

_WORDS = {
    ToolRun.State.RUNNING: (gettext_noop("Running"), "wait"),
    ToolRun.State.DONE: (gettext_noop("Done"), "good"),
    ToolRun.State.FAILED: (gettext_noop("Not done"), "warn"),
    ToolRun.State.UNKNOWN: (gettext_noop("Nobody knows"), "bad"),
}
# The carrier's word for how the person who was rung answered.
_OUTCOMES = {
    "answered": (gettext_noop("Answered"), "good"),
    "completed": (gettext_noop("Answered"), "good"),
    "busy": (gettext_noop("Busy"), "warn"),
    "no-answer": (gettext_noop("No answer"), "warn"),
    "failed": (gettext_noop("Failed"), "warn"),
    "canceled": (gettext_noop("Canceled"), "warn"),
    "": (gettext_noop("Not known yet"), "wait"),
}


@dataclass(frozen=True, slots=True)
class ToolLine:
    """One deed: what, how it stands, and its place in the transcript; none for a hand-over."""

    what: str
    state: str
    tone: str
    place: str = ""


def tool_lines(session: Session) -> list[ToolLine]:
    """The tools in the order in which they ran, then the hand-over."""
    told = [run for run in session.tool_runs.all() if run.tool != "transfer_call" or run.state == ToolRun.State.FAILED]
    lines = [ToolLine(run.tool, *run_words(run), f"tool-{run.pk}") for run in told]
    transfer: Transfer | None = getattr(session, "transfer", None)
    if transfer is not None:
        state, tone = _OUTCOMES.get(transfer.outcome, (transfer.outcome.replace("-", " ").capitalize(), "warn"))
        lines.append(ToolLine(_("Handed over to %(name)s") % {"name": transfer.name}, _(state), tone))
    return lines


def run_words(run: ToolRun) -> tuple[str, str]:
    """How a tool's run stands, and the tone of that."""
    words, tone = _WORDS[ToolRun.State(run.state)]
    return _(words), tone
