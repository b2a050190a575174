"""Complaint 24: a deploy stops the process, and everybody in it is cut off in mid-sentence.

Here: the drain itself, with a caller who talks. tests/telephony/test_draining.py does it to a real process with a real SIGTERM.
"""

import asyncio
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async

from agents import assembly
from calls import conductor
from calls.conductor import NoRoom
from calls.conductor.heartbeat import Heartbeat
from calls.models import Session, Turn
from tests.calls import made_calls as made
from tests.calls.scripted import Scene

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_connection_left", "a_process")]


@pytest.fixture
def a_process(monkeypatch) -> Iterator[None]:
    """A process of its own, as far as stopping goes."""
    monkeypatch.setattr(conductor, "_heartbeat", Heartbeat())
    yield


async def talking(monkeypatch, *answers: str) -> tuple[Session, Scene, "asyncio.Task[None]"]:
    """A call in which the greeting was heard."""
    session = await sync_to_async(lambda: made.talking_call(made.agent_of(made.operator())))()
    play = Scene(*answers)
    monkeypatch.setattr(assembly, "assemble", play.assemble)
    talk = asyncio.create_task(conductor.conduct(session, play.line))
    async with asyncio.timeout(60):
        while not await Turn.objects.filter(session=session).aexists():
            await asyncio.sleep(0.02)
    return session, play, talk


async def ended(session: Session, talk: "asyncio.Task[None]", drain: "asyncio.Task[None]") -> str:
    async with asyncio.timeout(60):
        await asyncio.gather(talk, drain)
    await session.arefresh_from_db()
    return session.end_reason


async def test_a_talk_goes_on_to_its_own_end_while_nobody_new_is_let_in(monkeypatch):
    session, play, talk = await talking(monkeypatch, "It is ten o'clock. Goodbye. END")
    drain = asyncio.create_task(conductor.drain(deadline_s=600))
    await asyncio.sleep(0)
    assert conductor.load().is_draining
    with pytest.raises(NoRoom), conductor.seat():
        pass
    play.ears.hear("What time is it")
    assert await ended(session, talk, drain) == "agent-goodbye"
    said = [turn.text async for turn in Turn.objects.filter(session=session).order_by("number")]
    assert said == ["Hello.", "What time is it", "It is ten o'clock. Goodbye."]


async def test_whoever_still_talks_at_the_deadline_is_told_goodbye_before_the_line_closes(monkeypatch):
    session, play, talk = await talking(monkeypatch)
    drain = asyncio.create_task(conductor.drain(deadline_s=0.05))
    assert await ended(session, talk, drain) == "shutdown"
    last = await Turn.objects.filter(session=session).order_by("-number").afirst()
    assert last is not None
    assert (last.text, last.interrupted) == ("Goodbye.", False)
    assert play.line.is_closed
