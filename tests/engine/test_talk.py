"""A conversation that goes well."""

from engine.events import (
    AgentTurnInterrupted,
    AgentTurnStarted,
    AgentTurnUpdated,
    DtmfReceived,
    EndReason,
    SessionEnded,
    SessionStarted,
    ToolCalled,
    UsageRecorded,
    UserTurnEnded,
    UserTurnUpdated,
)
from engine.ports import Message, ToolSpec
from engine.tools import Tool
from engine.tuning import Tuning
from engine.usage import Unit
from tests.engine.carrier import HangsUp, Line, Presses, Says
from tests.engine.stage import GREETING, perform, plan
from tests.engine.vendors import Ears, Thought, Voice

ANSWER = "Certainly. Tomorrow at 5 p.m. is free for you. Shall I book it?"
TALK = [Says(5000, "I want an appointment please"), HangsUp(14_000)]


def test_a_plain_talk_is_greeted_heard_and_answered():
    scene = perform(TALK, thoughts=[Thought(ANSWER)])

    assert scene.dialogue == [("agent", GREETING), ("user", "I want an appointment please"), ("agent", ANSWER)]
    assert scene.reason is EndReason.CALLER_HANGUP
    assert isinstance(scene.events[0], SessionStarted)
    assert isinstance(scene.events[-1], SessionEnded)
    assert not scene.of(AgentTurnInterrupted)


def test_the_model_is_given_instructions_history_and_what_was_said():
    history = (Message("user", "I called yesterday"), Message("assistant", "I remember"))
    scene = perform(TALK, thoughts=[Thought(ANSWER)], session_plan=plan(history=history))

    assert scene.mind.asked == [
        [
            Message("system", "You are Asha."),
            *history,
            Message("assistant", GREETING),
            Message("user", "I want an appointment please"),
        ]
    ]
    assert scene.mind.offered == [["end_call"]]


def test_each_turn_is_announced_before_the_next_and_numbered_in_the_order_heard():
    scene = perform(TALK, thoughts=[Thought(ANSWER)])
    kinds = [event for event in scene.events if isinstance(event, AgentTurnStarted | UserTurnEnded)]

    assert [event.turn for event in kinds] == [1, 2, 3]
    assert [type(event) for event in kinds] == [AgentTurnStarted, UserTurnEnded, AgentTurnStarted]


def test_the_live_view_sees_words_grow_on_both_sides():
    scene = perform(TALK, thoughts=[Thought(ANSWER)])

    assert [event.text for event in scene.of(UserTurnUpdated)][:3] == ["I", "I want", "I want an"]
    assert [event.text for event in scene.of(AgentTurnUpdated) if event.turn == 3] == [
        "Certainly.",
        "Certainly. Tomorrow at 5 p.m. is free for you.",
        ANSWER,
    ]


def test_the_latency_of_a_turn_is_told_with_its_parts():
    in_order = plan(tuning=Tuning(speculate=False))
    scene = perform(TALK, thoughts=[Thought(ANSWER, first_ms=250)], voice=Voice(first_ms=120), session_plan=in_order)
    first, answer = [event.latency for event in scene.of(AgentTurnStarted)]

    assert first is None
    assert (answer.endpointing_ms, answer.llm_ms, answer.tts_ms) == (300, 250, 120)
    assert answer.total_ms == 300 + 250 + 120 + 20  # the last: until a whole chunk of 200 ms is there


def test_the_callers_turn_has_its_real_times_though_the_recogniser_counts_from_its_first_audio():
    turn = perform(TALK).of(UserTurnEnded)[0]
    assert (turn.started_ms, turn.ended_ms) == (5000, 6500)


def test_everything_used_is_recorded_once():
    scene = perform(TALK, thoughts=[Thought(ANSWER)])
    records = [event.record for event in scene.of(UsageRecorded)]

    assert sum(each.quantity for each in records if each.unit is Unit.CHARACTERS) == sum(map(len, scene.voice.spoken))
    assert [each.quantity for each in records if each.unit is Unit.OUTPUT_TOKENS] == [len(ANSWER.split())]
    assert [each.quantity for each in records if each.unit is Unit.AUDIO_MS] == [14_000 - 20 if scene.ended_ms < 14_000 else 14_000]
    assert len({(each.kind, each.unit, each.evidence) for each in records}) == len(records)


def test_what_the_caller_hears_is_the_voice_without_gaps_inside_a_turn():
    scene = perform([HangsUp(6000)], session_plan=plan(first_message="One two three four five. Six seven eight nine ten eleven."))
    audio = bytes(scene.line.played).rstrip(b"\x00")

    spoken_ms = sum(len(text) for text in scene.voice.spoken) * 50
    assert len(audio) == spoken_ms * 16
    assert b"\x00\x00" not in audio


def test_the_next_sentence_is_requested_while_this_one_plays_but_not_much_earlier():
    text = " ".join(f"This is the rather long sentence with number {number} in it." for number in range(8))
    scene = perform([HangsUp(25_000)], session_plan=plan(first_message=text))
    each_ms = [len(spoken) * 50 for spoken in scene.voice.spoken]
    asked_ms = [scene.ms(at_s) for at_s in scene.voice.asked_at_s]

    assert len(each_ms) == 8
    for index in range(1, 8):
        plays_until_ms = asked_ms[0] + 170 + sum(each_ms[:index])
        assert plays_until_ms - 3000 - 400 - 200 <= asked_ms[index] < plays_until_ms - 400


def test_two_performances_are_the_same_to_the_last_event():
    script = [Says(3000, "wait please stop"), Says(9000, "what does it cost"), Presses(15_000, "5"), HangsUp(30_000)]
    first, second = (perform(script, thoughts=[Thought(ANSWER), Thought("It costs ₹500. Anything else?")]) for _ in range(2))

    assert first.events == second.events
    assert first.line.sent == second.line.sent
    assert first.line.played == second.line.played


def test_without_a_first_message_the_agent_waits_for_the_caller():
    scene = perform([Says(1000, "hello there"), HangsUp(8000)], thoughts=[Thought("Good morning!")], session_plan=plan(first_message=""))
    assert scene.dialogue == [("user", "hello there"), ("agent", "Good morning!")]


def test_a_caller_who_speaks_before_the_greeting_is_audible_is_greeted_all_the_same():
    slow = Voice(first_ms=900)
    scene = perform([Says(100, "hello"), HangsUp(9000)], voice=slow)
    assert scene.dialogue == [("user", "hello"), ("agent", GREETING)]
    assert scene.mind.asked == []


def test_a_voice_at_another_rate_is_heard_at_the_lines_rate():
    scene = perform([HangsUp(6000)], voice=Voice(sample_rate_hz=24_000))
    audio = bytes(scene.line.played)

    assert scene.dialogue == [("agent", GREETING)]
    assert 0 <= len(audio) - len(GREETING) * 50 * 16 < 3200


def test_a_line_at_another_rate_and_chunk_size_is_served_by_its_own_rules():
    line = Line([HangsUp(6000)], sample_rate_hz=16_000, chunk_bytes=9600)
    scene = perform(line=line)
    assert {sent.size for sent in line.sent} == {9600}
    assert scene.dialogue == [("agent", GREETING)]


def test_a_recogniser_that_only_reports_the_gap_ends_turns_too():
    scene = perform(TALK, thoughts=[Thought(ANSWER)], ears=Ears([], ends="utterance-ended"))
    assert scene.dialogue[1:] == [("user", "I want an appointment please"), ("agent", ANSWER)]


def test_a_recogniser_that_never_tells_the_end_is_waited_for_and_no_longer():
    scene = perform(TALK, thoughts=[Thought(ANSWER)], ears=Ears([], ends="never"))
    answer = scene.of(AgentTurnStarted)[1]

    assert scene.dialogue[1:] == [("user", "I want an appointment please"), ("agent", ANSWER)]
    assert answer.latency.endpointing_ms == 300 + 1200


def test_guesses_that_are_never_confirmed_are_answered_in_the_end():
    scene = perform(TALK, thoughts=[Thought(ANSWER)], ears=Ears([], ends="interims-only"))
    assert scene.dialogue[1] == ("user", "I want an appointment please")


def test_keys_are_reported_without_their_value():
    scene = perform([Presses(4000, "7"), HangsUp(6000)])
    assert scene.of(DtmfReceived) == [DtmfReceived(4000)]


def test_a_tool_is_called_and_its_result_answered():
    booked = []

    async def book(arguments):
        booked.append(arguments)
        return "booked for five"

    spec = ToolSpec("book", "books", {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]})
    scene = perform(
        TALK,
        thoughts=[Thought("One moment.", calls=[("book", '{"hour": 17}')]), Thought("It is booked.")],
        session_plan=plan(tools=(Tool(spec, book),)),
    )

    assert booked == [{"hour": 17}]
    assert scene.dialogue[-1] == ("agent", "One moment. It is booked.")
    said, result = scene.mind.asked[1][-2:]
    assert (said.role, said.content, said.tool_calls[0].name) == ("assistant", "One moment.", "book")
    assert result == Message("tool", "booked for five", tool_call_id=said.tool_calls[0].call_id)
    assert [(event.name, event.ok) for event in scene.of(ToolCalled)] == [("book", True)]


def test_a_voicemail_announces_listens_and_ends_when_the_caller_is_quiet():
    script = [Says(4000, "please call me back"), Says(7500, "my name is Ravi Kumar")]
    scene = perform(script, session_plan=plan(mode="voicemail", silence_timeout_ms=4000))

    assert scene.dialogue == [("agent", GREETING), ("user", "please call me back"), ("user", "my name is Ravi Kumar")]
    assert scene.reason is EndReason.VOICEMAIL_DONE
    assert scene.mind.asked == []
    assert scene.voice.spoken == [GREETING]


def test_a_voicemail_announcement_is_not_interrupted():
    scene = perform([Says(1000, "hello are you there")], session_plan=plan(mode="voicemail", silence_timeout_ms=4000))
    assert scene.dialogue == [("agent", GREETING), ("user", "hello are you there")]


def test_a_voicemail_has_an_end_however_long_the_caller_talks():
    script = [Says(3000 + index * 3000, "and then this happened too yes") for index in range(20)]
    scene = perform(script, session_plan=plan(mode="voicemail", max_duration_ms=15_000))
    assert scene.reason is EndReason.MAX_DURATION
    assert scene.ended_ms < 16_600
