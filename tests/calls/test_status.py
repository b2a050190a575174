"""The life of a call's status, every pair of it."""

from itertools import product

import pytest

from calls.status import TERMINAL, CallStatus, may_follow, predecessors

QU, IN, RI, PR = CallStatus.QUEUED, CallStatus.INITIATED, CallStatus.RINGING, CallStatus.IN_PROGRESS
CO, BU, FA, NO, CA = CallStatus.COMPLETED, CallStatus.BUSY, CallStatus.FAILED, CallStatus.NO_ANSWER, CallStatus.CANCELED

ALLOWED = {
    (QU, IN), (QU, FA), (QU, CA),
    (IN, RI), (IN, PR), (IN, CO), (IN, BU), (IN, FA), (IN, NO), (IN, CA),
    (RI, PR), (RI, CO), (RI, BU), (RI, FA), (RI, NO), (RI, CA),
    (PR, CO), (PR, FA), (PR, CA),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new"), list(product(CallStatus, CallStatus)))
def test_every_pair_of_statuses(old, new):
    assert may_follow(old, new) == ((old, new) in ALLOWED)
    assert (old in predecessors(new)) == ((old, new) in ALLOWED)


@pytest.mark.parametrize("end", TERMINAL)
def test_nothing_follows_an_end(end):
    assert not any(may_follow(end, new) for new in CallStatus)
