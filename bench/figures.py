"""From a run's reports to figures. Pure; times in ms."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median
from typing import Any

from bench.process import Load

BUSY_LINE = 0.85
"""From this share of its core on the simulator is late itself, and what it measures is no longer the subject's."""
LATE_LINE_MS = 10.0
"""So late in one tick of twenty is the simulator's own share of the tail."""
MUCH_OTHER_WORK = 0.05
"""From this share on somebody else worked on the subject's core: neither its latency nor its capacity is its own."""

NOTHING = float("nan")


@dataclass(frozen=True)
class Figures:
    """One row: `calls` at once on `subject` with messages of `frame_ms`.

    `added`: voice-to-voice at Exotel's door less the scripted waits. `hush`: from the recogniser's first word of the caller's speech to the
    clear, or the last audio that came, at Exotel. `first`: `start` to the first audio. CPU is for each second of one call, memory in MB for
    each call. `gaps`: hollows in the agent's sound. `unanswered`: turns and interruptions that the agent let pass.
    """

    subject: str
    frame_ms: int
    calls: int
    completed: float
    turns: float
    unanswered: float
    added_p50_ms: float
    added_p95_ms: float
    added_p99_ms: float
    hush_p50_ms: float
    hush_p95_ms: float
    first_p50_ms: float
    first_p95_ms: float
    cpu_ms: float
    cpu_over_idle_ms: float
    mb_per_call: float
    gaps: float
    breaches: float
    line_busy: float
    line_late_ms: float
    others_on_core: float

    @property
    def is_line_late(self) -> bool:
        return self.line_busy >= BUSY_LINE or self.line_late_ms >= LATE_LINE_MS

    @property
    def is_disturbed(self) -> bool:
        return self.others_on_core >= MUCH_OTHER_WORK


def percentile(values: Sequence[float], share: float) -> float:
    """A value that occurred; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))] if ordered else NOTHING


def figures(
    reports: Sequence[Mapping[str, Any]],
    hushes: Sequence[float | None],
    load: Load,
    *,
    subject: str,
    frame_ms: int,
    calls: int,
    scripted_ms: float,
    idle_cpu_share: float,
) -> Figures:
    """`scripted_ms`: the waits that the simulator was told to make in each turn; what is left of voice-to-voice is the subject's."""
    answers = [turn["received_ms"] for report in reports for turn in report["turns"] if not turn["interrupts"]]
    added = [answer - scripted_ms for answer in answers if answer is not None]
    hush = [value for value in hushes if value is not None]
    first = [value for report in reports if (value := first_sound_ms(report)) is not None]
    seconds = sum(report["duration_ms"] - (report["start_sent_ms"] or 0) for report in reports) / 1000 or NOTHING
    return Figures(
        subject=subject,
        frame_ms=frame_ms,
        calls=calls,
        completed=sum(report["ok"] for report in reports),
        turns=len(added),
        unanswered=len(answers) - len(added) + len(hushes) - len(hush) + calls - len(reports),
        added_p50_ms=percentile(added, 0.5),
        added_p95_ms=percentile(added, 0.95),
        added_p99_ms=percentile(added, 0.99),
        hush_p50_ms=percentile(hush, 0.5),
        hush_p95_ms=percentile(hush, 0.95),
        first_p50_ms=percentile(first, 0.5),
        first_p95_ms=percentile(first, 0.95),
        cpu_ms=load.cpu_ms / seconds,
        cpu_over_idle_ms=(load.cpu_ms - idle_cpu_share * load.elapsed_ms) / seconds,
        mb_per_call=load.grown_mb / calls,
        gaps=sum(report["gaps"] for report in reports),
        breaches=sum(len(report["breaches"]) for report in reports),
        line_busy=load.line_busy,
        line_late_ms=load.line_late_ms,
        others_on_core=load.others_on_core,
    )


def first_sound_ms(report: Mapping[str, Any]) -> float | None:
    """From the moment at which `start` is sent to the arrival of the agent's first audio at Exotel."""
    if report["first_audio_ms"] is None or report["start_sent_ms"] is None:
        return None
    return float(report["first_audio_ms"] - report["start_sent_ms"])


def stream_of(caller: str, streams: Sequence[Sequence[Sequence[Any]]]) -> Sequence[Sequence[Any]]:
    """What was told on the recogniser's stream in which somebody said the caller's number; nothing if nobody did."""
    said = re.compile(rf"\b{caller}\b")
    return next((told for told in streams if any(said.search(text) for _, _, text in told)), ())


def hushes_ms(report: Mapping[str, Any], told: Sequence[Sequence[Any]]) -> list[float | None]:
    """For each interruption of a speaking agent: first report of the caller's speech to the agent's silence at Exotel; None: it went on.

    `told`: (loop time in s, kind, text) as the simulator sent them. Silence is the clear, or the last audio that came after it while the
    caller still spoke. An interruption of which the recogniser told nothing is left out: there was nothing to act on.
    """
    found: list[float | None] = []
    turns = report["turns"]
    for place, turn in enumerate(turns):
        if not turn["interrupts"] or not turn["agent_was_speaking"]:
            continue
        next_ms = turns[place + 1]["start_ms"] if place + 1 < len(turns) else report["duration_ms"]
        told_ms = ((at_s - report["opened_s"]) * 1000 for at_s, _, _ in told)
        reported = next((at_ms for at_ms in told_ms if turn["start_ms"] <= at_ms < next_ms), None)
        if reported is None:
            continue
        clear = next((at_ms for at_ms in report["clears_ms"] if reported - 1 <= at_ms <= turn["end_ms"]), None)
        late = [last for first, last in report["bursts_ms"] if first <= turn["end_ms"] and last >= reported]
        went_on = any(last > turn["end_ms"] for last in late)
        found.append(None if clear is None or went_on else max(0.0, max([clear, *late]) - reported))
    return found


def middle(rows: Sequence[Figures]) -> Figures:
    """The median of several runs of one row, each figure for itself."""
    numbers = {field.name: _median([getattr(row, field.name) for row in rows]) for field in fields(Figures) if field.type is float}
    first = rows[0]
    return Figures(subject=first.subject, frame_ms=first.frame_ms, calls=first.calls, **numbers)


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if value == value]
    return median(known) if known else NOTHING
