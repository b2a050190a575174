"""Complaint 17: the caller speaks while the table is being booked, or the process dies, and two tables are booked."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from asgiref.sync import sync_to_async

from agents import assembly
from agents.models import HttpTool
from agents.tools import NOT_AGAIN
from calls.conductor.on_call import on_call
from calls.models import Session, ToolRun
from engine.keypad import Keypad
from engine.ports import ToolCall
from engine.tools import Toolbox
from tests.calls import made_calls as made
from tests.providers.test_operator_http import LOOPBACK, service

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_connection_left")]
WISH, THE_SAME = '{"people": 4, "day": "monday"}', '{ "day":"monday","people":4 }'


def booking_agent(place: str) -> Session:
    agent = made.agent_of(made.operator())
    schema = {"type": "object", "properties": {"day": {"type": "string"}, "people": {"type": "integer"}}}
    HttpTool.objects.create(agent=agent, name="book", description="Books.", url=f"http://{place}/", parameters=schema)
    return made.talking_call(agent)


def process_of(session: Session) -> Toolbox:
    """The tools as a media process that has this call assembles them."""
    spec = session.agent_version.as_spec()
    return Toolbox(assembly.tools_of(spec, on_call(session, spec), Keypad()))


async def asked(box: Toolbox, arguments: str) -> str:
    return (await box.call(ToolCall("1", "book", arguments))).content


class SlowService:
    """The operator's service, which answers when it is let."""

    def __init__(self) -> None:
        self.has_asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def answer(self, reader, writer) -> None:
        self.has_asked.set()
        await self.may_answer.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntable 17")
        await writer.drain()


@asynccontextmanager
async def asking(settings):
    """A call whose first process has just asked the slow service: who asked, the service, what it saw."""
    settings.TOOL_ALLOWED_NETWORKS = LOOPBACK
    slow = SlowService()
    async with service(slow.answer) as (place, seen), asyncio.timeout(60):
        session = await sync_to_async(booking_agent)(place)
        process = process_of(session)
        wish = asyncio.create_task(asked(process, WISH))
        await slow.has_asked.wait()
        yield session, process, wish, slow
        slow.may_answer.set()
    assert len(seen) == 1, "one wish, one request"


async def test_one_wish_is_one_booking_through_an_interruption_and_a_change_of_process(settings):
    async with asking(settings) as (session, process, wish, slow):
        wish.cancel()  # the caller speaks while it is being booked
        await asyncio.wait({wish})
        again = asyncio.create_task(asked(process, THE_SAME))
        slow.may_answer.set()
        assert await again == "table 17"
        assert await asked(process, WISH) == "table 17", "and once more, when the model has forgotten"
        assert await asked(process_of(session), THE_SAME) == "table 17", "the process that took the call over knows it too"
    run = await ToolRun.objects.aget(session=session)
    assert (run.state, run.tries) == ("done", 1)


async def test_what_a_killed_process_may_have_booked_is_not_booked_again(settings):
    async with asking(settings) as (session, process, wish, _slow):
        wish.cancel()
        await process.close()
        assert await asked(process_of(session), THE_SAME) == NOT_AGAIN
