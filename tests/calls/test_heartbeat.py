"""Who is told to end: the conversation that holds the session now, not the one whose line broke before."""

import asyncio

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
