"""What pages and live sockets show of a call. Reads rows that are already loaded; decides nothing about calls and writes nothing."""

from calls.presentation.deeds import ToolLine, tool_lines
from calls.presentation.live import call_json, figures_json, is_live, snapshot_json, turn_json, turns_json
from calls.presentation.pages import CallRow, CostLine, JobLine, call_row, cost_lines, job_line, utterances
from calls.presentation.reading import ReadCall, mark_unheard, read_call
from calls.presentation.timeline import EndFacts, EventLine, end_facts, event_lines

__all__ = [
    "CallRow",
    "CostLine",
    "EndFacts",
    "EventLine",
    "JobLine",
    "ReadCall",
    "ToolLine",
    "call_json",
    "call_row",
    "cost_lines",
    "end_facts",
    "event_lines",
    "figures_json",
    "is_live",
    "job_line",
    "mark_unheard",
    "read_call",
    "snapshot_json",
    "tool_lines",
    "turn_json",
    "turns_json",
    "utterances",
]
