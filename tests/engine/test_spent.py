"""When a call's budget is used up: the turn in work is heard to its end, a goodbye follows, nobody is asked for another answer."""

import asyncio
from typing import Any

import pytest

from engine.events import AgentTurnEnded, AgentTurnInterrupted, EndReason
from engine.moves import (
    AgentAudioStarted,
    DropAnswer,
    End,
    EndRequested,
    PrepareAnswer,
    Prepared,
    ReplyEnded,
    SayPrepared,
    SessionOpened,
    TimePassed,
)
from engine.ports import FinalTranscript
from engine.tuning import Tuning
from engine.turn_taking import Phase, TurnRules, TurnTaking
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import GREETING, perform, plan
from tests.engine.vendors import Thought, Voice

MUST_END = "Sorry, this call has to end here."
STORY = "First you take the train to Pune. Then you walk along the river for ten minutes."
BUDGET = EndRequested(EndReason.BUDGET)


def spent_at(*moments_ms, script=(), **how):
    async def during(session):
        for at_ms in moments_ms:
            asyncio.get_running_loop().call_later(at_ms / 1000, session.request_end, EndReason.BUDGET)

    how.setdefault("session_plan", plan(must_end=MUST_END, max_duration_ms=60_000))
    return perform(script, during=during, **how)


@pytest.mark.parametrize("at_ms", [5600, 7000])  # the answer is still in work; it is being heard
def test_the_turn_in_work_is_heard_to_its_end_then_a_goodbye_then_nothing(at_ms):
    script = [Says(4000, "tell me the way"), Says(25_000, "are you there")]
    scene = spent_at(at_ms, script=script, thoughts=[Thought(STORY), Thought("Never asked for.")])
    assert scene.dialogue == [("agent", GREETING), ("user", "tell me the way"), ("agent", STORY), ("agent", MUST_END)]
    assert scene.reason is EndReason.BUDGET
    assert not scene.of(AgentTurnInterrupted)
    assert len(scene.mind.asked) == 1


def test_in_a_pause_the_goodbye_comes_at_once():
    scene = spent_at(6000)
    assert scene.dialogue == [("agent", GREETING), ("agent", MUST_END)]
    assert scene.of(AgentTurnEnded)[-1].started_ms == pytest.approx(6000, abs=500)


def test_a_caller_in_the_middle_of_a_sentence_is_heard_out_and_not_answered():
    scene = spent_at(4700, script=[Says(4000, "could you please tell me the way to the station")])
    assert scene.dialogue == [("agent", GREETING), ("user", "could you please tell me the way to the station"), ("agent", MUST_END)]
    assert scene.reason is EndReason.BUDGET


def test_a_caller_who_interrupts_the_last_turn_hears_the_goodbye_instead_of_an_answer():
    script = [Says(4000, "tell me the way"), Says(8000, "wait which train")]
    scene = spent_at(7000, script=script, thoughts=[Thought(STORY), Thought("Never asked for.")])
    assert scene.dialogue[-2:] == [("user", "wait which train"), ("agent", MUST_END)]
    assert len(scene.of(AgentTurnInterrupted)) == 1
    assert scene.reason is EndReason.BUDGET


def test_an_endless_turn_has_a_limit():
    endless = " ".join(["This is a long story that goes on and on and on."] * 12)
    tuning = Tuning(budget_grace_ms=5000)
    scene = spent_at(7000, script=[Says(4000, "tell me more")], thoughts=[Thought(endless)], session_plan=plan(tuning=tuning))
    assert scene.reason is EndReason.BUDGET
    assert 12_000 < scene.ms(scene.line.closed_at_s) < 12_000 + 5000


def test_being_told_again_changes_nothing():
    scene = spent_at(6000, 6100, 7000)
    assert [text for _, text in scene.dialogue] == [GREETING, MUST_END]


def test_an_answer_that_fails_is_not_apologised_for():
    scene = spent_at(5600, script=[Says(4000, "tell me the way")], voice=Voice(fails=[None, "stall"]))
    assert scene.reason is EndReason.BUDGET
    assert scene.dialogue[-1] == ("agent", MUST_END)


def test_a_caller_who_hangs_up_during_the_goodbye_leaves_the_reason_standing():
    assert spent_at(6000, script=[HangsUp(6600)]).reason is EndReason.BUDGET


def turns(**rules) -> TurnTaking:
    given: dict[str, Any] = {"mode": "live", "has_first_message": True, "silence_timeout_ms": 8000, "max_duration_ms": 600_000}
    made = TurnTaking(TurnRules(**given | rules), Tuning(silence_prompts=1))
    made.feed(SessionOpened(), 0)
    made.feed(AgentAudioStarted(1), 100)
    made.feed(ReplyEnded(1, failed=False, spoke=True), 1000)
    return made


def test_a_draft_in_work_is_thrown_away_and_none_is_begun():
    talk = turns()
    moves = talk.feed(FinalTranscript("What time do you open?", end_of_turn=False, end_ms=2000), 2100)
    moves += talk.feed(BUDGET, 2100) if not any(isinstance(move, PrepareAnswer) for move in moves) else []
    due_ms = talk.deadline_ms()
    drafts = [move for move in moves if isinstance(move, PrepareAnswer)]
    assert drafts
    assert talk.feed(BUDGET, 2150) == [DropAnswer(drafts[0].reply_id)]
    later = talk.feed(FinalTranscript("And on Sunday?", end_of_turn=False, end_ms=2400), 2400)
    assert not any(isinstance(move, PrepareAnswer) for move in later)
    assert due_ms is not None


def test_a_recorder_gets_no_goodbye():
    talk = turns(mode="voicemail")
    assert talk.feed(BUDGET, 5000) == [End(EndReason.BUDGET)]
    assert talk.phase is Phase.ENDED


def test_in_silence_it_takes_leave_instead_of_asking():
    talk = turns()
    assert talk.feed(BUDGET, 2000)[-1] == SayPrepared(2, Prepared.MUST_END)


def test_words_behind_the_last_turn_leave_no_moment_that_is_past_already():
    """A moment that stays due is asked for again at once, and the event loop of all calls does nothing else until the turn is over."""
    talk = turns()
    talk.feed(FinalTranscript("Where is it?", end_of_turn=False, end_ms=1500), 1500)
    talk.feed(BUDGET, 1550)
    talk.feed(FinalTranscript("And what time do you open?", end_of_turn=False, end_ms=2000), 2100)
    now_ms = 2100
    for _ in range(20):
        due_ms = talk.deadline_ms()
        assert due_ms is None or due_ms > now_ms
        if due_ms is None or talk.phase is not Phase.LISTENING:
            break
        now_ms = due_ms
        talk.feed(TimePassed(), now_ms)
