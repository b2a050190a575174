"""Complaint 8: each call leaves something behind, until the process is killed in the middle of others' calls.

Here: nothing of a call is alive after it, however it ended. `make leaks` weighs a real process over 1,000 calls (tests/leaks).
"""

import asyncio
import gc
import weakref

import pytest
from asgiref.sync import sync_to_async

from agents import assembly
from calls import conductor
from tests.calls import made_calls as made
from tests.calls.scripted import Scene

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_connection_left")]


class DeafEars(Scene):
    """Its recogniser has a bug: it raises what no port may raise."""

    def assemble(self, spec, call=None, prepared_audio=None):
        self.ears.events.put_nowait(ValueError("a bug"))
        return super().assemble(spec, call, prepared_audio)


@pytest.mark.parametrize(
    ("stage", "unhappy"),
    [
        (Scene, lambda line: line.hang_up()),
        (Scene, lambda line: line.lose()),
        (Scene, lambda line: line.break_down(KeyError("a bug in the link"))),
        (Scene, lambda line: setattr(line, "is_closed", True)),
        (DeafEars, lambda line: None),
    ],
    ids=["hung up at once", "line lost", "broken link", "a line that takes no audio", "broken recogniser"],
)
async def test_nothing_of_an_unhappy_call_is_alive_after_it(monkeypatch, stage, unhappy):
    session = await sync_to_async(lambda: made.talking_call(made.agent_of(made.operator())))()
    tasks_before = asyncio.all_tasks()

    async def call() -> list[weakref.ref]:
        play = stage()
        monkeypatch.setattr(assembly, "assemble", play.assemble)
        unhappy(play.line)
        await asyncio.wait_for(conductor.conduct(session, play.line), 60)
        monkeypatch.undo()
        return [weakref.ref(part) for part in (play.line, play.ears, play.mind, play.voice)]

    parts = await call()
    async with asyncio.timeout(30):
        while not asyncio.all_tasks() <= tasks_before:  # the process's own may still tell dashboards of the end
            await asyncio.sleep(0.01)
    gc.collect()
    assert [part() for part in parts] == [None] * 4
    assert conductor.load().calls == 0
