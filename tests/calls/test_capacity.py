"""Room for one more: the decision as a table, the meter of the loop's lag, and the seats."""

import asyncio

import pytest

from calls.conductor.capacity import LagMeter, NoRoom, Seats, room_for


@pytest.mark.parametrize(
    ("facts", "room"),
    [
        ({}, 10),
        ({"taken": 3}, 7),
        ({"taken": 10}, 0),
        ({"taken": 12}, 0),
        ({"limit": 0}, 0),
        ({"lag_ms": 200.0}, 10),
        ({"lag_ms": 200.1}, 0),
        ({"is_draining": True}, 0),
    ],
)
def test_how_many_more_fit(facts, room):
    assert room_for(**{"limit": 10, "taken": 0, "lag_ms": 0.0, "max_lag_ms": 200, "is_draining": False, **facts}) == room


def test_one_long_pause_is_no_overload_and_lasting_ones_are():
    meter = LagMeter()
    assert meter.lag_ms == 0.0
    for late in [1.0] * 15 + [900.0]:
        meter.note(late)
    assert meter.lag_ms == 1.0
    for _ in range(20):
        meter.note(300.0)
    assert meter.lag_ms == 300.0
    meter.note(-5.0)
    assert min(meter._samples) == 0.0


async def test_a_blocked_loop_is_measured():
    import time

    meter = LagMeter()
    watching = asyncio.create_task(meter.watch())
    async with asyncio.timeout(60):
        while meter.lag_ms <= 50:
            time.sleep(0.2)  # what must never happen on the audio's loop
            await asyncio.sleep(0.01)
    watching.cancel()


def test_a_seat_is_given_back_whatever_happens():
    seats = Seats()
    with pytest.raises(RuntimeError), seats.take(1):
        assert seats.taken == 1
        raise RuntimeError
    assert seats.taken == 0
    with pytest.raises(NoRoom), seats.take(0):
        raise AssertionError("nobody sits here")
    assert (seats.taken, seats.refused) == (0, 1)
