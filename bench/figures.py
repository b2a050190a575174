"""From a run's reports to a row of figures. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BUSY_LINE = 0.85
"""From this share of its core on the simulator is late itself, and what it measures is no longer the subject's."""


@dataclass(frozen=True)
class Figures:
    """One row: `calls` at once on `subject`; times in ms; CPU in ms for each second of one call; memory in MB for each call.

    `gaps`: hollows in the agent's sound. `line_load`: the share of one core that the simulator used.
    """

    subject: str
    calls: int
    completed: int
    turns: int
    added_ms: tuple[float, float, float, float]
    stop_ms: tuple[float, float, float, float]
    cpu_ms_per_call_second: float
    mb_per_call: float
    gaps: int
    breaches: int
    line_load: float


def percentiles(values: Sequence[float]) -> tuple[float, float, float, float]:
    """Median, 90th, 95th and 99th percentile; NaN of nothing."""
    if not values:
        return (float("nan"),) * 4
    ordered = sorted(values)
    return tuple(ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))] for share in (0.5, 0.9, 0.95, 0.99))  # type: ignore[return-value]


def figures(
    reports: Sequence[dict[str, Any]], *, subject: str, calls: int, scripted_ms: float, cpu_ms: float, grown_mb: float, line_load: float
) -> Figures:
    """`scripted_ms`: the waits that the simulator was told to make in each turn; what is left of voice-to-voice is the subject's."""
    turns = [turn for report in reports for turn in report["turns"]]
    added = [turn["received_ms"] - scripted_ms for turn in turns if turn["received_ms"] is not None and not turn["interrupts"]]
    stops = [turn["interruption_ms"] for turn in turns if turn["interruption_ms"] is not None]
    seconds = sum(report["duration_ms"] for report in reports) / 1000
    return Figures(
        subject=subject,
        calls=calls,
        completed=sum(report["ok"] for report in reports),
        turns=len(added),
        added_ms=percentiles(added),
        stop_ms=percentiles(stops),
        cpu_ms_per_call_second=cpu_ms / seconds if seconds else float("nan"),
        mb_per_call=grown_mb / calls,
        gaps=sum(report["gaps"] for report in reports),
        breaches=sum(len(report["breaches"]) for report in reports),
        line_load=line_load,
    )


def table(rows: Sequence[Figures]) -> str:
    """The rows for a terminal, percentiles side by side."""
    shares = " ".join(f"{share:>6}" for share in ("p50", "p90", "p95", "p99"))
    titles = (
        f"{'':<12} {'calls':>5} {'done':>5} {'turns':>6} | {'added latency, ms':^27} | {'first sound to silence, ms':^27} | "
        f"{'CPU ms per':>11} {'MB per':>7} {'':>5} {'rules':>6} {'line':>5}",
        f"{'':<12} {'':>5} {'':>5} {'':>6} | {shares} | {shares} | {'call-second':>11} {'call':>7} {'gaps':>5} {'broken':>6} {'busy':>5}",
    )
    notes = ["* the simulator had no time left itself: these latencies are its own as much as the subject's"] if _is_any_late(rows) else []
    return "\n".join([*titles, "-" * len(titles[1]), *(_line(row) for row in rows), *notes])


def _is_any_late(rows: Sequence[Figures]) -> bool:
    return any(row.line_load >= BUSY_LINE for row in rows)


def _line(row: Figures) -> str:
    added, stop = (" ".join(f"{_number(value):>6}" for value in values) for values in (row.added_ms, row.stop_ms))
    ours = f"{row.cpu_ms_per_call_second:>11.1f} {row.mb_per_call:>7.2f} {row.gaps:>5} {row.breaches:>6}"
    late = "*" if row.line_load >= BUSY_LINE else " "
    return f"{row.subject:<12} {row.calls:>5} {row.completed:>5} {row.turns:>6} | {added} | {stop} | {ours} {row.line_load:>4.0%}{late}"


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.0f}"
