"""A conducted call with tools: the real engine, the real assembly, rows in the real Postgres; only the vendors' ports are scripted."""

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async
from structlog.testing import capture_logs

from agents import assembly, prepared
from agents.models import Destination, HttpTool
from calls import commands, conductor
from calls.models import CallEvent, Session, ToolRun, Transfer, Turn, UsageLine
from engine.audio import silence
from engine.keypad import Keypad
from engine.ports import DtmfPressed, TextDelta, ToolCall
from tests.calls import made_calls as made
from tests.calls.scripted import RATE_HZ, Ears, Line, Mind, Voice
from tests.providers.test_operator_http import LOOPBACK, answers, service

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_connection_left")]

HELLO = "Hello from the clinic."


class AskingMind(Mind):
    """An answer may be a pair: words, and the tool call that comes with them."""

    async def _stream(self, answer):
        if isinstance(answer, str):
            async for event in super()._stream(answer):
                yield event
            return
        text, call = answer
        async for event in super()._stream(text):
            if not isinstance(event, TextDelta):
                yield call
            yield event


class Stage:
    def __init__(self, monkeypatch, *answers) -> None:
        self.line, self.ears, self.mind, self.voice = Line(), Ears(), AskingMind(*answers), Voice(100)
        monkeypatch.setattr(assembly, "speech_to_text", lambda spec: self.ears)
        monkeypatch.setattr(assembly, "language_model", lambda spec: self.mind)
        monkeypatch.setattr(assembly, "text_to_speech", lambda spec: self.voice)
        self._caller: list[asyncio.Task] = []

    async def talk(self, session: Session, *said: str) -> None:
        """Conducts the call; the caller says one thing after each turn of the agent."""

        async def caller() -> None:
            for number, words in enumerate(said):
                async with asyncio.timeout(60):
                    while await Turn.objects.filter(session=session, speaker="agent").acount() <= number:
                        await asyncio.sleep(0.02)
                self.ears.hear(words)

        speaking = asyncio.create_task(caller())
        await asyncio.wait_for(conductor.conduct(session, self.line), 60)
        await speaking


def begin(**fields) -> Session:
    return made.talking_call(made.agent_of(made.operator(), **fields))


def renewed(session: Session) -> Session:
    """The same call on its agent's newest version."""
    Session.objects.filter(pk=session.pk).update(agent_version=session.agent.current_version)
    return Session.objects.select_related("call_log", "agent_version", "agent").get(pk=session.pk)


async def test_a_caller_is_handed_over_after_the_handover_sentence(monkeypatch):
    def rows() -> tuple[Session, int]:
        session = begin()
        sales = Destination.objects.create(
            agent=session.agent, name="Sales", description="Prices", numbers=["+918047112200"], handover="I connect you to sales."
        )
        return renewed(session), sales.pk

    session, sales = await sync_to_async(rows)()
    stage = Stage(monkeypatch, ("Gladly.", ToolCall("1", "transfer_call", json.dumps({"destination": sales}))))
    await stage.talk(session, "I want to buy")
    await session.arefresh_from_db()
    assert (session.state, session.end_reason) == ("ended", "transferred")
    transfer = await Transfer.objects.aget(session=session)
    assert (transfer.name, transfer.numbers, transfer.asked_at) == ("Sales", ["+918047112200"], None)
    last = await Turn.objects.filter(session=session, speaker="agent").order_by("-number").afirst()
    assert last is not None
    assert last.text == "Gladly. I connect you to sales."
    run = await ToolRun.objects.aget(session=session)
    assert (run.tool, run.state, run.arguments) == ("transfer_call", "done", {"destination": sales})
    assert "8047112200" not in str(stage.mind.told)


async def test_an_http_tool_is_asked_once_with_its_secret_and_its_result_is_told_to_the_model(monkeypatch, settings):
    settings.TOOL_ALLOWED_NETWORKS = LOOPBACK
    async with service(answers("200 OK", b'{"slot": "ten"}')) as (place, seen):

        def rows() -> Session:
            session = begin()
            HttpTool.objects.create(
                agent=session.agent, name="book", description="Books.", url=f"http://{place}/", secret_headers='{"X-Key": "hush"}',
                parameters={"type": "object", "properties": {"day": {"type": "string"}}}, fixed={"caller": "{{caller_number}}"},
            )  # fmt: skip
            return renewed(session)

        session = await sync_to_async(rows)()
        wish = ToolCall("1", "book", '{"day": "monday"}')
        again = ToolCall("2", "book", '{ "day":"monday" }')
        stage = Stage(monkeypatch, ("Let me see.", wish), "Ten is free.", ("Once more.", again), "Still ten. END")
        await stage.talk(session, "Book me for Monday", "Please book that again")
    assert len(seen) == 1
    assert b"X-Key: hush" in seen[0]
    assert json.loads(seen[0].split(b"\r\n\r\n", 1)[1]) == {"day": "monday", "caller": session.user_phone}
    run = await ToolRun.objects.aget(session=session)
    assert (run.state, run.arguments, run.result) == ("done", {"day": "monday"}, '{"slot": "ten"}')
    told = [message.content for message in stage.mind.told[-1] if message.role == "tool"]
    assert told == ['{"slot": "ten"}', '{"slot": "ten"}']
    await session.arefresh_from_db()
    assert session.end_reason == "agent-goodbye"


async def test_the_first_message_plays_from_memory_without_a_voice(monkeypatch):
    session = await sync_to_async(lambda: renewed(begin(name="Clinic")))()
    spec = session.agent_version.as_spec()
    prepared.memory.put(prepared.key_of(spec, spec.first_message), silence(300, RATE_HZ))
    stage = Stage(monkeypatch, "Goodbye then. END")

    def fail(text):
        raise AssertionError("the voice was asked for what is in memory")

    speak = stage.voice.speak
    monkeypatch.setattr(stage.voice, "speak", fail)
    talk = asyncio.create_task(stage.talk(session, "Bye"))
    async with asyncio.timeout(60):
        while await Turn.objects.filter(session=session).acount() < 1:
            await asyncio.sleep(0.02)
    monkeypatch.setattr(stage.voice, "speak", speak)
    await talk
    first = await Turn.objects.aget(session=session, number=1)
    assert first.text == spec.first_message
    spoken = [line.quantity async for line in UsageLine.objects.filter(session=session, kind="tts")]
    assert len(spec.first_message) not in spoken
    prepared.memory.clear()


async def test_prompt_and_first_message_know_the_caller(monkeypatch):
    def rows() -> Session:
        agent = made.agent_of(made.operator(), name="Asha")
        agent.prompt, agent.first_message = "You are {{agent_name}}; {{caller_number}} calls.", "Hi {{customer.name|there}}!"
        agent.save()
        session = made.talking_call(agent)
        Session.objects.filter(pk=session.pk).update(customer={"name": "Ravi"})
        return Session.objects.select_related("call_log", "agent_version", "agent").get(pk=session.pk)

    session = await sync_to_async(rows)()
    stage = Stage(monkeypatch, "Goodbye. END")
    await stage.talk(session, "Bye")
    assert (await Turn.objects.aget(session=session, number=1)).text == "Hi Ravi!"
    assert stage.mind.told[0][0].content.startswith(f"You are Asha; {session.user_phone} calls.")


def test_what_still_ran_when_the_talk_ended_counts_as_unknown():
    from django.utils import timezone

    session = begin()
    commands.begin_tool_run(session.session_id, tool="book", arguments={}, acts=True)
    commands.end_session(session.session_id, reason="caller-hangup", at=timezone.now())
    run = ToolRun.objects.get(session=session)
    assert (run.state, run.ended_at is not None) == ("unknown", True)


async def test_a_pin_pressed_for_a_tool_is_nowhere_but_at_the_tool(monkeypatch, settings):
    settings.TOOL_ALLOWED_NETWORKS = LOOPBACK
    async with service(answers("200 OK", b"right", "text/plain")) as (place, seen):

        def rows() -> Session:
            session = begin(collects_digits=True)
            schema = {"type": "object", "properties": {"pin": {"type": "string"}}}
            HttpTool.objects.create(agent=session.agent, name="check", description="Checks.", url=f"http://{place}/", parameters=schema)
            return renewed(session)

        session = await sync_to_async(rows)()
        ask_for = ToolCall("1", "collect_digits", '{"secret": true, "length": 8}')
        check = ToolCall("2", "check", '{"pin": "secret_digits_1"}')
        stage = Stage(monkeypatch, ("Your PIN, please.", ask_for), ("Thank you.", check), "That is right. END")

        collecting, collect = asyncio.Event(), Keypad.collect

        async def collected(self, rules):
            collecting.set()
            return await collect(self, rules)

        monkeypatch.setattr(Keypad, "collect", collected)

        async def press() -> None:
            await asyncio.wait_for(collecting.wait(), 60)
            for digit in "80412759":
                stage.line._events.put_nowait(DtmfPressed(digit))

        pressing = asyncio.create_task(press())
        with capture_logs() as logs:
            await stage.talk(session, "Check my account")
        await pressing
    assert json.loads(seen[0].split(b"\r\n\r\n", 1)[1]) == {"pin": "80412759"}
    everything = [str(logs), str(stage.mind.told)]
    for model in (Turn, ToolRun, CallEvent):
        everything.append(str(await sync_to_async(lambda model=model: list(model.objects.filter(session=session).values()))()))
    assert not [text for text in everything if "80412759" in text]
    assert "secret_digits_1" in str(stage.mind.told)
    await session.arefresh_from_db()
    assert session.end_reason == "agent-goodbye"
