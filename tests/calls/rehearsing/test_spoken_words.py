"""What the caller of a rehearsal by voice says aloud, what they leave unsaid, and which of the agent's words they answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from django.utils import timezone

from calls import commands
from calls.commands import FinishedTurn, Happened
from calls.jobs import RetryLater, claim
from calls.rehearsing import by_voice, spoken
from calls.rehearsing.lines import Heard
from calls.rehearsing.stage import HangUp, Say
from calls.rehearsing.voices import MOST_CHARACTERS, Voice, shortened
from engine.audio import AudioChunk
from engine.errors import ProviderError
from tests.calls.rehearsing.test_by_voice import Answers, ScriptedLine, begun, hold, job_of, talked


class Mute:
    """A vendor that takes the words and sends no sound."""

    provider, model, sample_rate_hz = "mute", "mute", 8000

    def __init__(self) -> None:
        self.asked = list[str]()

    @asynccontextmanager
    async def speak(self, text: str) -> AsyncIterator[AsyncIterator[AudioChunk]]:
        self.asked.append(text)

        async def nothing() -> AsyncIterator[AudioChunk]:
            for chunk in list[AudioChunk]():
                yield chunk

        yield nothing()

    def usage(self, text: str) -> list:
        return []


def test_words_without_sound_are_the_voices_failure_and_no_words_are_silence():
    port = Mute()
    with pytest.raises(ProviderError, match="gave no sound"):
        Voice(port).spoken("Hello")
    assert port.asked == ["Hello", "Hello"], "tried once more"
    assert Voice(port).spoken("") == b"" and len(port.asked) == 2


def test_what_is_too_long_is_cut_at_a_word():
    assert shortened("Hello there") == "Hello there"
    cut = shortened("word " * 200)
    assert MOST_CHARACTERS - 5 <= len(cut) <= MOST_CHARACTERS and cut.endswith("word")
    assert len(shortened("x" * 1000)) == MOST_CHARACTERS


def test_what_cannot_be_spoken_is_not_said(agent, monkeypatch):
    monkeypatch.setattr(spoken, "_ROWS_EVERY_S", 0.0)
    monkeypatch.setattr(Answers, "spoken", lambda caller, text: b"")
    (result,) = begun(agent)
    talked(result.session, reason="")
    line = ScriptedLine(result.session, *[Heard(now_ms=900)] * 3, Heard(now_ms=2000, is_over=True, sounded_ms=20))
    caller = Answers(Say("…"))
    hold(line, caller, speaks_first=True)
    assert line.done == ["hangs up"]


def test_one_that_is_only_judged_has_left_its_seat(agent, settings):
    settings.REHEARSE_BY_VOICE_AT_ONCE = 1
    first, second = begun(agent, 2)
    assert by_voice.take_seat(first) and claim(job_of(first).pk)
    with pytest.raises(RetryLater):
        by_voice.take_seat(second)
    talked(first.session, reason="agent-goodbye")
    assert by_voice.take_seat(second)


def test_what_the_callers_words_broke_off_is_not_answered_once_more(agent, monkeypatch):
    monkeypatch.setattr(spoken, "_ROWS_EVERY_S", 0.0)
    (result,) = begun(agent)
    session = result.session
    talked(session, reason="")

    def told(number: int, text: str, *, broken_off: bool) -> None:
        turn = FinishedTurn(session, number, "agent", text, started_ms=0, ended_ms=900, interrupted=broken_off)
        commands.add_turns([turn])
        facts = {"turn": number, "marks": "1 of 1"}
        commands.record_talk([Happened(session.pk, f"engine:{number}", "engine", "turn-played", timezone.now(), facts)])

    def told_late() -> Heard:
        told(7, "Welcome to", broken_off=True)
        return Heard(now_ms=4000, quiet_ms=900, sounded_ms=900)

    def answered() -> Heard:
        told(9, "Which day?", broken_off=False)
        return Heard(now_ms=9000, quiet_ms=900, sounded_ms=900)

    quiet = Heard(now_ms=900)
    says = [quiet, quiet, quiet, Heard(now_ms=2000, is_speaking=True), Heard(now_ms=3000), Heard(now_ms=3000)]
    line = ScriptedLine(session, *says, told_late, Heard(now_ms=5000, quiet_ms=1900, sounded_ms=900), answered)
    caller = Answers(Say("Hello"), HangUp())
    hold(line, caller, speaks_first=True)
    assert caller.knew == [[], ["Welcome to", "Hello", "Which day?"]]
