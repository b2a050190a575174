"""Rows of figures for a terminal, as Markdown for the README, and as JSON for whoever compares. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.figures import Figures


@dataclass(frozen=True)
class Standing:
    """What a subject costs and does apart from conversations. Greetings in ms; NaN: nothing was heard."""

    subject: str
    idle_cpu_ms_per_s: float
    greeting_p95_ms: float
    greeting_without_voice_p95_ms: float
    greetings_without_voice: str


@dataclass(frozen=True)
class Capacity:
    """How many calls a core carried; `least`: the line itself gave up first, so it may be more. `why` it was no more."""

    subject: str
    frame_ms: int
    calls: int
    least: bool
    why: str

    @property
    def sentence(self) -> str:
        return (
            f"{self.subject}, frames of {self.frame_ms} ms: {'at least ' if self.least else ''}{self.calls} calls on one core ({self.why})"
        )


_COLUMNS = (
    ("subject", 12), ("frames", 6), ("calls", 5), ("done", 5), ("turns", 6),
    ("added p50/95/99", 15), ("hush p50/95", 11), ("first p50/95", 12), ("CPU", 6), ("-idle", 6), ("MB", 6),
    ("gaps", 5), ("missed", 6), ("rules", 6), ("line", 5), ("late", 5), ("other", 6),
)  # fmt: skip

LEGEND = """\
added: caller's last sound to the agent's first at Exotel, less the scripted waits, ms
hush: the recogniser reports speech to the agent's silence at Exotel, ms · first: start to first audio, ms
CPU: ms for each second of one call; -idle: the same less what the process takes without calls · MB: for each call
gaps: hollows in the agent's sound · missed: turns without an answer, interruptions talked over · rules: Exotel's, broken
line: share of its core that the simulator used; late: its own lateness, p95 in ms (*: it was late itself, and so are these latencies)
other: foreign work on the subject's core (~: too much of it to believe the row)"""


def table(rows: Sequence[Figures]) -> str:
    """For a terminal."""
    head = "  ".join(f"{title:<{width}}" if place == 0 else f"{title:>{width}}" for place, (title, width) in enumerate(_COLUMNS))
    lines = [head, "-" * len(head)]
    for row in rows:
        cells = zip(_cells(row), _COLUMNS, strict=True)
        lines.append("  ".join(f"{cell:<{width}}" if place == 0 else f"{cell:>{width}}" for place, (cell, (_, width)) in enumerate(cells)))
    return "\n".join([*lines, "", LEGEND])


def one_line(row: Figures) -> str:
    """The chief figures, for whoever watches a run."""
    cells = _cells(row)
    return (
        f"{row.subject}, {row.calls} calls, {row.frame_ms} ms frames: added p95 {_number(row.added_p95_ms)} ms, hush p95 "
        f"{_number(row.hush_p95_ms)} ms, {_number(row.cpu_ms, 1)} ms of CPU a call-second, line {cells[-3]}, other {cells[-1]}"
    )


def standings(rows: Sequence[Standing]) -> str:
    """For a terminal: idle cost and first words."""
    return "\n".join(
        f"{row.subject}: idle {row.idle_cpu_ms_per_s:.1f} ms of CPU a second; "
        f"first sound p95 {_number(row.greeting_p95_ms)} ms after start; "
        f"with every voice provider down {_number(row.greeting_without_voice_p95_ms)} ms, heard in {row.greetings_without_voice} calls"
        for row in rows
    )


def markdown(machine: str, rows: Sequence[Figures], standing: Sequence[Standing], capacities: Sequence[Capacity]) -> str:
    """The short form for the README."""
    lines = [
        machine, "",
        "| | frames | calls | added latency p50 / p95 | silent after barge-in p95 | first sound p95 | CPU a call-second | MB a call |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        flag = f"{' *' if row.is_line_late else ''}{' ~' if row.is_disturbed else ''}"
        added = f"{_number(row.added_p50_ms)} / {_number(row.added_p95_ms)} ms"
        lines.append(
            f"| {row.subject}{flag} | {row.frame_ms} ms | {row.calls} | {added} | {_number(row.hush_p95_ms)} ms | "
            f"{_number(row.first_p95_ms)} ms | {_number(row.cpu_ms, 1)} ms | {_number(row.mb_per_call, 2)} |"
        )
    if any(row.is_line_late for row in rows):
        lines += ["", "\\* the simulated line was late itself: these latencies are its own as much as the subject's."]
    if any(row.is_disturbed for row in rows):
        lines += ["", "~ other work ran on the measured core: read as an upper bound."]
    if standing:
        lines += ["", *(f"- {line}" for line in standings(standing).splitlines())]
    if capacities:
        lines += ["", *(f"- {capacity.sentence}" for capacity in capacities)]
    return "\n".join(lines).replace("- ms", "–") + "\n"


def as_json(
    machine: str, rows: Sequence[Figures], runs: Sequence[Figures], standing: Sequence[Standing], capacities: Sequence[Capacity]
) -> dict[str, Any]:
    """Medians, every single run behind them, and the rest."""
    several: dict[str, Sequence[Figures] | Sequence[Standing] | Sequence[Capacity]] = {
        "rows": rows, "runs": runs, "standing": standing, "capacities": capacities,
    }  # fmt: skip
    return {"machine": machine, **{name: [_plain(asdict(row)) for row in values] for name, values in several.items()}}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(value, float) and value != value else value for name, value in row.items()}


def _cells(row: Figures) -> tuple[str, ...]:
    return (
        row.subject, f"{row.frame_ms}ms", str(row.calls), _number(row.completed), _number(row.turns),
        "/".join(_number(value) for value in (row.added_p50_ms, row.added_p95_ms, row.added_p99_ms)),
        f"{_number(row.hush_p50_ms)}/{_number(row.hush_p95_ms)}", f"{_number(row.first_p50_ms)}/{_number(row.first_p95_ms)}",
        _number(row.cpu_ms, 1), _number(row.cpu_over_idle_ms, 1), _number(row.mb_per_call, 2), _number(row.gaps), _number(row.unanswered),
        _number(row.breaches), f"{row.line_busy:.0%}{'*' if row.is_line_late else ''}", _number(row.line_late_ms, 1),
        f"{row.others_on_core:.0%}{'~' if row.is_disturbed else ''}",
    )  # fmt: skip


def _number(value: float, places: int = 0) -> str:
    return "-" if value != value else f"{value:.{places}f}"
