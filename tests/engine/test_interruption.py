"""The caller speaks over the agent, or goes on speaking."""

import asyncio

import pytest

from engine.events import AgentTurnEnded, AgentTurnInterrupted, AgentTurnStarted, UserTurnEnded
from engine.ports import Message, ToolSpec
from engine.tools import Tool
from engine.tuning import Tuning
from tests.engine.carrier import HangsUp, Line, Says
from tests.engine.stage import GREETING, perform, plan
from tests.engine.vendors import Ears, Thought

STORY = "First you take the train to Pune. Then you walk along the river for ten minutes. At last you ring the bell."


def told_story(at_ms, words="stop please", **rest):
    """The caller asks at 4 s and hears the story from 5.4 s on, then says `words` at `at_ms`."""
    script = [Says(4000, "tell me the way"), Says(at_ms, words), HangsUp(16_000)]
    return perform(script, thoughts=[Thought(STORY), Thought("Of course.")], **rest)


def test_an_interruption_silences_the_line_within_the_message_in_play():
    scene = told_story(8000)
    interrupted = scene.of(AgentTurnInterrupted)
    clear_ms = scene.ms(scene.line.cleared_at_s[0])

    assert len(interrupted) == 1
    assert interrupted[0].silence_after_ms == 0
    assert clear_ms == 8100  # the recogniser needs 100 ms of speech
    agent_audio_ms = max(scene.ms(sent.at_s) for sent in scene.line.sent if scene.ms(sent.at_s) < 9000)
    assert agent_audio_ms < clear_ms


@pytest.mark.parametrize("at_ms", range(6000, 10_500, 700))
def test_the_cut_turn_reads_as_it_was_heard(at_ms):
    """What the carrier played tells how much was heard: 50 ms a character. The text may lag it by the word being spoken."""
    scene = told_story(at_ms)
    turn = next(event for event in scene.of(AgentTurnEnded) if event.interrupted)
    started = next(event.at_ms for event in scene.of(AgentTurnStarted) if event.turn == turn.turn)
    heard_characters = (at_ms + 100 - started + 200) / 50

    assert STORY.startswith(turn.heard)
    assert turn.heard in ("", STORY) or STORY[len(turn.heard)] == " "
    assert heard_characters - 14 <= len(turn.heard) <= heard_characters


def test_the_model_is_told_only_what_was_heard():
    scene = told_story(8000)
    turn = next(event for event in scene.of(AgentTurnEnded) if event.interrupted)

    assert turn.generated == STORY
    assert scene.mind.asked[1][-3:] == [
        Message("user", "tell me the way"),
        Message("assistant", turn.heard),
        Message("user", "stop please"),
    ]
    assert scene.dialogue[-1] == ("agent", "Of course.")


def test_nothing_of_the_stopped_turn_is_sent_or_bought_after_the_interruption():
    scene = told_story(6500)
    assert scene.voice.spoken[-1] == "Of course."
    assert not any("ring the bell" in text for text in scene.voice.spoken)


def test_the_same_cut_without_marks_as_with_them():
    script = [Says(4000, "tell me the way"), Says(8000, "stop please"), HangsUp(16_000)]
    with_marks = perform(line=Line(script, mark_delay_ms=0), thoughts=[Thought(STORY), Thought("Of course.")])
    without = perform(line=Line(script, returns_marks=False), thoughts=[Thought(STORY), Thought("Of course.")])

    heard = [next(event.heard for event in scene.of(AgentTurnEnded) if event.interrupted) for scene in (with_marks, without)]
    assert heard[0] == heard[1]


def test_a_carrier_that_lags_is_known_by_its_marks():
    prompt = told_story(8000)
    script = [Says(4000, "tell me the way"), Says(8000, "stop please"), HangsUp(16_000)]
    lagging = perform(line=Line(script, mark_delay_ms=600), thoughts=[Thought(STORY), Thought("Of course.")])

    heard = [next(event.heard for event in scene.of(AgentTurnEnded) if event.interrupted) for scene in (prompt, lagging)]
    assert len(heard[1]) < len(heard[0])


def test_words_interrupt_where_the_recogniser_never_tells_the_start_of_speech():
    scene = told_story(8000, ears=Ears([], tells_onset=False))
    assert len(scene.of(AgentTurnInterrupted)) == 1
    assert scene.ms(scene.line.cleared_at_s[0]) == 8300


def test_the_local_ear_interrupts_before_the_recogniser():
    late = Ears([], onset_ms=250)
    scene = told_story(8000, ears=late, session_plan=plan(tuning=Tuning(local_vad=True)))
    assert 8060 <= scene.ms(scene.line.cleared_at_s[0]) <= 8080


def test_acknowledgements_do_not_interrupt_where_words_are_asked_for():
    patient = plan(tuning=Tuning(interrupt_on_speech=False))
    scene = told_story(8000, "haan ok", session_plan=patient)

    assert not scene.of(AgentTurnInterrupted)
    assert scene.dialogue[:3] == [("agent", GREETING), ("user", "tell me the way"), ("agent", STORY)]
    assert ("user", "haan ok") not in scene.dialogue


def test_words_too_few_to_interrupt_are_answered_afterwards():
    patient = plan(tuning=Tuning(interrupt_on_speech=False, interrupt_min_words=3))
    scene = told_story(8000, "why Pune", session_plan=patient)

    assert not scene.of(AgentTurnInterrupted)
    assert scene.dialogue[2:] == [("agent", STORY), ("user", "why Pune"), ("agent", "Of course.")]


def test_a_cough_pauses_the_agent_which_then_goes_on_where_it_was_cut():
    script = [Says(4000, "tell me the way"), Says(7000, "", noise_ms=200), HangsUp(20_000)]
    scene = perform(script, thoughts=[Thought(STORY)])
    samples = bytes(scene.line.played).count(b"\x01\x10")

    assert scene.ms(scene.line.cleared_at_s[0]) == 7100
    assert not scene.of(AgentTurnInterrupted)
    assert scene.dialogue == [("agent", GREETING), ("user", "tell me the way"), ("agent", STORY)]
    assert samples == sum(len(text) * 50 for text in scene.voice.spoken) * 8  # nothing is missing and nothing was played twice


def test_a_caller_who_goes_on_before_the_answer_is_audible_is_answered_once_to_everything():
    script = [Says(4000, "I want an appointment."), Says(5700, "for my mother"), HangsUp(13_000)]
    scene = perform(script, thoughts=[Thought("For you?", first_ms=900), Thought("For your mother, gladly.")])

    assert scene.dialogue == [
        ("agent", GREETING),
        ("user", "I want an appointment. for my mother"),
        ("agent", "For your mother, gladly."),
    ]
    assert not scene.of(AgentTurnInterrupted)
    assert len(scene.of(UserTurnEnded)) == 1
    assert scene.mind.asked[1][-1] == Message("user", "I want an appointment. for my mother")


def test_words_that_sound_unfinished_are_given_a_moment_more():
    finished = perform([Says(4000, "I want tea."), HangsUp(20_000)])
    unfinished = perform([Says(4000, "I want and"), HangsUp(20_000)])

    waits = [scene.of(AgentTurnStarted)[1].latency.endpointing_ms for scene in (finished, unfinished)]
    assert waits == [300, 900]


def test_a_caller_who_answers_as_the_last_audio_ends_has_not_interrupted():
    """The greeting's audio has been played, its mark is still on the way: the caller heard everything."""
    line = Line([Says(2100, "yes hello"), HangsUp(12_000)], mark_delay_ms=800)
    scene = perform(line=line)

    assert not scene.of(AgentTurnInterrupted)
    assert scene.dialogue[0] == ("agent", GREETING)
    assert line.cleared_at_s == []


def test_a_tool_that_runs_when_the_caller_speaks_runs_once():
    runs = []

    async def order(arguments):
        runs.append(arguments)
        await asyncio.sleep(3)
        return "ordered, number 12"

    tools = (Tool(ToolSpec("order", "orders", {"type": "object", "properties": {"what": {"type": "string"}}}), order),)
    wish = ("order", '{"what": "tea"}')
    scene = perform(
        [Says(4000, "order tea"), Says(6200, "quickly please"), HangsUp(15_000)],
        thoughts=[Thought("", calls=[wish]), Thought("", calls=[wish]), Thought("It is ordered.")],
        session_plan=plan(tools=tools),
    )

    assert runs == [{"what": "tea"}]
    assert scene.dialogue[-1] == ("agent", "It is ordered.")
    assert scene.mind.asked[2][-1].content == "ordered, number 12"
