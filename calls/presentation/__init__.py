"""What pages and live sockets show of a call. Reads rows that are already loaded; decides nothing about calls and writes nothing."""

from calls.presentation.alarms import AlarmLine, alarm_line, endpoint_line, price_line
from calls.presentation.beside import beside_json
from calls.presentation.costs import CostLine, Costs, PriceNote, costs, estimate_words
from calls.presentation.deeds import ToolLine, tool_lines
from calls.presentation.hooks import HookLine, hook_lines
from calls.presentation.live import call_json, figures_json, is_live, snapshot_json, talk_json, turn_json, turns_json
from calls.presentation.pages import CallRow, JobLine, call_row, job_line, utterances
from calls.presentation.reading import ReadCall, mark_unheard, read_call
from calls.presentation.spending import SoFar, call_minute_words, minute_words, so_far
from calls.presentation.timeline import EndFacts, EventLine, end_facts, event_lines

__all__ = [
    "AlarmLine",
    "CallRow",
    "CostLine",
    "Costs",
    "EndFacts",
    "EventLine",
    "HookLine",
    "JobLine",
    "PriceNote",
    "ReadCall",
    "SoFar",
    "ToolLine",
    "alarm_line",
    "beside_json",
    "call_json",
    "call_minute_words",
    "call_row",
    "costs",
    "end_facts",
    "endpoint_line",
    "estimate_words",
    "event_lines",
    "figures_json",
    "hook_lines",
    "is_live",
    "job_line",
    "mark_unheard",
    "minute_words",
    "price_line",
    "read_call",
    "snapshot_json",
    "so_far",
    "talk_json",
    "tool_lines",
    "turn_json",
    "turns_json",
    "utterances",
]
