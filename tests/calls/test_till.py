"""A real conversation whose budget runs out: it is heard to the end of its turn, told goodbye, hung up on, and its reason is kept."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from asgiref.sync import sync_to_async

from agents import assembly
from calls import conductor, price_book
from calls.conductor import till
from calls.models import Budget, CallEvent, CallSpend, Session, Turn
from engine.usage import Unit, UsageKind
from pricing.price_list import PriceList, price_list
from tests.calls import made_calls as made
from tests.calls.scripted import Scene
from tests.pricing.test_meter import price

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_connection_left")]


@pytest.fixture
def session() -> Session:
    return made.talking_call(made.agent_of(made.operator()))


@pytest.fixture(autouse=True)
def _rupees_by_the_minute(monkeypatch):
    """A line at 1.20 rupees a minute, looked at often."""
    tariff = replace(price(UsageKind.TELEPHONY, "inbound", Unit.CALL_SECONDS, "1.20", 60, "INR", 60), provider="carrier")
    monkeypatch.setattr(price_book, "price_list", lambda: PriceList([*price_list(), tariff]))
    monkeypatch.setattr(till, "LOOK_EVERY_S", 0.1)


async def said(session: Session) -> list[str]:
    return await sync_to_async(lambda: list(Turn.objects.filter(session=session).order_by("number").values_list("text", flat=True)))()


async def talked(session: Session, monkeypatch, budget_of: str) -> Scene:
    await Budget.objects.acreate(owner_id=session.owner_id, scope="call", amount=Decimal(budget_of), currency="INR")
    play = Scene("It is ten.")
    monkeypatch.setattr(assembly, "assemble", play.assemble)
    talk = asyncio.create_task(conductor.conduct(session, play.line))
    async with asyncio.timeout(60):
        if Decimal(budget_of) > 2:
            while not await CallSpend.objects.filter(session=session).aexists() or "Hello." not in await said(session):
                await asyncio.sleep(0.05)
            play.line.hang_up()
        await talk
    await session.arefresh_from_db()
    return play


async def test_a_call_whose_rupees_are_used_up_says_goodbye_and_ends(session, monkeypatch):
    play = await talked(session, monkeypatch, "1.00")
    assert (session.state, session.end_reason) == ("ended", "budget")
    assert await said(session) == ["Hello.", "Goodbye."]
    assert play.mind.told == []
    assert play.line.is_closed
    event = await CallEvent.objects.aget(session=session, kind="budget-used-up")
    assert "₹1.20 of ₹1.00" in event.facts["reason"]
    assert len(conductor._till) == 0


async def test_a_call_within_its_budget_goes_on(session, monkeypatch):
    await talked(session, monkeypatch, "5.00")
    assert session.end_reason == "caller-hangup"
    counted = {row.currency: row.used async for row in CallSpend.objects.filter(session=session)}
    assert counted["INR"] == Decimal("1.20")
