"""Whispering, handing over and listening through the front door: who may, what is kept, and what the talk does with it."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents import assembly, prompts
from agents.models import Destination
from calls import commands, conductor, listening, presentation
from calls.conductor.resuming import recalled
from calls.models import CallEvent, OperatorOrder, Session, Transfer, Turn
from engine.ports import Message
from tests.calls import made_calls as made
from tests.calls.scripted import Scene

PERSON = "+919811100001"
NOTE = "Offer ten percent."


@pytest.fixture
def owner(db):
    return made.operator("asha")


@pytest.fixture
def agent(owner):
    agent = made.agent_of(owner)
    how = {"description": "Anything about bills.", "numbers": [PERSON], "ring_s": 25, "handover": "I am putting you through to billing."}
    Destination.objects.create(agent=agent, name="Billing", **how)
    agent.refresh_from_db()
    return agent


@pytest.fixture
def session(agent) -> Session:
    return made.talking_call(agent)


@pytest.fixture
def asha(owner) -> Client:
    client = Client()
    client.force_login(owner)
    return client


def allow(user, name: str) -> None:
    user.user_permissions.add(Permission.objects.get(codename=name, content_type__app_label="calls"))


def told(session: Session, kind: str) -> list[dict]:
    return list(CallEvent.objects.filter(session=session, kind=kind).values_list("facts", flat=True))


def ask(client: Client, door: str, session: Session, **fields: str):
    return client.post(reverse(f"call-{door}", args=[session.session_id]), fields)


# --- whisper ------------------------------------------------------------------------------------------------------------


def test_a_whisper_is_kept_with_its_author_and_its_words_stay_out_of_the_timeline(asha, session):
    assert ask(asha, "whisper", session, text=f"  {NOTE}\n Today only. ").status_code == 204
    (order,) = OperatorOrder.objects.all()
    assert (order.kind, order.text, order.by, order.taken_at) == ("whisper", f"{NOTE} Today only.", "asha", None)
    assert told(session, "whispered") == [{"by": "asha"}]
    (line,) = [line for line in presentation.event_lines(session.events.all(), {}) if "whispered" in line.what]
    assert line.what == "A note was whispered to the agent by asha"


@pytest.mark.parametrize("text", ["", "   "])
def test_nothing_is_no_whisper(asha, session, text):
    assert ask(asha, "whisper", session, text=text).status_code in (400, 409)
    assert not OperatorOrder.objects.exists()


def test_a_long_note_is_cut_to_what_a_model_can_heed(session):
    order = commands.whisper(session, text="word " * 500, by="asha")
    assert order is not None and len(order.text) == commands.LONGEST_NOTE_CHARS


@pytest.mark.parametrize("door", ["whisper", "hand-over", "listen"])
def test_what_is_over_cannot_be_helped(asha, owner, session, door):
    allow(owner, "listen_live")
    made.end(session)
    answer = ask(asha, door, session, text=NOTE, destination=str(Destination.objects.get().pk))
    assert answer.status_code == 409 and answer.json()["error"]
    assert not OperatorOrder.objects.exists() and not Transfer.objects.exists()


@pytest.mark.parametrize("door", ["whisper", "hand-over", "listen"])
def test_a_stranger_s_call_looks_like_one_that_never_was(session, door):
    stranger = made.operator()
    allow(stranger, "listen_live")
    client = Client()
    assert ask(client, door, session, text=NOTE).status_code == 302
    client.force_login(stranger)
    assert ask(client, door, session, text=NOTE).status_code == 404
    assert client.get(reverse(f"call-{door}", args=[session.session_id])).status_code == 405
    assert not OperatorOrder.objects.exists()


# --- hand over ------------------------------------------------------------------------------------------------------------


def test_handing_over_decides_the_transfer_and_names_who_wanted_it(asha, session):
    assert ask(asha, "hand-over", session, destination=str(Destination.objects.get().pk)).status_code == 204
    transfer = Transfer.objects.get()
    assert (transfer.name, transfer.numbers, transfer.ring_s) == ("Billing", [PERSON], 25)
    order = OperatorOrder.objects.get()
    assert (order.kind, order.destination, order.text) == ("hand-over", "Billing", "I am putting you through to billing.")
    assert told(session, "hand-over-requested") == [{"by": "asha", "to": "Billing"}]
    assert told(session, "transfer-decided") == []  # the agent decided nothing


@pytest.mark.parametrize("wanted", ["", "0", "99999999", "-1", "7e3", "9" * 40, "१"])
def test_nobody_is_handed_over_to_a_destination_that_the_agent_does_not_have(asha, session, wanted):
    assert ask(asha, "hand-over", session, destination=wanted).status_code == 409
    assert not Transfer.objects.exists()


def test_numbers_that_the_carrier_has_already_are_not_changed(asha, session):
    commands.decide_transfer(session.session_id, destination_id=7, name="Desk", numbers=["+919811100002"], ring_s=20)
    commands.transfer_asked(session)
    assert ask(asha, "hand-over", session, destination=str(Destination.objects.get().pk)).status_code == 409
    assert Transfer.objects.get().name == "Desk"


# --- listen ---------------------------------------------------------------------------------------------------------------


def test_listening_needs_its_permission_and_a_talk(asha, owner, session, agent):
    refused = ask(asha, "listen", session)
    assert refused.status_code == 403 and "permission" in refused.json()["error"]
    allow(owner, "listen_live")
    assert ask(asha, "listen", made.ringing_call(agent)).status_code == 409
    answer = ask(asha, "listen", session)
    assert answer.status_code == 200 and "no-store" in answer["Cache-Control"]
    root, _, ticket = answer.json()["url"].rpartition("/")
    assert root == f"ws://127.0.0.1:1{listening.PATH}"
    known = listening.check(ticket)
    assert (known.session_id, known.by) == (session.session_id, "asha")
    assert not told(session, "listening-began")  # nobody has heard anything yet


def test_the_page_offers_what_may_be_done(asha, owner, session):
    assert b'data-part="listen"' not in asha.get("/").content
    allow(owner, "listen_live")
    page = asha.get("/")
    assert b'data-part="listen"' in page.content
    assert "connect-src 'self' ws://127.0.0.1:1" in page["Content-Security-Policy"]


def test_numbers_are_masked_for_those_who_may_not_see_them(asha, owner, session):
    assert b"9876543212" not in asha.get("/").content
    allow(owner, "view_numbers")
    assert b"+919876543212" in asha.get("/").content


# --- in the talk ------------------------------------------------------------------------------------------------------------


def test_an_order_is_taken_once_and_only_by_its_talk(session, agent):
    other = made.talking_call(agent)
    commands.whisper(session, text=NOTE, by="asha")
    commands.whisper(session, text="And smile.", by="asha")
    assert commands.take_orders([other.session_id]) == []
    assert [order.text for order in commands.take_orders([session.session_id, other.session_id])] == [NOTE, "And smile."]
    assert commands.take_orders([session.session_id]) == []
    assert OperatorOrder.objects.filter(taken_at=None).count() == 0


def test_a_database_that_fails_half_way_has_given_nothing_out(session, monkeypatch):
    commands.whisper(session, text=NOTE, by="asha")

    def away(*_args):
        raise OperationalError("the database is away")

    with monkeypatch.context() as patch, pytest.raises(OperationalError):
        patch.setattr("calls.broadcast.beside_changed_on_commit", away)
        commands.take_orders([session.session_id])
    assert [order.text for order in commands.take_orders([session.session_id])] == [NOTE]


def test_a_process_that_takes_the_call_over_remembers_the_notes():
    turns = [Turn(number=1, speaker="agent", text="Hello.")]
    before = recalled(turns, elapsed_ms=5000, part=1, notes=[NOTE])
    assert before.messages == (Message("assistant", "Hello."), Message("system", prompts.whisper(NOTE)))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_connection_left")
async def test_a_talk_heeds_a_whisper_and_leaves_the_caller_to_a_person(session, monkeypatch):
    play = Scene("Ninety rupees with ten percent off.")
    monkeypatch.setattr(assembly, "assemble", play.assemble)
    talk = asyncio.create_task(conductor.conduct(session, play.line))
    await sync_to_async(commands.whisper)(session, text=NOTE, by="asha")

    async def until(is_so) -> None:
        async with asyncio.timeout(60):
            while not await sync_to_async(is_so)():
                await asyncio.sleep(0.05)

    await until(lambda: OperatorOrder.objects.filter(taken_at__isnull=False).exists())
    play.ears.hear("What does it cost")
    await until(lambda: Turn.objects.filter(session=session, text__startswith="Ninety").exists())
    assert Message("system", prompts.whisper(NOTE)) in play.mind.told[-1]

    wanted = await sync_to_async(Destination.objects.get)()
    assert await sync_to_async(commands.hand_over)(session, destination_id=wanted.pk, by="asha")
    await asyncio.wait_for(talk, 60)
    await session.arefresh_from_db()
    assert (session.state, session.end_reason) == ("ended", "transferred")
    last = await Turn.objects.filter(session=session).order_by("number").alast()
    assert last is not None and last.text == "I am putting you through to billing."
    assert play.line.is_closed
    assert timezone.now() > session.ended_at
