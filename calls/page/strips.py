"""The latency of turns drawn to one scale: what each part took, what the line added, and the middle of each part over the call. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from calls import wording

PARTS = ("endpointing", "model", "voice", "other", "carrier")
# A longer gap is no line: somebody was thinking, or a turn was not found where it is.
_LONGEST_LINE_MS = 4_000
SHORTEST_SCALE_MS = 2_000


@dataclass(frozen=True, slots=True)
class PartFigure:
    """The median length of one part, over the turns that have it."""

    name: str
    median_ms: int

    @property
    def words(self) -> str:
        return wording.part_words(self.name)


def add_line(turn: dict[str, Any], line_ms: int | None) -> None:
    """Appends what the line added: the gap that the recording has between caller and agent, less what we measured ourselves."""
    own_ms = turn["latency_ms"]
    if own_ms is None or line_ms is None or not own_ms < line_ms <= own_ms + _LONGEST_LINE_MS:
        return
    turn["parts"] = [
        *turn["parts"],
        {"name": "carrier", "words": wording.part_words("carrier"), "start_ms": own_ms, "length_ms": line_ms - own_ms},
    ]
    turn["line_ms"] = line_ms


def figures(turns: Iterable[dict[str, Any]]) -> list[PartFigure]:
    lengths: dict[str, list[int]] = {}
    for turn in turns:
        for part in turn["parts"]:
            lengths.setdefault(part["name"], []).append(part["length_ms"])
    return [PartFigure(name, round(median(lengths[name]))) for name in PARTS if name in lengths]


def scale_ms(turns: Sequence[dict[str, Any]]) -> int:
    """How long the whole width of every strip is: the slowest turn, in full half seconds."""
    ends = (part["start_ms"] + part["length_ms"] for turn in turns for part in turn["parts"])
    longest = max(ends, default=0)
    return max(SHORTEST_SCALE_MS, -(-longest // 500) * 500)
