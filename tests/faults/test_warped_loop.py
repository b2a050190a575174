"""The clock of the fault suite: it never runs while anything is under way, and never stops when nothing is."""

import asyncio
import contextlib
import threading

import pytest

from tests.faults.warped_loop import WarpedLoop


@pytest.fixture
def loop():
    made = WarpedLoop()
    yield made
    made.run_until_complete(made.shutdown_default_executor())
    made.close()


def test_an_hour_of_waiting_passes_at_once(loop):
    async def waits():
        began = loop.time()
        await asyncio.sleep(3600)
        return loop.time() - began

    assert loop.run_until_complete(waits()) == pytest.approx(3600, abs=0.01)


def test_bytes_on_their_way_and_the_work_for_them_take_no_time(loop):
    async def echoes(reader, writer):
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def talks():
        async with await asyncio.start_server(echoes, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            began = loop.time()
            for _ in range(200):
                writer.write(bytes(20_000))
                async with asyncio.timeout(0.5):
                    await reader.readexactly(20_000)
            took_s = loop.time() - began
            writer.close()
            return took_s

    assert loop.run_until_complete(talks()) < 0.05


def test_time_stands_while_a_thread_works(loop):
    goes_on = threading.Event()

    async def works():
        began = loop.time()
        working = asyncio.create_task(asyncio.to_thread(goes_on.wait, 30))
        real = threading.Timer(0.1, goes_on.set)
        real.start()
        async with asyncio.timeout(0.05):
            assert await working
        return loop.time() - began

    assert loop.run_until_complete(works()) < 0.05


def test_time_passes_for_a_thread_that_waits_for_it(loop):
    goes_on = threading.Event()
    loop.let_time_pass_while(lambda: not goes_on.is_set())

    async def helps():
        working = asyncio.create_task(asyncio.to_thread(goes_on.wait, 30))
        await asyncio.sleep(5)
        goes_on.set()
        return await working

    assert loop.run_until_complete(helps())


def test_whoever_sleeps_until_a_moment_a_rounding_error_away_gets_there(loop):
    async def ticks():
        origin, ticks = loop.time(), 0
        while ticks < 2000:
            await asyncio.sleep(max(0.0, origin + (ticks + 1) * 0.02 - loop.time()))
            while origin + (ticks + 1) * 0.02 <= loop.time():
                ticks += 1
        return loop.time() - origin

    assert loop.run_until_complete(ticks()) == pytest.approx(40, abs=0.05)


def test_waiting_for_what_never_comes_is_an_error(loop, monkeypatch):
    monkeypatch.setattr("tests.faults.warped_loop.LAST_HOPE_S", 0.01)
    never = loop.create_future()
    with pytest.raises(RuntimeError, match="nothing will ever happen"):
        loop.run_until_complete(never)
    with contextlib.suppress(asyncio.CancelledError):
        never.cancel()
