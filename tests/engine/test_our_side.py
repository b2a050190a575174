"""What operators want of a talk: a note that the caller does not hear, and a person instead of the agent."""

import asyncio

import pytest

from engine.events import AgentTurnEnded, EndReason, UserTurnEnded
from engine.moves import (
    DropAnswer,
    EndRequested,
    HandOverRequested,
    NoteGiven,
    PrepareAnswer,
    Prepared,
    SayPrepared,
    SessionOpened,
    TakeNote,
)
from engine.ports import EagerEndOfTurn, FinalTranscript, Message
from engine.transcript import AgentTurn, Transcript
from engine.tuning import Tuning
from engine.turn_taking import Phase, TurnRules, TurnTaking
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import GOODBYE, GREETING, perform, plan
from tests.engine.vendors import Thought

NOTE = "Offer ten percent."
WORDS = "One moment, I am connecting you to the desk."
STORY = "First you take the train to Pune. Then you walk along the river for ten minutes."


def at(at_ms, wish, **how):
    """A talk in which somebody on our side wants `wish` at that moment."""

    async def during(session):
        asyncio.get_running_loop().call_later(at_ms / 1000, session.request, wish)

    return perform(during=during, **how)


def talk(*, mode="live") -> TurnTaking:
    return TurnTaking(TurnRules.of(plan(mode=mode)), Tuning())


# --- a note -------------------------------------------------------------------------------------------------------------


def test_the_next_answer_knows_the_note_and_so_do_those_behind_it():
    script = [Says(4000, "what does it cost"), Says(9000, "and tomorrow")]
    scene = at(3500, NoteGiven(NOTE), script=script, thoughts=[Thought("Ninety."), Thought("The same.")])
    first, second = scene.mind.asked[:2]
    note = Message("system", NOTE)
    assert note in first and note in second
    assert first.index(note) < first.index(Message("user", "what does it cost"))
    assert NOTE not in " ".join(text for _, text in scene.dialogue)


def test_a_note_during_an_answer_is_for_the_one_behind_it():
    script = [Says(4000, "tell me the way"), Says(14_000, "thank you")]
    scene = at(7500, NoteGiven(NOTE), script=script, thoughts=[Thought(STORY), Thought("You are welcome.")])
    assert Message("system", NOTE) not in scene.mind.asked[0]
    assert Message("system", NOTE) in scene.mind.asked[-1]
    assert ("agent", STORY) in scene.dialogue  # nobody cut it


def test_an_answer_that_was_begun_without_the_note_is_begun_anew():
    turns = talk()
    turns.feed(FinalTranscript("what does it cost?", end_of_turn=False, end_ms=900), 1000)
    prepared = next(action for action in turns.feed(EagerEndOfTurn("what does it cost?"), 1100) if isinstance(action, PrepareAnswer))
    assert turns.feed(NoteGiven(NOTE), 1150) == [DropAnswer(prepared.reply_id), TakeNote(NOTE)]


def test_a_note_stands_where_it_was_given_and_splits_nobody_s_words():
    transcript, turn = Transcript("You are Asha."), AgentTurn()
    transcript.hear_user("hello")
    transcript.commit_user()
    transcript.add_piece(turn, "Good day.")
    transcript.note(NOTE)
    transcript.hear_user("what does it cost")
    assert [(message.role, message.content) for message in transcript.messages()] == [
        ("system", "You are Asha."),
        ("user", "hello"),
        ("assistant", "Good day."),
        ("system", NOTE),
        ("user", "what does it cost"),
    ]


# --- a person -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_ms", [3500, 6000, 8000])  # nobody speaks; the answer is in work; it is being heard
def test_the_caller_is_told_and_the_line_is_left(at_ms):
    scene = at(at_ms, HandOverRequested(WORDS), script=[Says(4000, "tell me the way")], thoughts=[Thought(STORY)])
    assert ("agent", WORDS) in scene.dialogue[-2:]  # the caller may speak over it: nothing interrupts the last words
    assert scene.reason is EndReason.TRANSFERRED
    assert scene.of(AgentTurnEnded)[-1].started_ms <= at_ms + 1000


def test_what_the_caller_was_saying_is_kept():
    scene = at(4700, HandOverRequested(WORDS), script=[Says(4000, "could you please tell me the way")])
    assert scene.of(UserTurnEnded)[-1].text
    assert scene.reason is EndReason.TRANSFERRED


def test_a_caller_who_leaves_meanwhile_has_hung_up():
    scene = at(3500, HandOverRequested(WORDS), script=[HangsUp(4000)])
    assert scene.reason is EndReason.CALLER_HANGUP


def test_a_goodbye_in_work_is_heard_and_the_person_follows():
    async def during(session):
        loop = asyncio.get_running_loop()
        loop.call_later(3.5, session.request_end, EndReason.OPERATOR_HANGUP)
        loop.call_later(4.0, session.request, HandOverRequested(WORDS))

    scene = perform(during=during)
    assert scene.dialogue == [("agent", GREETING), ("agent", GOODBYE)]
    assert scene.reason is EndReason.TRANSFERRED


def test_nobody_talks_to_a_talk_without_answers():
    turns = talk(mode="voicemail")
    turns.feed(SessionOpened(), 0)
    turns.feed(HandOverRequested(WORDS), 1000)
    assert turns.phase is Phase.ENDED


def test_the_words_are_said_once():
    turns = talk()
    turns.feed(SessionOpened(), 0)
    assert turns.feed(HandOverRequested(WORDS), 1000)[-1] == SayPrepared(3, Prepared.TRANSFER, WORDS)
    assert turns.feed(HandOverRequested(WORDS), 1100) == []
    assert turns.feed(EndRequested(EndReason.OPERATOR_HANGUP), 1200) == []
