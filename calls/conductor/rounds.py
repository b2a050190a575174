"""Writes the rows of many conversations in one go: in order within each, and with one statement where several have the same to write.

Runs in a thread. A row that cannot be written stops its own conversation here and those that stood in the same statement; each of them is
then tried by itself, elsewhere. Must never let one conversation's row cost another's.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Together = Callable[[Sequence[Any]], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One repeatable write: `together` with the parts of others, or `alone`."""

    what: str
    together: Together | None = None
    part: Any = None
    alone: Callable[[], object] | None = None

    def write(self) -> None:
        if self.alone is not None:
            self.alone()
        elif self.together is not None:
            self.together([self.part])


@dataclass(slots=True)
class Share:
    """What one conversation has in a round: `written` counts from its first row. Once `is_over` nothing of it is written any more."""

    rows: list[Row] = field(default_factory=list)
    written: int = 0
    is_over: bool = False

    @property
    def next(self) -> Row:
        return self.rows[self.written]


def write_round(shares: Sequence[Share]) -> None:
    """Writes until every share is written or over. Never raises for what a row raises."""
    while waiting := [share for share in shares if not share.is_over and share.written < len(share.rows)]:
        _write(waiting, Counter(share.next.together for share in waiting).most_common(1)[0][0])


def _write(waiting: list[Share], together: Together | None) -> None:
    """The next rows of this kind; for a kind that stands alone, the next row of each share that has one."""
    counted = [(share, _leading(share, together)) for share in waiting if share.next.together == together]
    if together is None:
        for share, _count in counted:
            _attempt([(share, 1)], share.next.write)
        return
    parts = [row.part for share, count in counted for row in share.rows[share.written : share.written + count]]
    _attempt(counted, lambda: together(parts))


def _leading(share: Share, together: Together | None) -> int:
    """How many rows of this kind come next."""
    rows = share.rows[share.written :]
    return next((count for count, row in enumerate(rows) if row.together != together), len(rows))


def _attempt(counted: list[tuple[Share, int]], write: Callable[[], object]) -> None:
    try:
        write()
    except Exception:  # noqa: BLE001 - it fails again where the row is tried by itself, and there somebody judges it
        for share, _count in counted:
            share.is_over = True
    else:
        for share, count in counted:
            share.written += count
