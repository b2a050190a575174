"""Whose a key is: the entry's that is asked for or may yet be, or the talk's. By itself, and in the machine of turns."""

import pytest

from engine.digits import DigitEntry, DigitRules
from engine.events import EndReason
from engine.moves import (
    AgentAudioStarted,
    AnswerUser,
    AnswerWritten,
    GoodbyeDecided,
    PrepareAnswer,
    ReplyEnded,
    ShowUserWords,
    StopReply,
    TimePassed,
)
from engine.ports import DtmfPressed, EagerEndOfTurn, FinalTranscript, InterimTranscript
from engine.pressed_keys import PressedKeys
from engine.tuning import Tuning
from tests.engine.test_turn_taking import final, listening

SECRET = DigitRules(length=4, secret=True)
PLAIN = DigitRules(length=4)


def pressed(keys, row, begin_ms=0, every_ms=300, *, may_be_wanted=False):
    return [keys.press(key, begin_ms + place * every_ms, may_be_wanted=may_be_wanted) for place, key in enumerate(row)]


def entry_of(keys):
    return "".join(iter(keys.take, None))


def test_what_is_kept_back_is_the_entrys_when_one_is_asked_for_and_the_talks_when_none_is():
    keys = PressedKeys()
    assert pressed(keys, "73", may_be_wanted=True) == [True, True]
    assert keys.begin(SECRET) == 2
    pressed(keys, "91", 900)
    assert entry_of(keys) == "7391"
    other = PressedKeys()
    pressed(other, "73", may_be_wanted=True)
    assert other.release() == ("7", "3")
    assert not other.are_kept
    assert pressed(other, "9", 900) == [False]


def test_a_closing_key_before_the_first_digit_finishes_nothing():
    keys = PressedKeys()
    pressed(keys, "##12#", may_be_wanted=True)
    assert keys.begin(SECRET) == 3
    assert entry_of(keys) == "12#"


@pytest.mark.parametrize(
    ("pause_ms", "may_be_wanted", "is_kept"),
    [(300, False, False), (300, True, False), (1900, True, False), (2500, True, True), (60_000, False, False)],
    ids=["the rest", "the rest while more is written", "a slow rest", "the next entry, early", "much later"],
)
def test_behind_a_secret_entry_nothing_is_the_talks(pause_ms, may_be_wanted, is_kept):
    keys = PressedKeys()
    keys.begin(SECRET)
    pressed(keys, "7391")
    assert entry_of(keys) == "7391"
    keys.end(SECRET, DigitEntry("7391", "length"))
    assert keys.press("5", 900 + pause_ms, may_be_wanted=may_be_wanted)
    assert keys.are_kept is is_kept
    assert keys.release() == ()


def test_who_was_too_slow_for_a_secret_entry_goes_on_into_nothing():
    keys = PressedKeys()
    keys.begin(SECRET)
    pressed(keys, "73")
    keys.end(SECRET, DigitEntry("73", "timeout"))  # 4000 ms after the last key
    assert all(pressed(keys, "91", 300 + 4000 + 1500, may_be_wanted=True))
    assert not keys.are_kept


def test_more_than_an_entry_without_secrets_needs_is_for_the_next_one_or_for_the_talk():
    keys = PressedKeys()
    pressed(keys, "12345", may_be_wanted=True)
    keys.begin(PLAIN)
    assert [keys.take() for _ in range(4)] == list("1234")
    keys.end(PLAIN, DigitEntry("1234", "length"))
    assert keys.release() == ("5",)


def test_the_habit_of_closing_an_entry_is_no_key_of_its_own():
    keys = PressedKeys()
    pressed(keys, "1234#", may_be_wanted=True)
    keys.begin(PLAIN)
    assert [keys.take() for _ in range(4)] == list("1234")
    keys.end(PLAIN, DigitEntry("1234", "length"))
    assert keys.release() == ()
    keys.begin(PLAIN)
    keys.end(PLAIN, DigitEntry("1234", "length"))
    assert pressed(keys, "##", 5000) == [True, False]


def test_keys_of_which_nobody_will_ever_know_are_dropped_with_the_rest_of_their_go():
    keys = PressedKeys()
    pressed(keys, "73", may_be_wanted=True)
    keys.forget()
    assert pressed(keys, "91", 900) == [True, True]
    assert pressed(keys, "1", 6000) == [False]
    assert keys.release() == ()


def test_a_stuck_key_does_not_fill_the_memory():
    keys = PressedKeys()
    pressed(keys, "1" * 1000, every_ms=10, may_be_wanted=True)
    assert (len(keys.release()), keys.dropped_keys) == (128, 872)


# --- among the turns --------------------------------------------------------------------------------------------------


def answering(keys, tuning=None):
    """An answer is being written since 4000 ms."""
    turns = listening(tuning, keys)
    assert turns.feed(final("log me in please", 3900), 4000)[-1] == AnswerUser(2, "log me in please", 3900)
    return turns


def press(turns, row, begin_ms):
    return [action for place, key in enumerate(row) for action in turns.feed(DtmfPressed(key), begin_ms + place * 300)]


@pytest.mark.parametrize("is_audible", [False, True])
def test_while_an_answer_is_written_keys_are_kept_and_stop_nothing(is_audible):
    keys = PressedKeys()
    turns = answering(keys)
    if is_audible:
        turns.feed(AgentAudioStarted(2), 4500)
    assert press(turns, "73", 5000) == []
    assert keys.begin(SECRET) == 2


@pytest.mark.parametrize("is_audible", [False, True])
def test_an_answer_that_asks_for_no_keys_is_stopped_by_those_pressed_meanwhile(is_audible):
    turns = answering(PressedKeys())
    if is_audible:
        turns.feed(AgentAudioStarted(2), 4500)
    press(turns, "42#", 5000)
    told = turns.feed(AnswerWritten(2), 6000)
    assert told[0] == StopReply(by_caller=is_audible)
    assert isinstance(told[-1], AnswerUser) and told[-1].text.endswith("[pressed 42]")
    assert turns.feed(AnswerWritten(2), 6100) == [], "it is told of an answer that is gone"


def test_once_the_answer_is_written_a_key_interrupts_it_as_ever():
    turns = answering(PressedKeys())
    turns.feed(AgentAudioStarted(2), 4500)
    assert turns.feed(AnswerWritten(2), 4800) == []
    assert turns.feed(DtmfPressed("1"), 5000)[0] == StopReply(by_caller=True)


def test_an_agent_that_never_asks_for_keys_is_stopped_by_them_at_once():
    turns = answering(None)
    assert turns.feed(DtmfPressed("1"), 4200)[0] == StopReply(by_caller=False)


def test_keys_behind_words_that_are_about_to_be_answered_are_kept_too():
    keys = PressedKeys()
    turns = listening(keys=keys)
    turns.feed(final("log me in", 3000), 3100)
    assert press(turns, "7", 3200) == []
    assert turns.feed(TimePassed(), turns.deadline_ms()) == [AnswerUser(2, "log me in", 3000)]
    assert press(turns, "3", 3800) == []
    assert keys.begin(SECRET) == 2


def test_keys_pressed_into_an_answer_begun_ahead_are_kept_and_the_answer_stays():
    keys = PressedKeys()
    turns = listening(keys=keys)
    assert turns.feed(EagerEndOfTurn("log me in please"), 3000)[-1] == PrepareAnswer(2, "log me in please")
    assert press(turns, "7", 3100) == []
    assert turns.feed(final("log me in please", 3000), 3300)[-1] == AnswerUser(2, "log me in please", 3000)
    assert press(turns, "3", 3500) == []
    assert keys.begin(SECRET) == 2


def test_words_that_cut_an_answer_off_leave_the_keys_to_the_next_one():
    keys = PressedKeys()
    turns = answering(keys)
    press(turns, "73", 4200)
    turns.feed(final("please", 4900), 5000)
    assert press(turns, "9", 5050) == []
    assert keys.begin(SECRET) == 3


def test_words_that_come_to_nothing_take_the_keys_with_them():
    """Nobody answers them, so nobody will ever ask for these keys; whether they were a secret is not known either."""
    turns = answering(PressedKeys())
    turns.feed(AgentAudioStarted(2), 4300)
    press(turns, "73", 4400)
    turns.feed(InterimTranscript("no wait"), 5000)
    turns.feed(InterimTranscript(""), 5100)
    assert press(turns, "91", 5200) == []
    assert press(turns, "1", 9000) == [ShowUserWords("[pressed 1]")]


@pytest.mark.parametrize("fact", [ReplyEnded(2, failed=True, spoke=False), GoodbyeDecided(2, EndReason.AGENT_GOODBYE)])
def test_an_answer_that_fails_or_takes_leave_makes_no_words_of_them(fact):
    keys = PressedKeys()
    turns = answering(keys, Tuning(max_failed_turns=3))
    press(turns, "73", 4200)
    turns.feed(fact, 4900)
    assert press(turns, "91", 5000) == []
    assert keys.release() == ()


def test_keys_that_the_talk_is_waiting_for_are_never_kept():
    turns = listening(keys=PressedKeys())
    assert turns.feed(DtmfPressed("4"), 5000) == [ShowUserWords("[pressed 4]")]
    turns.feed(FinalTranscript("and two", False, 5500), 5600)
    assert turns.feed(DtmfPressed("2"), 5700) == [ShowUserWords("[pressed 4] and two [pressed 2]")]
