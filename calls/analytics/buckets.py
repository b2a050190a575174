"""Latencies in log-spaced buckets: those of any span are added up, and a percentile of the sum is at most 2 % off. Pure.

Each bucket is 4 % wider than the one before it; what lies in one is told as its geometric middle, which is within ±2 % of either edge.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, log
from typing import Final

GROWTH: Final = 1.04
ERROR_PERCENT: Final = 2
PERCENTS: Final = (50, 95, 99)


def bucket_of(ms: int) -> int:
    """Bucket `i` holds what is from 1.04^i up to 1.04^(i+1) ms; nothing is quicker than a millisecond."""
    return floor(log(max(ms, 1)) / log(GROWTH))


def ms_of(bucket: int) -> float:
    """What stands for everything in the bucket. The first one holds nothing but a single millisecond."""
    return float(GROWTH ** (bucket + 0.5)) if bucket else 1.0


@dataclass(frozen=True, slots=True)
class Latencies:
    """Turn latencies of many turns, in ms. None where no turn was timed."""

    turns: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


def latencies(counts: Iterable[tuple[float, int]]) -> Latencies:
    """From (ms, how many turns), in any order: the smallest latency that so many percent of the turns did not exceed."""
    known = sorted(counts)
    turns = sum(count for _ms, count in known)
    if not turns:
        return Latencies()
    found = []
    for percent in PERCENTS:
        rank, so_far = -(-percent * turns // 100), 0
        for ms, count in known:
            so_far += count
            if so_far >= rank:
                found.append(ms)
                break
    return Latencies(turns, *found)
