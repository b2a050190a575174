"""Whether words are walked to or gathered, for ten million calls and for few."""

import pytest

from calls.listing.way import FURTHEST, WALKED, walk

ALL, PAGE = 10_000_000, 41


@pytest.mark.parametrize(
    ("found", "gathered", "among", "way"),
    [
        (1_000_000, 1_000_000, ALL, WALKED),  # every tenth call has it
        (20_000, 20_000, ALL, FURTHEST),  # one in five hundred
        (10_000, 10_000, ALL, FURTHEST),
        (5_000, 5_000, ALL, 0),  # one in two thousand
        (1, 1, ALL, 0),
        (0, 0, ALL, 0),
        (4_000, 4_000, 100_000, WALKED),  # one agent's, every twenty-fifth: its calls lie far apart
        (1_000, 1_000, 100_000, 0),
        (40, 400_000, ALL, 0),  # common words of calls that are rare for another reason
        (1_000_000, 2_000_000, 5_000_000, WALKED),
        (0, 0, 0, 0),
    ],
)
def test_what_reads_fewer_pages_is_taken(found, gathered, among, way):
    assert walk(wanted=PAGE, found=found, gathered=gathered, among=among, everything=ALL) == way


def test_an_empty_database_is_no_division_by_zero():
    assert walk(wanted=PAGE, found=0, gathered=0, among=0, everything=0) == 0


@pytest.mark.parametrize(
    ("found", "way"),
    [
        (1_000_000, WALKED),
        (100_000, WALKED),  # one in a hundred
        (20_000, 0),  # one in five hundred: to walk so far reads more pages than to gather them
        (1_000, 0),
    ],
)
def test_calls_in_another_order_than_they_were_written_lie_all_over_the_disk(found, way):
    assert walk(wanted=PAGE, found=found, gathered=found, among=ALL, everything=ALL, by_time=False) == way
