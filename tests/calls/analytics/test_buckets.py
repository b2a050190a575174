"""Latencies in buckets: every percentile is at most two percent off, whatever the latencies are."""

import math
import random
from collections import Counter

import pytest

from calls.analytics.buckets import ERROR_PERCENT, PERCENTS, Latencies, bucket_of, latencies, ms_of


def nearest_rank(values: list[int], percent: int) -> int:
    return sorted(values)[math.ceil(percent * len(values) / 100) - 1]


def test_what_stands_for_a_bucket_is_within_two_percent_of_all_that_lies_in_it():
    for ms in [*range(1, 3000), 3571, 12_000, 59_999, 600_000]:
        assert abs(ms_of(bucket_of(ms)) - ms) <= ms * ERROR_PERCENT / 100, ms


def test_nothing_is_quicker_than_a_millisecond():
    assert bucket_of(0) == bucket_of(1) == 0 and ms_of(0) == 1


@pytest.mark.parametrize("seed", range(20))
def test_percentiles_of_added_buckets_are_those_of_all_turns_within_two_percent(seed):
    luck = random.Random(seed)
    values = [int(luck.lognormvariate(6.6, luck.choice([0.1, 0.6, 1.5]))) + 1 for _ in range(luck.randint(1, 700))]
    parts = [Counter(bucket_of(ms) for ms in values[begin::3]) for begin in range(3)]
    found = latencies((ms_of(bucket), count) for part in parts for bucket, count in part.items())
    exact = latencies((float(ms), count) for ms, count in Counter(values).items())
    assert found.turns == exact.turns == len(values)
    for percent in PERCENTS:
        right = nearest_rank(values, percent)
        assert getattr(exact, f"p{percent}") == right
        assert abs(getattr(found, f"p{percent}") - right) <= right * ERROR_PERCENT / 100


def test_no_turns_have_no_latency():
    assert latencies([]) == Latencies(0, None, None, None)
