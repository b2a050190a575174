"""Rows of one conversation on their way to the database: in order, together, and each for itself once one of them fails."""

import asyncio
from functools import partial

import pytest
from django.db import IntegrityError, OperationalError

from calls import broadcast
from calls.conductor import rows
from calls.conductor.heartbeat import Heartbeat
from calls.conductor.rows import Writer
from engine.events import EndReason

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_connection_left")]


async def written(writer: Writer) -> None:
    writing = writer.start()
    writer.finish(10)
    async with asyncio.timeout(30):
        await writing


async def test_what_waits_is_written_in_order_in_one_thread(monkeypatch):
    hops: list[object] = []
    go = rows.in_thread

    def counted(work):
        hops.append(work)
        return go(work)

    monkeypatch.setattr(rows, "in_thread", counted)
    done: list[int] = []
    writer = Writer(None)  # type: ignore[arg-type]  # nothing here is the session's
    for number in range(20):
        writer.add("row", partial(done.append, number))
    await written(writer)
    assert done == list(range(20))
    assert len(hops) == 1


async def test_a_row_that_is_refused_is_left_out_and_all_others_are_written_once(monkeypatch):
    monkeypatch.setattr(rows, "_BACK_OFF_S", (0.0,) * 5)
    done: list[int] = []

    def refuse() -> None:
        raise IntegrityError("never")

    writer = Writer(None)  # type: ignore[arg-type]
    for number in range(5):
        writer.add("row", partial(done.append, number) if number != 2 else refuse)
    await written(writer)
    assert done == [0, 1, 3, 4]


async def test_a_database_that_comes_back_gets_every_row_once_and_in_order(monkeypatch):
    monkeypatch.setattr(rows, "_BACK_OFF_S", (0.0,) * 5)
    done: list[int] = []
    outage = iter((True, True, True, False))

    def write(number: int) -> None:
        if number == 1 and next(outage, False):
            raise OperationalError("away")
        done.append(number)

    writer = Writer(None)  # type: ignore[arg-type]
    for number in range(4):
        writer.add("row", partial(write, number))
    await written(writer)
    assert done == [0, 1, 2, 3]


async def test_rows_after_the_talk_wait_for_the_database_until_somebody_has_to_stop(monkeypatch):
    monkeypatch.setattr(rows, "_BACK_OFF_S", (0.01,) * 5)
    tries: list[int] = []

    def write() -> None:
        tries.append(1)
        raise OperationalError("away")

    writer = Writer(None)  # type: ignore[arg-type]
    writer.add("row", write)
    writing = writer.start()
    writer.finish(3600)
    finishing = asyncio.create_task(writer.finished(writing, 0))
    async with asyncio.timeout(60):
        while len(tries) < 4:
            await asyncio.sleep(0.01)
        assert not finishing.done()
        writer.hurry(0)
        await finishing
    assert writing.done() or writing.cancelling()


async def test_a_call_whose_rows_are_not_written_yet_gives_signs_of_life_and_hears_nobody():
    asked: list[object] = []
    heartbeat = Heartbeat()
    ends = {name: partial(asked.append) for name in ("talking", "over")}
    for name, request_end in ends.items():
        heartbeat.join(name, request_end)
    heartbeat.talk_is_over("over", ends["over"])
    heartbeat.talk_is_over("never joined", None)
    assert len(heartbeat) == 2
    heartbeat.end_all(EndReason.SHUTDOWN)
    assert asked == [EndReason.SHUTDOWN]
    for name, request_end in ends.items():
        heartbeat.leave(name, request_end)
    assert len(heartbeat) == 0


async def test_updates_left_by_a_thread_are_told_in_their_order(monkeypatch):
    told: list[str] = []
    all_told = asyncio.Event()

    async def tell(updates: list[tuple[object, str, object]]) -> None:
        await asyncio.sleep(0)
        told.extend(kind for _session, kind, _payload in updates)
        if len(told) == 3:
            all_told.set()

    monkeypatch.setattr(broadcast, "_tell_together", tell)

    def work() -> None:
        for kind in ("a", "b", "c"):
            broadcast.live_update(None, kind, {})  # type: ignore[arg-type]

    await rows.in_thread(work)
    async with asyncio.timeout(20):
        await all_told.wait()
    assert told == ["a", "b", "c"]
