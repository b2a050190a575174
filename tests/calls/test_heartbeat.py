"""Who is told to end: the conversation that holds the session now, not the one whose line broke before."""

import asyncio

from calls.commands import Order
from calls.conductor import heartbeat
from calls.conductor.heartbeat import Heartbeat
from calls.conductor.till import Tab, Till
from calls.models import Session
from engine.events import EndReason


async def test_the_one_that_leaves_late_does_not_take_its_successor_along():
    told: list[tuple[str, EndReason]] = []
    first, second = (lambda reason, who=who: told.append((who, reason)) for who in ("first", "second"))
    beat = Heartbeat()
    beat.join("sess_1", first)
    beat.join("sess_1", second)
    beat.leave("sess_1", first)
    beat.end_all(EndReason.SHUTDOWN)
    assert told == [("second", EndReason.SHUTDOWN)]
    beat.leave("sess_1", second)
    assert len(beat) == 0


async def test_what_operators_want_is_taken_for_a_talk_and_not_for_one_whose_rows_are_being_written(monkeypatch):
    asked: list[tuple[list[str], list[str]]] = []

    def beat_of(alive: list[str], obeying: list[str]):
        asked.append((alive, obeying))
        return frozenset(), [Order(1, name, "whisper", "Be brief.") for name in obeying]

    monkeypatch.setattr(heartbeat, "_beat", beat_of)
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.01)
    obeyed: list[str] = []
    beat, request_end = Heartbeat(), lambda reason: None

    async def beats(count: int) -> None:
        async with asyncio.timeout(60):
            while len(asked) < count:
                await asyncio.sleep(0.005)

    beat.join("sess_1", request_end, lambda order: obeyed.append(order.session_id))
    async with asyncio.timeout(60):
        while not obeyed:
            await asyncio.sleep(0.005)
    beat.talk_is_over("sess_1", request_end)
    seen = len(asked)
    await beats(seen + 2)
    assert asked[0] == (["sess_1"], ["sess_1"]) and asked[-1] == (["sess_1"], []) and "sess_1" in obeyed
    beat.leave("sess_1", request_end)


async def test_its_tab_stays_open_too():
    till, session = Till(), Session(session_id="sess_1")
    first, second = Tab(session, None), Tab(session, None)  # type: ignore[arg-type]  # nothing is shown here
    for tab in (first, second):
        till.join(tab, lambda reason: None)
    till.leave(first)
    assert len(till) == 1
    till.leave(second)
    assert len(till) == 0
    await asyncio.sleep(0)
