"""Complaint 10: a provider that is not down but slow is waited for, because its stream is open.

The chain and the deadline between chunks are the product's own; only the models behind them are scripted.
"""

from collections.abc import Sequence
from contextlib import asynccontextmanager

from engine.plan import SessionParts
from engine.session import ConversationSession
from engine.tuning import Tuning
from providers.breakers import Health
from providers.connection import DEFAULT_DEADLINES, Patience
from providers.fallback import FallbackLanguageModel
from tests.complaints.caller_side import longest_quiet_ms
from tests.engine.carrier import HangsUp, Line, Says
from tests.engine.stage import GREETING, Scene, plan
from tests.engine.vendors import Ears, Memory, Mind, Thought, Voice
from tests.engine.virtual_loop import play

ASKS = Says(4000, "what does it cost")
FILLER = "One moment."


class Vendor(Mind):
    """A scripted model behind the deadlines that each vendor's adapter keeps."""

    @asynccontextmanager
    async def reply(self, messages, tools):
        patience = Patience(self.provider, DEFAULT_DEADLINES)
        async with super().reply(messages, tools) as events:
            yield patience.each(events, lambda event: True)


def answered_by(*minds: Mind) -> Scene:
    scene = Scene(line=Line([ASKS, HangsUp(15_000)]), ears=Ears([ASKS]), voice=Voice())

    async def run() -> None:
        chain = FallbackLanguageModel(minds, Health())
        parts = SessionParts(scene.ears, chain, scene.voice, Memory(GREETING, FILLER))
        manners = Tuning(speculate=False)
        await ConversationSession(plan(filler=FILLER, tuning=manners), parts, scene.line, scene.events.append).run()

    play(run())
    return scene


def models(*thoughts: Thought) -> Sequence[Mind]:
    return [Vendor([thought], model=f"mind-{number}") for number, thought in enumerate(thoughts)]


def test_a_model_that_takes_its_time_is_left_for_another_within_the_turn():
    slow, quick = models(Thought("It costs five hundred.", first_ms=60_000), Thought("Five hundred rupees."))
    scene = answered_by(slow, quick)
    assert scene.dialogue[-1] == ("agent", f"{FILLER} Five hundred rupees.")
    assert longest_quiet_ms(scene, ASKS.until_ms, 11_000) < 4000
    assert (len(slow.asked), slow.open_streams, len(quick.asked)) == (1, 0, 1)


def test_a_model_that_trickles_words_too_slowly_to_be_spoken_is_left_too():
    trickling, quick = models(
        Thought("It costs at the very least five hundred.", first_ms=300, gap_ms=900), Thought("Five hundred rupees.")
    )
    scene = answered_by(trickling, quick)
    assert scene.dialogue[-1] == ("agent", f"{FILLER} Five hundred rupees.")


def test_a_model_that_stops_in_mid_answer_is_taken_over_from_and_no_sentence_is_said_twice():
    stuck, quick = models(
        Thought("It costs five hundred. And for two", fails_after=6, fault="stall"),
        Thought("It costs five hundred. For two it is nine hundred."),
    )
    scene = answered_by(stuck, quick)
    assert scene.dialogue[-1][1].replace(f"{FILLER} ", "") == "It costs five hundred. For two it is nine hundred."
    assert scene.voice.spoken.count("It costs five hundred.") == 1
    assert longest_quiet_ms(scene, ASKS.until_ms, 13_000) < 5000
