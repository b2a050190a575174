"""What the agent did beside talking, for a call's page: its tools and the hand-over. Reads rows that are already loaded."""

from dataclasses import dataclass

from calls import wording
from calls.models import Session, ToolRun, Transfer

_WORDS = {
    ToolRun.State.RUNNING: ("Running", "wait"),
    ToolRun.State.DONE: ("Done", "good"),
    ToolRun.State.FAILED: ("Not done", "warn"),
    ToolRun.State.UNKNOWN: ("Nobody knows", "bad"),
}
# The carrier's word for how the person who was rung answered.
_OUTCOMES = {"answered": ("Answered", "good"), "completed": ("Answered", "good"), "": ("Not known yet", "wait")}


@dataclass(frozen=True, slots=True)
class ToolLine:
    """One deed: what, how it stands, and in which words it was asked for."""

    what: str
    state: str
    tone: str
    facts: str


def tool_lines(session: Session, *, sees_numbers: bool = False) -> list[ToolLine]:
    """The tools in the order in which they ran, then the hand-over. The caller's number in their arguments may be masked."""
    hidden = "" if sees_numbers else session.user_phone
    lines = [_tool_line(run, hidden) for run in session.tool_runs.all() if run.tool != "transfer_call" or run.state == ToolRun.State.FAILED]
    transfer: Transfer | None = getattr(session, "transfer", None)
    if transfer is not None:
        state, tone = _OUTCOMES.get(transfer.outcome, (transfer.outcome.replace("-", " ").capitalize(), "warn"))
        lines.append(ToolLine(f"Handed over to {transfer.name}", state, tone, ""))
    return lines


def run_words(run: ToolRun) -> tuple[str, str]:
    """How a tool's run stands, and the tone of that."""
    return _WORDS[ToolRun.State(run.state)]


def _tool_line(run: ToolRun, hidden: str) -> ToolLine:
    state, tone = run_words(run)
    arguments = wording.without_number(run.arguments, hidden)
    return ToolLine(run.tool, state, tone, " · ".join(f"{name}: {value}" for name, value in arguments.items()))
