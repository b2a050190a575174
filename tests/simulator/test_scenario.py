"""Scenarios are read strictly, and a caller plays them on the line's clock alone."""

import numpy as np
import pytest

from simulator import scenario as scenarios
from simulator.caller import Caller, prepare
from simulator.replies import parse as parse_replies
from simulator.report import interruption_ms, turns
from simulator.scenario import FOLDER, ScenarioRefused
from simulator.speech.tones import TonesSpeech, read

LOUD = (8_000 * np.sin(np.arange(160) / 3)).astype("<i2").tobytes()
NAMES = sorted(file.stem for file in FOLDER.glob("*.toml"))


async def caller(*steps: dict) -> Caller:
    part = scenarios.parse({"step": list(steps)})
    return Caller(part, await prepare(part, TonesSpeech(), 8_000), 8_000)


def play(person: Caller, heard: dict[range, bytes], ticks: int) -> bytes:
    """Ticks through the call; `heard` is the agent's sound by tick."""
    return b"".join(person.tick(next((frame for span, frame in heard.items() if tick in span), None)) for tick in range(ticks))


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_scenario_can_be_played(name):
    part = scenarios.load(name)
    assert part.steps
    assert part.description
    assert len(parse_replies(part.replies)) == len(part.replies)


def test_the_shipped_scenarios_are_the_documented_ones():
    assert {"demo", "hangup", "silent", "dtmf", "bench", "voicemail"} <= set(NAMES)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({}, "no \\[\\[step\\]\\]"),
        ({"step": [{}]}, "step 1 needs exactly one of"),
        ({"step": [{"say": "a", "press": "1"}]}, "it has say, press"),
        ({"step": [{"say": ""}]}, "say is empty"),
        ({"step": [{"say": "a", "loud": True}]}, "has no loud"),
        ({"step": [{"press": "12a"}]}, "keys 0-9"),
        ({"step": [{"pause_ms": "long"}]}, "ms must be int"),
        ({"step": [{"pause_ms": -5}]}, "must not be negative"),
        ({"step": [{"hangup": "now"}]}, "must be true or a table"),
        ({"step": [{"hangup": True}], "expect": {"closed_by": "nobody"}}, "closed_by"),
        ({"step": [{"hangup": True}], "stepp": []}, "has no stepp"),
    ],
)
def test_a_scenario_that_cannot_be_played_is_refused_with_the_place_and_the_reason(table, why):
    with pytest.raises(ScenarioRefused, match=why):
        scenarios.parse(table)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ScenarioRefused, match=r"bench.*demo.*hangup"):
        scenarios.load("nowhere")


async def test_words_are_spoken_as_audio_that_can_be_read_back_and_their_times_are_exact():
    person = await caller({"pause_ms": 100}, {"say": "Good morning"}, {"pause_ms": 1_000})
    pcm = play(person, {}, 200)
    assert read(pcm, 8_000).text == "Good morning"
    said = person.utterances[0]
    samples = np.abs(np.frombuffer(pcm, "<i2"))
    loud = np.flatnonzero(samples > 500)
    assert said.start_ms <= loud[0] / 8 < said.start_ms + 20
    assert said.end_ms - 20 < loud[-1] / 8 <= said.end_ms


async def test_waiting_for_the_agent_ends_only_after_speech_and_then_quiet():
    person = await caller({"wait_for_agent": {"quiet_ms": 200}}, {"say": "Yes"}, {"pause_ms": 500})
    play(person, {range(50, 100): LOUD}, 150)
    assert person.utterances[0].start_ms == pytest.approx(50 * 20 + 50 * 20 + 20 + 200, abs=20)


async def test_a_pause_inside_the_agents_words_is_not_its_end():
    person = await caller({"wait_for_agent": {"quiet_ms": 400}}, {"say": "Yes"}, {"pause_ms": 500})
    play(person, {range(10, 30): LOUD, range(45, 60): LOUD}, 120)
    assert person.utterances[0].start_ms > 60 * 20 + 400


async def test_an_agent_that_says_nothing_fails_the_step_by_its_deadline():
    person = await caller({"wait_for_agent": {"deadline_s": 1}}, {"say": "Yes"})
    play(person, {}, 60)
    assert person.has_hung_up
    assert person.failure == "step 1: the agent said nothing within 1 s"


async def test_an_interruption_begins_in_the_middle_of_the_agents_speech():
    person = await caller({"interrupt": "Stop", "after_ms": 600}, {"pause_ms": 200})
    play(person, {range(10, 200): LOUD}, 100)
    said = person.utterances[0]
    assert said.agent_was_speaking
    assert said.start_ms == pytest.approx(10 * 20 + 600, abs=40)


async def test_an_agent_that_falls_silent_too_early_cannot_be_interrupted():
    person = await caller({"interrupt": "Stop", "after_ms": 3_000})
    play(person, {range(10, 20): LOUD}, 200)
    assert "fell silent before it could be interrupted" in person.failure


async def test_keys_noise_and_beep_reach_the_line():
    person = await caller({"press": "4#"}, {"noise": 200, "level_db": -20.0}, {"beep": 200})
    pcm = play(person, {}, 60)
    assert person.keys == ["4", "#"]
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    noise = samples[8 * 520 : 8 * 680]
    assert 20 * np.log10(np.sqrt(np.mean(noise**2)) / 32_767) == pytest.approx(-20, abs=1.5)
    spectrum = np.abs(np.fft.rfft(samples[8 * 720 : 8 * 880]))
    assert np.argmax(spectrum) * 8_000 / 1_280 == pytest.approx(1_000, abs=10)


async def test_a_call_that_ends_before_the_scenario_leaves_it_unfinished():
    person = await caller({"say": "Hello"}, {"say": "and more"}, {"wait_for_close": True})
    play(person, {}, 5)
    person.closed()
    assert "the call ended before the scenario did" in person.failure


async def test_a_close_that_was_waited_for_is_success():
    person = await caller({"say": "Bye"}, {"wait_for_close": True})
    play(person, {}, 100)
    person.closed()
    assert person.failure == ""


async def test_a_turn_is_measured_from_the_last_sound_to_the_first_answer():
    person = await caller({"say": "Question"}, {"pause_ms": 5_000})
    ticks = len((await prepare(scenarios.parse({"step": [{"say": "Question"}]}), TonesSpeech(), 8_000))["Question"]) // 320
    play(person, {range(ticks + 30, ticks + 60): LOUD}, ticks + 100)
    (turn,) = turns(person.utterances, person.ear.stretches, [])
    assert turn.voice_to_voice_ms == 30 * 20 + 20


async def test_an_interruption_is_measured_to_the_end_of_the_agents_sound():
    person = await caller({"interrupt": "Stop please now", "after_ms": 400}, {"pause_ms": 3_000})
    play(person, {range(10, 45): LOUD, range(120, 150): LOUD}, 200)
    said = person.utterances[0]
    stopped = interruption_ms(said, person.ear.stretches, float("inf"))
    assert stopped == pytest.approx(45 * 20 + 20 - said.start_ms, abs=1)


async def test_a_rehearsal_speaks_both_parts_sentence_by_sentence_once(monkeypatch):
    from simulator.caller import rehearse
    from simulator.scenario import parse
    from simulator.speech import load

    tones, spoken = load("tones"), []
    speak = tones.synthesise

    async def listened_to(text, sample_rate_hz, *, voice="", speed=1.0):
        spoken.append((text, voice))
        return await speak(text, sample_rate_hz, voice=voice, speed=speed)

    monkeypatch.setattr(tones, "synthesise", listened_to)
    reply = {"heard": "hi", "say": "One moment. Here it is!", "after_tool": "Done."}
    echo = {"heard": "(.*)", "say": "You said {1}."}
    await rehearse(parse({"step": [{"say": "hi"}, {"say": "hi"}], "reply": [reply, echo]}), tones, 8_000)
    assert spoken == [("hi", "caller"), ("One moment.", ""), ("Here it is!", ""), ("Done.", "")]
