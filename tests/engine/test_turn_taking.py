"""The state machine by itself: no loop, no audio, every moment given by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.digits import DigitRules
from engine.events import EndReason
from engine.moves import (
    AgentAudioStarted,
    AnswerUser,
    AnswerWritten,
    CallerLeft,
    CommitUserTurn,
    DropAnswer,
    End,
    EndRequested,
    GoodbyeDecided,
    HearingLost,
    PauseReply,
    PrepareAnswer,
    Prepared,
    ReplyEnded,
    ResumeReply,
    SayPrepared,
    SentenceStarted,
    SessionOpened,
    ShowUserWords,
    SoundBegan,
    SoundEnded,
    StopReply,
    TimePassed,
    ToneHeard,
)
from engine.ports import (
    DtmfPressed,
    EagerEndOfTurn,
    FinalTranscript,
    InterimTranscript,
    SpeechStarted,
    TurnResumed,
    UtteranceEnded,
)
from engine.pressed_keys import PressedKeys
from engine.tuning import Tuning
from engine.turn_taking import Phase, TurnRules, TurnTaking


def machine(mode="live", *, greets=True, tuning=None, silence_timeout_ms=8000, max_duration_ms=120_000, keys=None, **more):
    return TurnTaking(TurnRules(mode, greets, silence_timeout_ms, max_duration_ms, **more), tuning or Tuning(), keys)


def final(text, at_ms, *, ends=True):
    return FinalTranscript(text, ends, at_ms)


def listening(tuning=None, keys=None):
    """A machine whose greeting has been heard, at 2000 ms."""
    turns = machine(tuning=tuning, keys=keys)
    assert turns.feed(SessionOpened(), 0) == [SayPrepared(1, Prepared.FIRST_MESSAGE)]
    assert turns.feed(AgentAudioStarted(1), 200) == []
    assert turns.feed(ReplyEnded(1, failed=False, spoke=True), 2000) == []
    assert turns.phase is Phase.LISTENING
    return turns


def speaking():
    """A machine whose answer (reply 2) is audible since 4000 ms."""
    turns = listening()
    turns.feed(final("what now", 3000), 3000)
    turns.feed(AgentAudioStarted(2), 4000)
    assert turns.phase is Phase.SPEAKING
    return turns


def test_final_words_that_end_a_turn_are_answered_at_once_and_committed_when_the_answer_is_heard():
    turns = listening()
    turns.feed(SpeechStarted(2500), 2600)
    assert turns.feed(final("what now", 3000), 3300) == [ShowUserWords("what now"), AnswerUser(2, "what now", 3000)]
    assert turns.feed(AgentAudioStarted(2), 4000) == [CommitUserTurn("what now", 2500, 3000)]


@pytest.mark.parametrize(
    ("events", "answered_at_ms"),
    [
        ([final("I want tea.", 3000)], 3000),
        ([final("I want tea and", 3000)], 3600),
        ([final("I want tea.", 3000, ends=False)], 4200),
        ([final("I want tea.", 3000, ends=False), (3900, UtteranceEnded(3000))], 3900),
        ([InterimTranscript("I want")], 5500),
        ([final("I want tea and", 3000), (3500, SpeechStarted(3500))], 5000),
        ([final("I want", 3000, ends=False), (3500, InterimTranscript("tea"))], 6000),
        ([final("I want", 3000, ends=False), (3500, final("", 3000))], 3500),
    ],
)
def test_when_a_turn_is_over(events, answered_at_ms):
    turns, answers, now_ms = listening(Tuning(speculate=False)), [], 3000
    for event in events:
        now_ms, event = event if isinstance(event, tuple) else (3000, event)
        answers += [(now_ms, each) for each in turns.feed(event, now_ms) if isinstance(each, AnswerUser)]
    if not answers:
        assert turns.feed(TimePassed(), turns.deadline_ms() - 1) == []
        now_ms = turns.deadline_ms()
        answers = [(now_ms, each) for each in turns.feed(TimePassed(), now_ms)]
    assert [at_ms for at_ms, _ in answers] == [answered_at_ms]


@pytest.mark.parametrize("event", [InterimTranscript("wait"), FinalTranscript("and tomorrow", False, 5000), DtmfPressed("1")])
def test_the_caller_stops_the_agent_that_is_audible(event):
    turns = speaking()
    assert turns.feed(event, 5000)[0] == StopReply(by_caller=True)
    assert turns.phase is Phase.LISTENING


@pytest.mark.parametrize("event", [UtteranceEnded(3000), FinalTranscript("", True, 3000), InterimTranscript(""), InterimTranscript("haan")])
def test_what_is_no_speech_stops_nobody(event):
    turns = speaking()
    assert turns.feed(event, 5000) == []
    assert turns.phase is Phase.SPEAKING


@pytest.mark.parametrize("event", [UtteranceEnded(3000), FinalTranscript("", True, 3000), SpeechStarted(3100)])
def test_a_turn_in_work_is_not_answered_twice(event):
    turns = listening()
    turns.feed(final("what now", 3000), 3000)
    assert turns.feed(event, 3200) == []
    assert turns.phase is Phase.THINKING


def test_words_before_the_answer_is_audible_join_the_turn():
    turns = listening(Tuning(speculate=False))
    turns.feed(final("what now", 3000), 3000)
    assert turns.feed(InterimTranscript("or later"), 3400) == [StopReply(by_caller=False), ShowUserWords("what now or later")]
    turns.feed(final("or later", 3700), 3800)
    assert turns.deadline_ms() == 4050  # who was cut off once is given a little more time
    assert turns.feed(TimePassed(), 4050)[-1].text == "what now or later"


def test_a_late_confirmation_replaces_the_guess_that_was_taken_for_words():
    turns = listening()
    turns.feed(InterimTranscript("I want tee"), 3000)
    assert turns.feed(TimePassed(), 5500)[-1].text == "I want tee"
    assert turns.feed(final("I want tea", 3000), 5600)[-1].text == "I want tea"


@pytest.mark.parametrize("stale", [AgentAudioStarted(2), GoodbyeDecided(2), ReplyEnded(2, failed=True, spoke=False)])
def test_what_a_stopped_reply_still_reports_is_ignored(stale):
    turns = speaking()
    turns.feed(InterimTranscript("stop"), 5000)
    assert turns.feed(stale, 5001) == []
    assert turns.phase is Phase.LISTENING


def test_nothing_interrupts_a_goodbye():
    turns = speaking()
    turns.feed(GoodbyeDecided(2), 4100)
    assert StopReply(by_caller=True) not in turns.feed(final("one more thing", 5000), 5000)
    assert turns.feed(ReplyEnded(2, failed=False, spoke=True), 6000) == [End(EndReason.AGENT_GOODBYE)]
    assert turns.last_words(6000) == [CommitUserTurn("one more thing", 5000, 5000)]


@pytest.mark.parametrize(
    ("event", "reason", "says_goodbye"),
    [
        (EndRequested(EndReason.OPERATOR_HANGUP), EndReason.OPERATOR_HANGUP, True),
        (EndRequested(EndReason.SHUTDOWN), EndReason.SHUTDOWN, True),
        (EndRequested(EndReason.LINK_LOST), EndReason.LINK_LOST, False),
        (CallerLeft(EndReason.CALLER_HANGUP), EndReason.CALLER_HANGUP, False),
    ],
)
@pytest.mark.parametrize("at", [listening, speaking])
def test_what_ends_a_call_and_whether_goodbye_is_said(at, event, reason, says_goodbye):
    turns = at()
    actions = turns.feed(event, 5000)
    if says_goodbye:
        said = next(action for action in actions if isinstance(action, SayPrepared))
        if isinstance(event, HearingLost):
            assert said.sentence is Prepared.REGRET
            [said] = turns.feed(ReplyEnded(said.reply_id, failed=False, spoke=True), 5050)
        assert said.sentence is Prepared.GOODBYE
        assert turns.feed(event, 5100) in ([], [End(reason)])
        actions = turns.feed(ReplyEnded(said.reply_id, failed=False, spoke=True), 6000)
    assert actions == [End(reason)]
    assert turns.deadline_ms() is None


@pytest.mark.parametrize("at", [listening, speaking])
def test_an_agent_that_turns_deaf_finishes_what_it_says_then_apologises_then_takes_leave(at):
    turns = at()
    is_speaking = turns.phase is Phase.SPEAKING
    actions = turns.feed(HearingLost(), 5000)
    assert turns.feed(HearingLost(), 5001) == []
    if is_speaking:
        assert actions == []
        actions = turns.feed(ReplyEnded(2, failed=False, spoke=True), 6000)
    first = actions[-1]
    assert first.sentence is Prepared.REGRET
    goodbye = turns.feed(ReplyEnded(first.reply_id, failed=False, spoke=True), 7000)[-1]
    assert goodbye.sentence is Prepared.GOODBYE
    assert turns.feed(ReplyEnded(goodbye.reply_id, failed=True, spoke=False), 8000) == [End(EndReason.PROVIDER_FAILED)]


def test_a_wish_to_end_before_the_opening_leaves_no_room_for_a_greeting():
    turns = machine()
    assert turns.feed(EndRequested(EndReason.SHUTDOWN), 0) == [SayPrepared(1, Prepared.GOODBYE)]
    assert turns.feed(SessionOpened(), 0) == []


def test_a_goodbye_has_a_limit_and_the_longest_call_has_another():
    turns = listening()
    turns.feed(EndRequested(EndReason.SHUTDOWN), 5000)
    assert turns.deadline_ms() == 35_000
    late = machine(max_duration_ms=10_000)
    late.feed(SessionOpened(), 0)
    late.feed(AgentAudioStarted(1), 100)
    assert late.feed(TimePassed(), 10_000)[0] == StopReply(by_caller=False)
    assert late.deadline_ms() == 20_000
    assert late.feed(TimePassed(), 20_000) == [End(EndReason.MAX_DURATION)]


def test_a_sound_without_words_puts_the_question_off_but_does_not_start_the_silence_anew():
    turns = listening()
    assert turns.deadline_ms() == 10_000
    turns.feed(SpeechStarted(6000), 6000)
    assert turns.deadline_ms() == 10_000
    turns.feed(SpeechStarted(9500), 9500)
    assert turns.deadline_ms() == 11_000
    assert turns.feed(TimePassed(), 11_000) == [SayPrepared(2, Prepared.STILL_THERE)]


def test_a_key_that_a_tool_waits_for_is_a_sign_of_life_and_nothing_else():
    keys = PressedKeys()
    turns = listening(keys=keys)
    keys.begin(DigitRules(secret=True))
    assert turns.feed(DtmfPressed("7"), 9000) == []
    assert turns.deadline_ms() == 17_000
    assert keys.take() == "7"


def test_keys_are_an_utterance_that_ends_with_a_pause_or_with_the_closing_key():
    turns = listening()
    turns.feed(DtmfPressed("4"), 9000)
    assert turns.feed(DtmfPressed("2"), 9400) == [ShowUserWords("[pressed 42]")]
    assert turns.deadline_ms() == 9400 + 1500
    assert turns.feed(DtmfPressed("#"), 9900)[-1] == AnswerUser(2, "[pressed 42]", 9400)


def test_a_sound_pauses_the_agent_and_the_lack_of_words_lets_it_go_on():
    turns = speaking()
    assert turns.feed(SpeechStarted(4900), 5000) == [PauseReply()]
    assert turns.phase is Phase.SPEAKING
    assert turns.deadline_ms() == 5000 + Tuning().false_start_ms
    assert turns.feed(TimePassed(), turns.deadline_ms()) == [ResumeReply()]
    assert turns.feed(ReplyEnded(2, failed=False, spoke=True), 8000) == []


def test_words_after_the_pause_stop_the_agent():
    turns = speaking()
    turns.feed(SpeechStarted(4900), 5000)
    assert turns.feed(InterimTranscript("and tomorrow"), 5500)[0] == StopReply(by_caller=True)


def test_an_acknowledgement_ends_the_pause_at_once_and_leaves_no_turn():
    turns = speaking()
    turns.feed(SpeechStarted(4900), 5000)
    assert turns.feed(InterimTranscript("haan"), 5300) == []
    assert turns.feed(final("haan ji", 5500), 5600) == [ResumeReply()]
    turns.feed(ReplyEnded(2, failed=False, spoke=True), 9000)
    assert turns.last_words(9000) == []


def test_a_goodbye_that_is_decided_during_a_pause_is_heard():
    turns = speaking()
    turns.feed(SpeechStarted(4900), 5000)
    assert turns.feed(GoodbyeDecided(2, EndReason.TRANSFERRED), 5100) == [ResumeReply()]
    assert turns.feed(ReplyEnded(2, failed=False, spoke=True), 7000) == [End(EndReason.TRANSFERRED)]


def test_a_caller_who_leaves_during_a_transfer_was_not_transferred():
    turns = speaking()
    turns.feed(GoodbyeDecided(2, EndReason.TRANSFERRED), 5100)
    assert turns.feed(CallerLeft(EndReason.CALLER_HANGUP), 5200) == [End(EndReason.CALLER_HANGUP)]


def test_an_answer_is_begun_when_words_stand_still_and_kept_if_the_final_says_the_same():
    turns = listening()
    turns.feed(InterimTranscript("what does it cost?"), 3000)
    assert turns.deadline_ms() == 3200
    assert turns.feed(TimePassed(), 3200) == [PrepareAnswer(2, "what does it cost?")]
    assert turns.feed(final("What does it cost?", 3000), 3400)[-1] == AnswerUser(2, "What does it cost?", 3000)


def test_a_prepared_answer_is_dropped_when_the_caller_says_something_else():
    turns = listening()
    turns.feed(InterimTranscript("what does it cost"), 3000)
    assert turns.deadline_ms() == 3450
    turns.feed(TimePassed(), 3450)
    dropped = turns.feed(InterimTranscript("what does it cost for two"), 3500)
    assert dropped == [ShowUserWords("what does it cost for two"), DropAnswer(2)]
    assert turns.feed(final("what does it cost for two", 3700), 3800)[-1].reply_id == 3


@pytest.mark.parametrize(
    "event", [TurnResumed(), DtmfPressed("1"), EndRequested(EndReason.OPERATOR_HANGUP), CallerLeft(EndReason.CALLER_HANGUP)]
)
def test_what_else_drops_a_prepared_answer(event):
    turns = listening()
    assert turns.feed(EagerEndOfTurn("what does it cost"), 3000)[-1] == PrepareAnswer(2, "what does it cost")
    assert DropAnswer(2) in turns.feed(event, 3100)


def test_the_caller_is_warned_before_the_longest_duration_once_and_not_in_a_short_call():
    turns = listening()
    turns._floor.closing.warning_due_ms = 9000
    assert turns.feed(TimePassed(), 9000) == [SayPrepared(2, Prepared.TIME_WARNING)]
    turns.feed(AgentAudioStarted(2), 9100)
    turns.feed(ReplyEnded(2, failed=False, spoke=True), 9900)
    assert turns.deadline_ms() == 9900 + 8000
    assert machine(max_duration_ms=59_000)._floor.closing.warning_due_ms is None


FACTS = st.one_of(
    st.builds(SpeechStarted, st.integers(0, 60_000)),
    st.builds(InterimTranscript, st.sampled_from(["", "ok", "I want", "I want tea", "leave a message after the tone"])),
    st.builds(FinalTranscript, st.sampled_from(["", "ok", "I want tea and", "stop."]), st.booleans(), st.integers(0, 60_000)),
    st.builds(UtteranceEnded, st.integers(-1, 60_000)),
    st.builds(DtmfPressed, st.sampled_from("1#")),
    st.builds(EagerEndOfTurn, st.sampled_from(["I want tea", "ok"])),
    st.just(TurnResumed()),
    st.just(ToneHeard()),
    st.builds(SentenceStarted, st.integers(1, 6), st.sampled_from(["I want tea now.", "Do you want tea?", "Goodbye!"])),
    st.builds(AgentAudioStarted, st.integers(1, 6)),
    st.builds(GoodbyeDecided, st.integers(1, 6)),
    st.builds(AnswerWritten, st.integers(1, 6)),
    st.builds(ReplyEnded, st.integers(1, 6), st.booleans(), st.booleans(), st.booleans()),
    st.just(HearingLost()),
    st.builds(SoundBegan, st.integers(0, 60_000)),
    st.builds(SoundEnded, st.integers(0, 3000)),
    st.builds(EndRequested, st.sampled_from(EndReason)),
    st.builds(CallerLeft, st.sampled_from([EndReason.CALLER_HANGUP, EndReason.LINK_LOST])),
)


@settings(max_examples=300)
@given(
    st.sampled_from(["live", "voicemail"]),
    st.booleans(),
    st.sampled_from(["off", "hang-up", "leave-message"]),
    st.lists(st.tuples(st.integers(0, 3000), FACTS), max_size=40),
)
def test_whatever_happens_it_ends_once_and_in_time(mode, patient, voicemail, story):
    """No order of facts makes it raise, hang past its limit, end twice, have two replies in work, or lose track of a pause or a draft."""
    tuning = Tuning(interrupt_on_speech=not patient, voicemail=voicemail, local_vad=patient)
    has = dict.fromkeys(("has_time_warning", "has_voicemail_message", "has_not_caught", "has_handover"), True)
    turns = machine(mode, tuning=tuning, max_duration_ms=60_000, outbound=True, keys=PressedKeys() if patient else None, **has)
    now_ms, in_work = 0, False
    is_paused, draft_id = False, None
    ends: list[End] = []

    def feed(fact):
        nonlocal in_work, is_paused, draft_id
        if isinstance(fact, ReplyEnded) and fact.reply_id == turns._floor.reply_id:
            in_work = is_paused = False
        for action in turns.feed(fact, now_ms):
            assert not ends
            if isinstance(action, AnswerUser | SayPrepared):
                assert not in_work
                assert draft_id in (None, action.reply_id)
                in_work, draft_id = True, None
            elif isinstance(action, StopReply):
                assert in_work
                in_work = is_paused = False
            elif isinstance(action, PauseReply):
                assert in_work and not is_paused
                is_paused = True
            elif isinstance(action, ResumeReply):
                assert in_work and is_paused
                is_paused = False
            elif isinstance(action, PrepareAnswer):
                assert not in_work and draft_id is None
                draft_id = action.reply_id
            elif isinstance(action, DropAnswer):
                assert action.reply_id == draft_id
                draft_id = None
            elif isinstance(action, End):
                assert draft_id is None
                ends.append(action)

    feed(SessionOpened())
    for step_ms, fact in story:
        while turns.deadline_ms() is not None and turns.deadline_ms() <= now_ms + step_ms:
            now_ms = max(now_ms, turns.deadline_ms())
            feed(TimePassed())
        now_ms += step_ms
        # an id is only reported while that reply is in work
        if not isinstance(fact, AgentAudioStarted | GoodbyeDecided | ReplyEnded) or in_work:
            feed(fact)
    for _ in range(50):
        if turns.deadline_ms() is None:
            break
        now_ms = max(now_ms, turns.deadline_ms())
        feed(TimePassed())
    assert len(ends) == 1
    assert now_ms <= 60_000 + 10_000 + 3000 * 41
