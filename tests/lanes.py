"""Which worker of a parallel run begins with which long tests.

xdist's `worksteal` deals the collected tests in as many equal parts as there are workers, one after the other, and lets whoever is done
take from the end of another's part. So each part has to begin with its share of the long tests. Browsers compute and whole processes
mostly wait: half of the workers begin with the ones, half with the others.
"""

from collections.abc import Sequence
from itertools import islice

import pytest

# Rough seconds on two cores. Wrong figures cost time, nothing else.
SECONDS = {
    "tests/deploy/test_run.py::test_the_product_runs": 140,
    "tests/browser/test_whole_story.py": 80,
    "tests/calls/test_crash.py": 60,
    "tests/telephony/test_killed.py": 30,
}
KINDS = {"browser": 20, "processes": 5, "speech": 5}


def seconds(item: pytest.Item) -> int:
    """0: not a long test."""
    for start, known in SECONDS.items():
        if item.nodeid.startswith(start):
            return known
    return max((least for kind, least in KINDS.items() if item.get_closest_marker(kind)), default=0)


def dealt(total: int, workers: int) -> list[int]:
    """How many tests each worker is given at the beginning."""
    sizes: list[int] = []
    for left in range(workers, 0, -1):
        sizes.append((total - sum(sizes)) // left)
    return sizes


def ordered(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """The same tests; within long and short ones the given order stays."""
    long = sorted((item for item in items if seconds(item)), key=seconds, reverse=True)
    short = iter([item for item in items if not seconds(item)])
    lanes: list[list[pytest.Item]] = [[] for _ in range(workers)]
    loads = [0] * workers
    for item in long:
        lane = min(_lanes(item, workers), key=lambda number: loads[number])
        lanes[lane].append(item)
        loads[lane] += seconds(item)
    parts = [lane + list(islice(short, max(0, size - len(lane)))) for lane, size in zip(lanes, dealt(len(items), workers), strict=True)]
    return [item for part in parts for item in part] + list(short)


def _lanes(item: pytest.Item, workers: int) -> range:
    half = workers // 2
    if item.get_closest_marker("browser") and not item.get_closest_marker("processes"):
        return range(half, workers)
    return range(half or workers)
