"""Latency to scale: what the line added stands behind what we measured, and every strip has the same width."""

import pytest

from calls.page import strips


def turn(total_ms: int | None = 800, *parts: tuple[str, int, int]) -> dict:
    return {"latency_ms": total_ms, "parts": [{"name": name, "start_ms": start, "length_ms": length} for name, start, length in parts]}


def test_what_the_line_added_is_the_recordings_gap_beyond_our_own_figure():
    told = turn(800, ("endpointing", 0, 300), ("other", 300, 500))
    strips.add_line(told, 950)
    assert told["parts"][-1] == {"name": "carrier", "words": "carrier", "start_ms": 800, "length_ms": 150}


@pytest.mark.parametrize(("total_ms", "line_ms"), [(None, 900), (800, None), (800, 800), (800, 700), (800, -40), (800, 4801)])
def test_a_gap_that_cannot_be_the_line_adds_nothing(total_ms, line_ms):
    told = turn(total_ms, ("other", 0, 800))
    strips.add_line(told, line_ms)
    assert [part["name"] for part in told["parts"]] == ["other"]


def test_figures_are_medians_over_the_turns_that_have_the_part():
    told = [turn(1, ("endpointing", 0, 300), ("model", 300, 100)), turn(1, ("endpointing", 0, 500)), turn(None)]
    assert [(figure.name, figure.median_ms) for figure in strips.figures(told)] == [("endpointing", 400), ("model", 100)]


@pytest.mark.parametrize(("longest_ms", "scale_ms"), [(0, 2000), (1999, 2000), (2001, 2500), (7300, 7500)])
def test_the_scale_holds_the_slowest_turn(longest_ms, scale_ms):
    assert strips.scale_ms([turn(1, ("other", 0, longest_ms))]) == scale_ms
    assert strips.scale_ms([]) == 2000
