"""How many calls does a core carry? Doubles until it does not, then halves the distance. The search is pure; a trial is a run."""

from collections.abc import Callable, Generator

from bench.figures import Figures
from bench.tables import Capacity

MOST_ADDED_MS = 150.0
_FIRST, _MOST, _PRECISION = 25, 1_600, 0.1

Trial = Callable[[int], Figures]


def verdict(row: Figures) -> str:
    """Why so many calls were too many; empty if they were not. A disturbed core fails a trial as a full one does."""
    if row.completed == 0 and row.turns == 0:
        return f"no call got through at {row.calls}"
    if not row.added_p95_ms < MOST_ADDED_MS:
        return f"p95 of the added latency {row.added_p95_ms:.0f} ms at {row.calls}"
    if row.gaps:
        return f"{row.gaps:.0f} gaps in the agent's sound at {row.calls}"
    if row.unanswered:
        return f"{row.unanswered:.0f} turns without an answer at {row.calls}"
    return ""


def next_trial(carried: int, refused: int | None) -> int | None:
    """The count to try after `carried` calls went well and `refused` did not; None: the answer is near enough."""
    if refused is None:
        return min(_MOST, carried * 2) if 0 < carried < _MOST else _FIRST if not carried else None
    if refused - carried <= max(1, round(carried * _PRECISION)):
        return None
    return (carried + refused) // 2


_LATE = ", but the line itself was late"


def search() -> Generator[int, str, tuple[int, str]]:
    """Yields how many calls to try, is sent the verdict; returns how many were carried and why no more."""
    carried, refused, why = 0, None, "the search ends there"
    while (calls := next_trial(carried, refused)) is not None:
        if failure := (yield calls):
            refused, why = calls, failure
        else:
            carried = calls
    return carried, why


def find(subject: str, frame_ms: int, trial: Trial) -> Capacity:
    """Tries by placing calls. Where the line itself is late while calls fail, only what was carried is known."""
    course = search()
    calls = next(course)
    while True:
        row = trial(calls)
        failure = verdict(row)
        if failure and row.is_line_late:
            failure += _LATE
        try:
            calls = course.send(failure)
        except StopIteration as done:
            carried, why = done.value
            return Capacity(subject, frame_ms, carried, why.endswith(_LATE), why)
