"""How a parallel run of the tests is dealt."""

from dataclasses import dataclass

import pytest

from tests import lanes


@dataclass(frozen=True)
class Item:
    nodeid: str
    marks: frozenset[str] = frozenset()

    def get_closest_marker(self, name):
        return name in self.marks


def _items():
    short = [Item(f"tests/engine/test_turns.py::test_{number}") for number in range(500)]
    seen = [Item(f"tests/browser/test_looks.py::test_{number}", frozenset({"browser"})) for number in range(21)]
    started = [Item(f"tests/telephony/test_draining.py::test_{number}", frozenset({"processes"})) for number in range(10)]
    return [*short, *seen, *started, Item("tests/calls/test_crash.py::test_every_step", frozenset({"processes"}))]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7, 600])
def test_every_test_is_run_once_however_many_workers_there_are(workers):
    items = _items()
    assert sorted(lanes.ordered(items, workers), key=id) == sorted(items, key=id)
    assert sum(lanes.dealt(len(items), workers)) == len(items)


def test_every_worker_begins_with_its_share_of_the_long_tests():
    items = lanes.ordered(_items(), 4)
    parts = []
    for size in lanes.dealt(len(items), 4):
        parts.append(items[:size])
        items = items[size:]
    began = [[lanes.seconds(item) for item in part] for part in parts]
    assert all(part == sorted(part, reverse=True) for part in began)
    assert began[0][0] == 60 and [sum(part) for part in began] == [60, 50, 220, 200]


def test_one_worker_begins_with_the_longest():
    assert [lanes.seconds(item) for item in lanes.ordered(_items(), 1)][:3] == [60, 20, 20]


def test_nothing_long_changes_nothing():
    items = _items()[:100]
    assert lanes.ordered(items, 4) == items
