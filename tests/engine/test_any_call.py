"""Calls that nobody thought of: callers, faults and lines drawn by lot, the same every time. Promises that hold for every call."""

import random

import pytest

from engine.events import AgentTurnEnded, AgentTurnStarted, EndReason, UsageRecorded, UserTurnEnded
from engine.tuning import Tuning
from engine.usage import UsageKind
from tests.engine.carrier import HangsUp, Line, Presses, Says
from tests.engine.stage import APOLOGY, GOODBYE, GREETING, STILL_THERE, perform, plan
from tests.engine.vendors import Ears, Memory, Thought, Voice

FILLER = "One moment."
CALLER_WORDS = ("I", "want", "tea", "and", "milk", "please.", "ok", "haan", "stop")
AGENT_WORDS = ("Sure.", "It", "costs", "five", "hundred", "rupees,", "and", "more.", "Really?", "😀")


def caller(lot):
    script: list[Says | Presses | HangsUp] = []
    at_ms = 0
    for _ in range(lot.randint(0, 8)):
        at_ms += lot.randint(50, 6000)
        kind = lot.random()
        if kind < 0.15:
            script.append(Says(at_ms, "", noise_ms=lot.choice([100, 200, 600])))
            at_ms += 600
        elif kind < 0.25:
            script.append(Presses(at_ms, "5"))
        else:
            words = lot.choices(CALLER_WORDS, k=lot.randint(1, 6))
            script.append(Says(at_ms, " ".join(words)))
            at_ms += len(words) * 300
    if lot.random() < 0.5:
        script.append(HangsUp(at_ms + lot.randint(10, 5000), lot.choice(["caller-hangup", "lost", "stopped"])))
    return script


def thought(lot):
    return Thought(
        " ".join(lot.choices(AGENT_WORDS, k=lot.randint(0, 25))),
        calls=lot.choice([[], [], [("end_call", "{}")], [("no_such_tool", "{}")]]),
        first_ms=lot.randint(1, 3000),
        fails_after=lot.choice([None, None, 0, 3]),
        fault=lot.choice(["error", "stall", "truncate"]),
    )


def call(seed):
    lot = random.Random(seed)
    return perform(
        thoughts=[thought(lot) for _ in range(4)],
        line=Line(
            caller(lot),
            returns_marks=lot.random() < 0.7,
            mark_delay_ms=lot.choice([0, 30, 700]),
            breaks_after_sends=lot.choice([None] * 6 + [0, 3, 17]),
        ),
        voice=Voice(
            sample_rate_hz=lot.choice([8000, 24_000]),
            first_ms=lot.choice([1, 150, 1500]),
            speed=lot.choice([0.9, 1.5, 5, 50]),
            fails=lot.choices([None, None, None, None, "open", "mid", "stall", "empty"], k=6),
            aligns=lot.random() < 0.5,
        ),
        ears=Ears(
            [],
            ends=lot.choice(["speech-final", "utterance-ended", "never", "interims-only"]),
            fails=lot.choices([None, None, "open", "hang", ("after", 4000)], k=3),
        ),
        prepared=lot.choice([None, Memory(GREETING, STILL_THERE), Memory(GREETING, APOLOGY, GOODBYE, STILL_THERE, FILLER)]),
        session_plan=plan(
            filler=lot.choice(["", FILLER]),
            mode=lot.choice(["live", "live", "live", "voicemail"]),
            max_duration_ms=lot.choice([10_000, 60_000]),
            silence_timeout_ms=lot.choice([3000, 8000]),
            tuning=Tuning(
                interrupt_on_speech=lot.random() < 0.6,
                interrupt_min_words=lot.choice([1, 3]),
                local_vad=lot.random() < 0.3,
                speculate=lot.random() < 0.5,
                eager_stable_ms=lot.choice([50, 200, 400]),
                false_start_ms=lot.choice([300, 1200]),
            ),
        ),
    )


@pytest.mark.parametrize("seed", range(60))
def test_every_call_ends_in_time_and_tells_a_story_that_holds_together(seed):
    """`perform` itself checks the line's rules, leaked tasks and streams, and that there is one end."""
    scene = call(seed)

    assert scene.reason is not EndReason.CRASH
    assert scene.ended_ms <= 60_000 + 10_000 + 2000
    announced = [event.turn for event in scene.events if isinstance(event, AgentTurnStarted | UserTurnEnded)]
    assert announced == list(range(1, len(announced) + 1))
    started = [event.turn for event in scene.of(AgentTurnStarted)]
    assert [event.turn for event in scene.of(AgentTurnEnded)] == started
    for event in scene.of(AgentTurnEnded):
        assert event.interrupted or scene.failed_providers or event.heard == event.generated
        assert event.started_ms <= event.ended_ms
    records = [event.record for event in scene.of(UsageRecorded)]
    assert len({(each.kind, each.unit, each.evidence) for each in records if each.kind is not UsageKind.STT}) == len(
        [each for each in records if each.kind is not UsageKind.STT]
    )
    assert {each.purpose for each in records} <= {"", "speculative", "interrupted", "failed"}
    for event in scene.of(UserTurnEnded):
        assert event.text
        assert event.started_ms <= event.ended_ms
