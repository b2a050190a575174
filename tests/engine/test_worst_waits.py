"""Everything hangs, each at the end of its deadline: what the caller hears, in ms from their own last word.

The deadlines, the chains and the manners are the product's own; only what stands behind them is scripted. docs/providers.md has the
figures.
"""

from contextlib import asynccontextmanager

import pytest

from engine.events import AgentTurnEnded, AgentTurnStarted, EndReason
from engine.plan import SessionParts
from engine.session import ConversationSession
from engine.tuning import Tuning
from providers.breakers import Health
from providers.connection import DEFAULT_DEADLINES, Patience
from providers.fallback import FallbackLanguageModel, FallbackTextToSpeech
from providers.openai.client import LANGUAGE_MODEL_DEADLINES
from tests.complaints.caller_side import longest_quiet_ms
from tests.engine.carrier import HangsUp, Line, Says
from tests.engine.stage import APOLOGY, GOODBYE, GREETING, Scene, plan
from tests.engine.vendors import Ears, Memory, Mind, Thought, Voice
from tests.engine.virtual_loop import play

REGRET, FILLER = "Sorry, we have a technical problem.", "One moment, please."
STORED = Memory(GREETING, APOLOGY, REGRET, GOODBYE, FILLER)
SILENCE_LIMIT_MS, PARTING_LIMIT_MS = 5000, 6000


class VendorMind(Mind):
    @asynccontextmanager
    async def reply(self, messages, tools):
        patience = Patience(self.provider, LANGUAGE_MODEL_DEADLINES)
        async with super().reply(messages, tools) as events:
            yield patience.each(events, lambda event: True)


class VendorVoice(Voice):
    @asynccontextmanager
    async def speak(self, text):
        patience = Patience(self.provider, DEFAULT_DEADLINES)
        async with super().speak(text) as chunks:
            yield patience.each(chunks, lambda chunk: bool(chunk.pcm))


def minds(count, thought):
    chain = [VendorMind([thought], provider=f"mind-{number}") for number in range(count)]
    return chain[0] if count == 1 else FallbackLanguageModel(chain, Health())


def voices(count, fault):
    chain = [VendorVoice(always_fails=fault, provider=f"voice-{number}") for number in range(count)]
    return chain[0] if count == 1 else FallbackTextToSpeech(chain, Health())


HANGS, STALLS = Thought("", fails_after=0, fault="stall"), Thought("It costs", fails_after=1, fault="stall")
FINE, LATE = Thought("It costs five hundred."), Thought("It costs five hundred.", first_ms=3500)


def called(says, mind, voice, *, ears=None, prepared=STORED, **words):
    scene = Scene(line=Line([says, HangsUp(60_000)]), ears=ears or Ears([]))
    scene.ears.lines = [says]

    async def run():
        parts = SessionParts(scene.ears, mind, voice, prepared)
        given = plan(regret=REGRET, filler=FILLER, **words)
        await ConversationSession(given, parts, scene.line, scene.events.append).run()

    play(run())
    return scene


def heard(scene):
    """What was said, and when each began, from the caller's last word on."""
    numbered = {turn.turn: turn.at_ms for turn in scene.of(AgentTurnStarted)}
    return [(turn.heard, numbered[turn.turn]) for turn in scene.of(AgentTurnEnded)][1:]


def judge(scene, says, *, wait_ms):
    """The caller is never left for 5 s; the apology comes when nothing else can help, the goodbye is over 6 s later."""
    said = heard(scene)
    assert [text for text, _ in said] == [FILLER, REGRET, GOODBYE]
    assert scene.reason is EndReason.PROVIDER_FAILED
    assert longest_quiet_ms(scene, says.until_ms, scene.ended_ms) < SILENCE_LIMIT_MS
    regret_ms = said[1][1]
    assert regret_ms - says.until_ms <= wait_ms + Tuning().answer_budget_ms + 50
    assert scene.ended_ms - regret_ms <= PARTING_LIMIT_MS


@pytest.mark.parametrize("stand_ins", [0, 1, 3])
@pytest.mark.parametrize("behind", ["mind", "voice", "both"])
@pytest.mark.parametrize(
    ("says", "wait_ms"), [(Says(4000, "what does it cost"), 300), (Says(4000, "my number is"), 1800)], ids=["a question", "half a number"]
)
def test_all_of_a_chain_hang(says, wait_ms, behind, stand_ins):
    mind = minds(1 + stand_ins, FINE if behind == "voice" else HANGS)
    voice = voices(1 + stand_ins, None if behind == "mind" else "stall")
    judge(called(says, mind, voice), says, wait_ms=wait_ms)


def test_the_recogniser_never_says_that_the_caller_has_finished_and_all_else_hangs_too():
    says = Says(4000, "what does it cost")
    judge(called(says, minds(2, HANGS), voices(2, "stall"), ears=Ears([], ends="interims-only")), says, wait_ms=Tuning().stale_interim_ms)


@pytest.mark.parametrize("mind", [STALLS, LATE], ids=["stalls behind its first word", "comes late to a voice that hangs"])
def test_where_somebody_is_only_slow_the_caller_is_asked_again_in_time(mind):
    says = Says(4000, "what does it cost")
    scene = called(says, minds(1, mind), voices(1, "stall" if mind is LATE else None))
    (filler, _), (apology, apology_ms) = heard(scene)[:2]
    assert (filler, apology) == (FILLER, APOLOGY)
    assert longest_quiet_ms(scene, says.until_ms, apology_ms) < SILENCE_LIMIT_MS


@pytest.mark.parametrize("behind", ["voice", "both"])
def test_where_no_sentence_is_in_memory_a_line_that_must_stay_silent_is_closed_instead(behind):
    says = Says(4000, "what does it cost")
    scene = called(says, minds(2, FINE if behind == "voice" else HANGS), voices(2, "stall"), prepared=Memory(GREETING))
    assert heard(scene) == []
    assert scene.ended_ms - says.until_ms < SILENCE_LIMIT_MS


def test_a_goodbye_that_is_being_heard_is_not_cut_because_the_apology_was_long():
    long_words = {"regret": "Sorry. " * 9, "goodbye": "Thank you for calling Sunrise Clinic, and goodbye to you and yours."}
    says = Says(4000, "what does it cost")
    scene = Scene(line=Line([says, HangsUp(60_000)]), ears=Ears([says]))

    async def run():
        known = Memory(GREETING, *(text.strip() for text in long_words.values()))
        parts = SessionParts(scene.ears, minds(1, HANGS), voices(1, None), known)
        words = {name: text.strip() for name, text in long_words.items()}
        await ConversationSession(plan(**words), parts, scene.line, scene.events.append).run()

    play(run())
    regret, goodbye = scene.of(AgentTurnEnded)[1:]
    assert (regret.heard, goodbye.heard) == (long_words["regret"].strip(), long_words["goodbye"])
    assert scene.ended_ms - regret.started_ms > PARTING_LIMIT_MS
