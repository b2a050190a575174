"""A conversation in writing with the real engine and a scripted model: no socket, no row, and no waiting."""

import time
from typing import Any

import pytest

from agents.spec import AgentSpec, DestinationSpec, LanguageModelSpec, SpeechToTextSpec, VoiceSpec
from calls.rehearsing.stage import Before, HangUp, Leave, Reader, Say, StaySilent, TookTooLong, hold, talk
from calls.rehearsing.talk import AGENT, CALLER
from engine.events import EndReason
from engine.ports import ReplyFinished, TextDelta, ToolCall
from tests.calls.scripted import Mind


def spec(**fields) -> AgentSpec:
    told = {"name": "Clinic desk", "prompt": "You answer for a clinic.", "first_message": "Namaste.", "language": "en-IN", **fields}
    ports: dict[str, Any] = {
        "voice": VoiceSpec("elevenlabs", "a", "b"),
        "llm": LanguageModelSpec("openai", "gpt-6-luna", 0.0, 300),
        "stt": SpeechToTextSpec("deepgram", "nova-3", 300),
    }
    return AgentSpec(**told, **ports)


def lines(found) -> list[tuple[str, str]]:
    return [(line.speaker, line.text) for line in found.lines]


class Caller:
    """Answers from a list, and remembers whether keys were asked for."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.asked: list[bool] = []

    def answer(self, talk, *, is_asked_for_keys):
        self.asked.append(is_asked_for_keys)
        return self.answers.pop(0) if self.answers else HangUp()


class ToolMind(Mind):
    """Uses a tool when it is asked first, and then says what came of it."""

    def __init__(self, name: str, arguments: str) -> None:
        super().__init__()
        self._call = ToolCall("call-9", name, arguments)

    async def _stream(self, answer):
        told = self.told[-1]
        if told[-1].role == "tool":
            yield TextDelta(f"It says: {told[-1].content}")
        else:
            yield TextDelta("One moment. ")
            yield self._call
        yield ReplyFinished("stop", ())


def test_typed_lines_are_answered_in_turn_until_the_caller_hangs_up():
    found = talk(spec(), ["Is Tuesday free?", "At five, please."], model=Mind("At what time?", "Booked."))
    assert lines(found) == [
        (AGENT, "Namaste."), (CALLER, "Is Tuesday free?"), (AGENT, "At what time?"), (CALLER, "At five, please."), (AGENT, "Booked."),
    ]  # fmt: skip
    assert [line.number for line in found.lines] == [1, 2, 3, 4, 5]
    assert found.reason is EndReason.CALLER_HANGUP
    assert sum(record.quantity for record in found.usage) == 4, "tokens alone: nothing is recognised and nothing is spoken"
    assert [message.role for message in found.history] == ["assistant", "user", "assistant", "user", "assistant"]


def test_a_minute_of_talk_takes_no_minute():
    began = time.process_time()
    found = talk(spec(), ["tell me everything " * 20] * 3, model=Mind(*["A long answer it is, and it goes on and on. " * 12] * 3))
    assert found.lasted_ms > 100_000
    assert time.process_time() - began < 30


def test_an_agent_that_says_goodbye_ends_the_talk():
    found = talk(spec(), ["Bye!", "Are you still there?"], model=Mind("Goodbye. END"))
    assert found.reason is EndReason.AGENT_GOODBYE
    assert lines(found)[-1] == (AGENT, "Goodbye.")


def test_silence_is_asked_about_twice_and_then_ends_the_talk():
    found = hold(spec(), Caller(*[StaySilent()] * 5), model=Mind())
    assert found.reason is EndReason.SILENCE
    assert len(found.by(AGENT)) == 4 and not found.by(CALLER)


def test_an_agent_without_a_first_message_waits_for_the_caller():
    found = talk(spec(first_message=""), ["Hello?"], model=Mind("Yes?"))
    assert lines(found) == [(CALLER, "Hello?"), (AGENT, "Yes?")]


def test_keys_are_pressed_while_the_agent_asks_for_them():
    caller = Caller(Say("I want to pay"), Say("12 34#"))
    found = hold(spec(collects_digits=True), caller, model=ToolMind("collect_digits", '{"secret": false}'))
    assert caller.asked[:2] == [False, True]
    assert found.tools[0].name == "collect_digits" and found.tools[0].turn == 3
    assert "1234" in lines(found)[-1][1]


def test_words_come_instead_of_keys_too():
    found = hold(spec(collects_digits=True), Caller(Say("Pay"), StaySilent()), model=ToolMind("collect_digits", '{"secret": true}'))
    assert "pressed nothing" in lines(found)[-1][1]


def test_what_a_tool_has_to_write_down_is_done_on_the_thread_that_asked():
    import threading

    class Books:
        def begin_tool(self, tool, arguments, *, acts):
            raise AssertionError("a ledger that fails must not cost the answer")

        def end_tool(self, run_id, state, result):
            raise AssertionError("what was never begun is not ended")

        def transfer(self, destination):
            self.who, self.thread = destination.name, threading.current_thread()
            return True

    books = Books()
    desk = DestinationSpec(7, "Front desk", "people", ("+919800000001",), handover="I hand you over.")
    found = hold(
        spec(destinations=(desk,)), Reader(["A person, please"]), books=books, model=ToolMind("transfer_call", '{"destination": 7}')
    )
    assert (books.who, books.thread) == ("Front desk", threading.current_thread())
    assert found.reason is EndReason.TRANSFERRED


def test_a_talk_that_is_left_goes_on_from_what_was_said():

    first = hold(spec(), Reader(["I am Meera."], then=Leave()), model=Mind("Hello Meera."))
    assert first.is_left
    mind = Mind("You are Meera.")
    second = hold(spec(), Reader(["Who am I?"], then=Leave()), before=Before(first.history, first.lasted_ms), model=mind)
    assert [message.content for message in mind.told[0][1:]] == ["Namaste.", "I am Meera.", "Hello Meera.", "Who am I?"]
    assert lines(second) == [(CALLER, "Who am I?"), (AGENT, "You are Meera.")]


def test_what_the_caller_raises_ends_the_talk_and_its_thread():
    import threading

    class Broken:
        def answer(self, talk, *, is_asked_for_keys):
            raise LookupError("nobody there")

    with pytest.raises(LookupError):
        hold(spec(), Broken(), model=Mind())
    assert not [thread for thread in threading.enumerate() if thread.name == "written talk" and thread.is_alive()]


def test_a_talk_has_a_limit_of_real_time():
    class Hanging(Mind):
        async def _stream(self, answer):
            import asyncio

            await asyncio.Event().wait()
            yield TextDelta("never")

    with pytest.raises(TookTooLong):
        hold(spec(), Reader(["Hello"]), model=Hanging(), limit_s=0.2)
