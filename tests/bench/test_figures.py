"""What the bench's table says of reports that we know."""

import math

import pytest

from bench.figures import BUSY_LINE, figures, percentiles, table
from bench.line import _problems


def report(*turns, ok=True, gaps=0, duration_ms=10_000, breaches=()):
    return {"turns": list(turns), "ok": ok, "gaps": gaps, "duration_ms": duration_ms, "breaches": list(breaches), "problems": []}


def turn(received_ms, *, interrupts=False, interruption_ms=None):
    return {"received_ms": received_ms, "interrupts": interrupts, "interruption_ms": interruption_ms}


def made(reports, **changed):
    known = {"subject": "ours", "calls": 2, "scripted_ms": 600, "cpu_ms": 100.0, "grown_mb": 1.0, "line_load": 0.5}
    return figures(reports, **{**known, **changed})


@pytest.mark.parametrize(
    ("values", "expected"),
    [([7], (7, 7, 7, 7)), (range(1, 102), (51, 91, 96, 100)), ([3, 1, 2], (2, 3, 3, 3))],
)
def test_percentiles_are_values_that_occurred(values, expected):
    assert percentiles(list(values)) == expected


def test_only_answers_count_and_the_scripted_waits_are_taken_off():
    row = made([report(turn(640), turn(None), turn(900, interrupts=True, interruption_ms=180)), report(turn(610), ok=False, gaps=2)])
    assert (row.turns, row.completed, row.gaps) == (2, 1, 2)
    assert row.added_ms[3] == 40
    assert row.stop_ms[0] == 180


def test_cpu_is_for_one_second_of_one_call():
    assert made([report(duration_ms=10_000), report(duration_ms=30_000)], cpu_ms=200.0).cpu_ms_per_call_second == 5.0
    assert math.isnan(made([report(duration_ms=0)]).cpu_ms_per_call_second)


def test_a_simulator_without_time_is_told_in_the_table():
    rows = [made([report(turn(640))]), made([report(turn(640))], line_load=BUSY_LINE)]
    assert "*" not in table(rows[:1])
    assert table(rows).count("*") == 2


def test_problems_of_one_kind_are_counted_once_a_call():
    reports = [{"problems": ["rule x at 12 ms", "rule x at 1200 ms"]}, {"problems": ["rule x at 5 ms", "closed"]}]
    assert _problems(reports) == {"rule x at # ms": 2, "closed": 1}
