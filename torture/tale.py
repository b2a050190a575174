"""What a run found, as rows of one table."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

HEAD = "| fault | trials | lost | doubled | paid for nothing | remarks |\n|---|---:|---:|---:|---:|---|"


@dataclass
class Row:
    """One fault. `lost` and `doubled` count recordings, transcripts, charges, calls or deliveries; zeros are what is promised.

    `wasted` are paid requests whose answer nobody saw, each with an Attempt row of its own (one without counts as lost).
    """

    fault: str
    trials: int = 0
    lost: int = 0
    doubled: int = 0
    wasted: int = 0
    remarks: str = ""
    details: list[str] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        return self.trials > 0 and not self.lost and not self.doubled

    @property
    def line(self) -> str:
        return f"| {self.fault} | {self.trials:,} | {self.lost} | {self.doubled} | {self.wasted} | {self.remarks} |"


def told(row: Row) -> Row:
    """Prints a row as soon as it is known, with what was wrong in it."""
    print(f"{'ok  ' if row.is_kept else 'LOST'} {row.fault}: {row.trials:,} trials, {row.lost} lost, {row.doubled} doubled", end="")
    print(f", {row.wasted} paid for nothing. {row.remarks}".rstrip(), flush=True)
    for detail in row.details[:8]:
        print(f"       {detail}", flush=True)
    if len(row.details) > 8:
        print(f"       and {len(row.details) - 8} more", flush=True)
    return row


@dataclass(frozen=True)
class Part:
    """What one part found. `measured`: when and where; `scale`: how much it did, so that nothing small is told beside something full."""

    name: str
    measured: str
    rows: list[Row]
    seconds: float
    scale: str = ""

    @property
    def is_kept(self) -> bool:
        return all(row.is_kept for row in self.rows)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def of_json(cls, text: str) -> "Part":
        found = json.loads(text)
        return cls(**{**found, "rows": [Row(**row) for row in found["rows"]]})


def markdown(parts: Sequence[Part]) -> str:
    """One table; parts of several runs say each when they were measured."""
    rows = "\n".join(row.line for part in parts for row in part.rows)
    runs = {part.measured: [other for other in parts if other.measured == part.measured] for part in parts}
    told = [f"{measured}: {', '.join(f'{part.name} in {part.seconds / 60:.0f} min' for part in of_it)}" for measured, of_it in runs.items()]
    return f"Measured {'; '.join(told)}.\n\n{HEAD}\n{rows}\n"


def machine() -> str:
    model = next((line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine())
    return f"{datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores ({model}), Python {platform.python_version()}"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
