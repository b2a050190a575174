"""Replies carried out by the speaker alone, as turn-taking orders them: ahead of the turn, paused, from memory, and what they cost."""

import asyncio

import pytest

from engine.events import (
    AgentTurnEnded,
    AgentTurnInterrupted,
    AgentTurnStarted,
    EndReason,
    ProviderFailed,
    ToolCalled,
    UsageRecorded,
)
from engine.latency import TurnMoments
from engine.moves import AgentAudioStarted, GoodbyeDecided, Prepared, ReplyEnded, SentenceStarted
from engine.plan import SessionParts
from engine.ports import Message, ToolSpec
from engine.speaker import Speaker
from engine.tools import Tool, ToolOutcome
from engine.transcript import Transcript
from engine.tuning import Tuning
from engine.usage import Unit, UsageKind
from providers.breakers import Health
from providers.fallback import FallbackLanguageModel
from tests.engine.carrier import Line
from tests.engine.stage import APOLOGY, GREETING, plan
from tests.engine.vendors import Memory, Mind, Thought, Voice
from tests.engine.virtual_loop import play

FILLER = "One moment, please."
ANSWER = "It costs five hundred. And for children half."


class Stage:
    """A speaker on a line; what it tells and emits, with the ms at which it did."""

    def __init__(self, thoughts=(), voice=None, prepared=None, mind=None, **changes):
        self.line = Line([])
        self.mind = mind or Mind(list(thoughts) or [Thought(ANSWER)])
        self.voice = voice or Voice()
        self.events: list = []
        self.facts: list = []
        self.times: dict[str, int] = {}
        self.transcript = Transcript("Be kind.")
        self.parts = SessionParts(None, self.mind, self.voice, prepared)  # type: ignore[arg-type]  # nobody listens here
        self.plan = plan(**{"filler": FILLER, **changes})

    async def __aenter__(self):
        self.loop = asyncio.get_running_loop()
        self.zero_s = self.loop.time()

        async def tell_in_turn(fact):
            self.tell(fact)

        self.speaker = Speaker(
            self.plan,
            self.parts,
            self.line,
            self.transcript,
            now_ms=lambda: self.now_ms,
            emit=self.events.append,
            tell=self.tell,
            tell_in_turn=tell_in_turn,
        )
        self.group = asyncio.TaskGroup()
        await self.group.__aenter__()
        self._helpers = [asyncio.create_task(self.speaker.playback.run()), asyncio.create_task(self._bring_marks())]
        return self

    async def __aexit__(self, *problem):
        await self.speaker.stop(self.now_ms, by_caller=False)
        await self.line.close()
        await self.speaker.close()
        for task in self._helpers:
            task.cancel()
        await asyncio.wait(self._helpers)
        await self.group.__aexit__(*problem)
        assert getattr(self.mind, "open_streams", 0) == 0  # a chain counts none
        assert self.voice.open_streams == 0

    async def _bring_marks(self):
        while (event := await self.line.inbox.get()) is not None:
            self.speaker.playback.reach_mark(event.name)

    def tell(self, fact):
        self.facts.append(fact)
        if isinstance(fact, AgentAudioStarted):
            self.speaker.begin_turn(fact.reply_id)
        if isinstance(fact, ReplyEnded):
            self.speaker.end_turn(fact.reply_id)
        self.times.setdefault(type(fact).__name__, self.now_ms)

    @property
    def now_ms(self):
        return round((self.loop.time() - self.zero_s) * 1000)

    def prepare(self, reply_id=1, text="what does it cost"):
        self.speaker.prepare(self.group, reply_id, text)

    def answer(self, reply_id=1, text="what does it cost"):
        self.transcript.hear_user(text)
        self.speaker.answer(self.group, reply_id, TurnMoments(self.now_ms, self.now_ms))

    async def until_told(self, kind):
        while not any(isinstance(fact, kind) for fact in self.facts):
            await asyncio.sleep(0.01)

    def of(self, kind):
        return [each for each in [*self.events, *self.facts] if isinstance(each, kind)]

    @property
    def used(self):
        return [(event.record.unit, event.record.purpose) for event in self.of(UsageRecorded)]

    @property
    def first_sent_ms(self):
        return round((self.line.sent[0].at_s - self.zero_s) * 1000)


def on_stage(act, **given):
    """Plays `act(stage)` and gives the stage."""

    async def scene():
        async with Stage(**given) as stage:
            await act(stage)
        return stage

    return play(scene())


# --- ahead of the end of the turn -------------------------------------------------------------------------------------


def test_a_prepared_answer_is_silent_and_untold_until_it_is_wanted_and_then_there_at_once():
    async def act(stage):
        stage.prepare()
        await asyncio.sleep(2)
        assert (stage.facts, stage.events, stage.line.sent) == ([], [], [])
        assert stage.voice.spoken == ["It costs five hundred."]  # the first sentence only
        stage.answer()
        await stage.until_told(ReplyEnded)

    stage = on_stage(act)
    assert stage.first_sent_ms == 2000
    assert stage.of(AgentTurnEnded)[0].heard == ANSWER
    assert stage.of(AgentTurnStarted)[0].latency.total_ms == 0
    assert stage.mind.asked == [[Message("system", "Be kind."), Message("user", "what does it cost")]]
    assert {purpose for _, purpose in stage.used} == {""}
    assert [message.content for message in stage.transcript.messages()] == ["Be kind.", "what does it cost", ANSWER]


@pytest.mark.parametrize("after_ms", [0, 100, 300, 450, 2000])
def test_a_dropped_answer_leaves_no_trace_but_its_cost(after_ms):
    async def act(stage):
        stage.prepare(text="what does")
        await asyncio.sleep(after_ms / 1000)
        await stage.speaker.drop(1)
        await asyncio.sleep(1)
        assert stage.facts == []
        assert stage.line.sent == []
        assert stage.transcript.messages() == [Message("system", "Be kind.")]
        stage.wasted = list(stage.used)
        stage.answer(2)
        await stage.until_told(ReplyEnded)

    stage = on_stage(act)
    assert {purpose for _, purpose in stage.wasted} == {"speculative"}
    assert (Unit.OUTPUT_TOKENS in {unit for unit, _ in stage.wasted}) is (after_ms > 200)  # before, not a token was written
    assert stage.of(AgentTurnEnded)[0].heard == ANSWER
    assert [purpose for _, purpose in stage.used[len(stage.wasted) :]] == [""] * (len(stage.used) - len(stage.wasted))


def test_an_answer_wanted_while_it_is_being_made_goes_on_as_if_it_had_been_asked_for():
    async def act(stage):
        stage.prepare()
        await asyncio.sleep(0.25)
        stage.answer()
        await stage.until_told(ReplyEnded)

    ahead, plain = on_stage(act), on_stage(lambda stage: _answer(stage))
    assert ahead.first_sent_ms == plain.first_sent_ms
    assert ahead.of(AgentTurnStarted)[0].latency.total_ms == plain.of(AgentTurnStarted)[0].latency.total_ms - 250
    assert len(ahead.mind.asked) == 1


async def _answer(stage):
    stage.answer()
    await stage.until_told(ReplyEnded)


def test_a_prepared_answer_that_failed_is_made_anew_when_it_is_wanted():
    async def act(stage):
        stage.prepare()
        await asyncio.sleep(1)
        assert stage.of(ReplyEnded) == []
        stage.answer()
        await stage.until_told(ReplyEnded)

    broken = Thought("", fails_after=0)
    stage = on_stage(act, thoughts=[broken, broken, Thought("Five hundred.")])
    assert stage.of(AgentTurnEnded)[0].heard == "Five hundred."
    assert not stage.of(ReplyEnded)[0].failed


def test_a_prepared_answer_runs_no_tool_and_ends_no_call_before_it_is_wanted():
    ran_ms = []

    async def book(arguments):
        ran_ms.append(round((asyncio.get_running_loop().time() - 1000) * 1000))  # the virtual clock begins at 1000 s
        return "booked"

    tool = Tool(ToolSpec("book", "books"), book)

    async def act(stage):
        stage.prepare()
        await asyncio.sleep(2)
        assert ran_ms == []
        assert stage.facts == []
        stage.answer()
        await stage.until_told(ReplyEnded)

    stage = on_stage(
        act, thoughts=[Thought("Let me see.", calls=[("book", "{}")]), Thought("Bye.", calls=[("end_call", "{}")])], tools=(tool,)
    )
    assert ran_ms == [2000]
    assert stage.of(GoodbyeDecided) == [GoodbyeDecided(1, EndReason.AGENT_GOODBYE)]


def test_an_answer_that_ends_the_call_says_so_only_when_it_is_wanted():
    async def act(stage):
        stage.prepare()
        await asyncio.sleep(2)
        assert stage.facts == []
        stage.answer()
        await asyncio.sleep(0)
        assert stage.facts[0] == GoodbyeDecided(1, EndReason.AGENT_GOODBYE)
        await stage.until_told(ReplyEnded)

    on_stage(act, thoughts=[Thought("Bye.", calls=[("end_call", "{}")])])


# --- paused and resumed -----------------------------------------------------------------------------------------------


def test_a_false_start_resumes_the_sentence_where_it_was_cut():
    async def act(stage):
        stage.answer()
        await stage.until_told(AgentAudioStarted)
        await asyncio.sleep(0.5)
        await stage.speaker.pause(stage.now_ms)
        await asyncio.sleep(1.2)
        stage.speaker.resume()
        await stage.until_told(ReplyEnded)

    paused, plain = on_stage(act), on_stage(_answer)
    assert bytes(paused.line.played) == bytes(plain.line.played)
    assert paused.of(AgentTurnEnded)[0].heard == ANSWER
    assert not paused.of(AgentTurnInterrupted)
    assert paused.times["ReplyEnded"] == pytest.approx(plain.times["ReplyEnded"] + 1200 - 100, abs=110)


def test_an_interruption_after_a_pause_counts_from_the_moment_the_speech_was_known():
    async def act(stage):
        stage.answer()
        await stage.until_told(AgentAudioStarted)
        await asyncio.sleep(0.95)
        await stage.speaker.pause(stage.now_ms - 20)
        stage.paused_ms = stage.now_ms
        await asyncio.sleep(0.4)
        await stage.speaker.stop(stage.now_ms, by_caller=True)

    stage = on_stage(act)
    interrupted = stage.of(AgentTurnInterrupted)[0]
    assert (interrupted.at_ms, interrupted.silence_after_ms) == (stage.paused_ms - 20, 20)
    assert stage.of(AgentTurnEnded)[0].heard == "It costs five"  # a second: 20 characters
    assert len(stage.line.cleared_at_s) == 1


# --- from memory ------------------------------------------------------------------------------------------------------


def test_prepared_audio_is_heard_at_once_and_costs_nothing():
    async def act(stage):
        stage.speaker.say(stage.group, 1, Prepared.FIRST_MESSAGE)
        await stage.until_told(ReplyEnded)

    stage = on_stage(act, prepared=Memory(GREETING), voice=Voice(always_fails="open"))
    assert stage.first_sent_ms == 0
    assert stage.of(AgentTurnEnded)[0].heard == GREETING
    assert stage.voice.spoken == []
    assert stage.used == []
    assert bytes(stage.line.played).rstrip(b"\x00") == b"\x02\x20" * (len(GREETING) * 400)


def test_a_sentence_said_twice_in_a_call_is_bought_once():
    async def act(stage):
        for reply_id in (1, 2):
            stage.answer(reply_id, "what")
            stage.transcript.commit_user()
            while len(stage.of(ReplyEnded)) < reply_id:
                await asyncio.sleep(0.01)

    stage = on_stage(act, thoughts=[Thought("Could you say that again?")])
    assert stage.voice.spoken == ["Could you say that again?"]
    assert [turn.heard for turn in stage.of(AgentTurnEnded)] == ["Could you say that again?"] * 2
    assert [unit for unit, _ in stage.used].count(Unit.CHARACTERS) == 1


def test_what_is_being_said_is_told_sentence_by_sentence():
    stage = on_stage(_answer)
    assert [fact.text.strip() for fact in stage.of(SentenceStarted)] == ["It costs five hundred.", "And for children half."]


# --- while the caller waits -------------------------------------------------------------------------------------------


def slow_tool(takes_s, **given):
    async def look(arguments):
        await asyncio.sleep(takes_s)
        return "found"

    return Tool(ToolSpec("look", "looks"), look, 30_000, **given)


LOOKS = [Thought("", calls=[("look", "{}")]), Thought("Here it is.")]


@pytest.mark.parametrize(
    ("takes_s", "meanwhile", "heard"),
    [
        (0.3, None, "Here it is."),
        (2, None, f"{FILLER} Here it is."),
        (8, None, f"{FILLER} {FILLER} Here it is."),
        (2, "I am looking it up.", "I am looking it up. Here it is."),
        (2, "", "Here it is."),
    ],
)
def test_the_caller_is_told_to_wait_while_a_tool_runs_long(takes_s, meanwhile, heard):
    stage = on_stage(_answer, thoughts=LOOKS, tools=(slow_tool(takes_s, meanwhile=meanwhile),), prepared=Memory(FILLER))
    assert stage.of(AgentTurnEnded)[0].heard == heard
    assert stage.of(ReplyEnded)[0].spoke


def test_no_filler_is_said_over_words_that_are_still_playing():
    thoughts = [Thought("Let me look that up in the big book here.", calls=[("look", "{}")]), Thought("Here it is.")]
    stage = on_stage(_answer, thoughts=thoughts, tools=(slow_tool(2),))
    assert FILLER not in stage.of(AgentTurnEnded)[0].heard


def test_a_slow_model_is_bridged_and_the_answer_follows():
    stage = on_stage(_answer, thoughts=[Thought("Here it is.", first_ms=3000)], prepared=Memory(FILLER))
    assert stage.first_sent_ms == 1800
    assert stage.of(AgentTurnEnded)[0].heard == f"{FILLER} Here it is."


def test_a_slow_voice_is_bridged_from_memory_in_the_right_order():
    stage = on_stage(_answer, thoughts=[Thought("Here it is.")], voice=Voice(first_ms=3000), prepared=Memory(FILLER))
    assert stage.first_sent_ms == 1800
    assert stage.of(AgentTurnEnded)[0].heard == f"{FILLER} Here it is."
    assert [message.content for message in stage.transcript.messages()][-1] == f"{FILLER} Here it is."


class SwitchingMind(Mind):
    """Turns to another provider 400 ms after it was asked."""

    @property
    def switches(self):
        return 0 if not self.asked or asyncio.get_running_loop().time() < self.asked_at_s + 0.4 else 1

    @property
    def working(self):
        return self.provider, self.model

    def reply(self, messages, tools):
        self.asked_at_s = asyncio.get_running_loop().time()
        return super().reply(messages, tools)


def test_a_switch_of_providers_is_bridged_sooner():
    mind = SwitchingMind([Thought("Here it is.", first_ms=1500)])
    stage = on_stage(_answer, mind=mind, prepared=Memory(FILLER))
    assert 700 <= stage.first_sent_ms <= 900
    assert stage.of(AgentTurnEnded)[0].heard == f"{FILLER} Here it is."


def test_a_filler_is_no_answer_a_turn_that_fails_after_it_has_not_spoken():
    broken = Thought("Well", first_ms=2500, fails_after=0)
    stage = on_stage(_answer, thoughts=[broken], prepared=Memory(FILLER))
    ended = stage.of(ReplyEnded)[0]
    assert (ended.failed, ended.spoke) == (True, False)
    assert len(stage.of(ProviderFailed)) == 2


# --- the end, and what was used ---------------------------------------------------------------------------------------


def test_a_tool_may_end_the_call_with_words_of_its_own():
    async def transfer(arguments):
        return ToolOutcome("transferred", say="I am putting you through.", ends=EndReason.TRANSFERRED)

    tool = Tool(ToolSpec("transfer", "transfers"), transfer)
    stage = on_stage(_answer, thoughts=[Thought("", calls=[("transfer", "{}"), ("transfer", '{"again": 1}')])], tools=(tool,))
    assert stage.of(GoodbyeDecided) == [GoodbyeDecided(1, EndReason.TRANSFERRED)]
    assert stage.of(AgentTurnEnded)[0].heard == "I am putting you through."
    assert len(stage.mind.asked) == 1
    assert len(stage.of(ToolCalled)) == 1


def test_an_answer_stopped_while_it_is_written_is_accounted_by_estimate():
    async def act(stage):
        stage.answer()
        await asyncio.sleep(0.3)
        await stage.speaker.stop(stage.now_ms, by_caller=False)

    stage = on_stage(act)
    records = [event.record for event in stage.of(UsageRecorded)]
    assert {(record.unit, record.purpose) for record in records} == {
        (Unit.INPUT_TOKENS, "interrupted"),
        (Unit.OUTPUT_TOKENS, "interrupted"),
    }
    assert all(record.quantity > 0 and record.evidence for record in records)


def test_what_a_stand_in_wrote_until_it_was_stopped_is_accounted_to_the_stand_in():
    async def act(stage):
        stage.answer()
        await asyncio.sleep(0.9)
        await stage.speaker.stop(stage.now_ms, by_caller=False)

    down = Mind([Thought("", first_ms=0, fails_after=0)], provider="first", model="m-1")
    slow = Mind([Thought("It costs five hundred. And for children it is half of that.", gap_ms=60)], provider="second", model="m-2")
    stage = on_stage(act, mind=FallbackLanguageModel([down, slow], Health()))
    records = [event.record for event in stage.of(UsageRecorded) if event.record.kind is UsageKind.LLM]
    assert {(record.unit, record.purpose) for record in records} >= {(Unit.OUTPUT_TOKENS, "interrupted")}
    assert {(record.provider, record.model) for record in records} == {("second", "m-2")}


def test_a_stand_in_that_stalls_is_the_one_that_is_blamed():
    down = Mind([Thought("", first_ms=0, fails_after=0)], provider="first", model="m-1")
    stalled = Mind([Thought("", fails_after=0, fault="stall")], provider="second", model="m-2")
    stage = on_stage(_answer, mind=FallbackLanguageModel([down, stalled], Health(), patience_ms=500))
    assert stage.of(ProviderFailed)[0].provider == "second"


def test_an_answer_stopped_after_it_was_written_is_accounted_exactly_and_once():
    async def act(stage):
        stage.answer()
        await asyncio.sleep(1.5)
        await stage.speaker.stop(stage.now_ms, by_caller=False)

    stage = on_stage(act)
    assert [(unit, purpose) for unit, purpose in stage.used if unit is not Unit.CHARACTERS] == [(Unit.OUTPUT_TOKENS, "")]


def test_with_every_provider_down_the_stored_apology_is_heard_within_five_seconds():
    async def act(stage):
        stage.answer()
        await stage.until_told(ReplyEnded)
        stage.speaker.say(stage.group, 2, Prepared.APOLOGY)
        while len(stage.of(ReplyEnded)) < 2:
            await asyncio.sleep(0.01)

    stalled = Thought("", fails_after=0, fault="stall")
    stage = on_stage(act, thoughts=[stalled], voice=Voice(always_fails="stall"), prepared=Memory(APOLOGY))
    assert stage.times["ReplyEnded"] == Tuning().answer_budget_ms
    assert stage.of(AgentTurnEnded)[-1].heard == APOLOGY
    assert stage.first_sent_ms < 5000
