"""The stage itself: a test that leaks a task, loses an exception or waits for nothing must fail."""

import asyncio

import pytest

from tests.engine.virtual_loop import play


def test_an_hour_passes_at_once():
    async def scene():
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(3600)
        return loop.time() - before

    assert play(scene()) == pytest.approx(3600)


def test_a_task_left_behind_fails_the_test():
    kept = []

    async def scene():
        kept.append(asyncio.create_task(asyncio.sleep(9), name="forgotten"))

    with pytest.raises(AssertionError, match="forgotten"):
        play(scene())


def test_waiting_for_what_never_comes_fails_the_test():
    async def scene():
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        play(scene(), limit_s=60)


def test_things_happen_in_the_order_of_their_time():
    async def scene():
        order = []

        async def later(after_s):
            await asyncio.sleep(after_s)
            order.append(after_s)

        await asyncio.gather(*(later(after_s) for after_s in (3, 1, 2)))
        return order

    assert play(scene()) == [1, 2, 3]
