"""Complaint 7: something behind the agent fails or hangs, and the caller talks into nothing."""

from typing import Any

import pytest

from engine.events import EndReason
from tests.complaints.caller_side import longest_quiet_ms
from tests.engine.carrier import HangsUp, Says
from tests.engine.stage import APOLOGY, GOODBYE, GREETING, perform, plan
from tests.engine.vendors import Ears, Memory, Thought, Voice

FILLER = "One moment."
TALK = [Says(4000, "what does it cost"), Says(16_000, "and for two people"), HangsUp(28_000)]
STORED = Memory(GREETING, APOLOGY, GOODBYE, FILLER)
FINE = Thought("It costs five hundred.")


@pytest.mark.parametrize("behind", ["a model that hangs", "a voice that hangs", "a recogniser that hangs"])
def test_whatever_hangs_the_caller_hears_something_within_five_seconds_and_the_talk_goes_on(behind):
    faults: dict[str, Any] = {
        "a model that hangs": {"thoughts": [Thought("It", fails_after=0, fault="stall"), FINE]},
        "a voice that hangs": {"thoughts": [FINE], "voice": Voice(fails=["stall"])},
        "a recogniser that hangs": {"thoughts": [FINE], "ears": Ears([], fails=["hang"])},
    }
    scene = perform(TALK, prepared=STORED, session_plan=plan(filler=FILLER, silence_timeout_ms=12_000), **faults[behind])
    for asked_until_ms in (5200, 17_200):
        assert longest_quiet_ms(scene, asked_until_ms, asked_until_ms + 5500) < 5000
    assert scene.dialogue[-1] == ("agent", FINE.text)
    assert scene.reason is EndReason.CALLER_HANGUP


def test_with_everything_down_for_good_the_caller_is_told_so_and_not_left_on_the_line():
    scene = perform(
        [Says(4000, "what does it cost"), Says(13_000, "hello? hello?"), HangsUp(90_000)],
        thoughts=[Thought("", fails_after=0, fault="stall")],
        voice=Voice(always_fails="stall"),
        prepared=STORED,
        session_plan=plan(filler=FILLER),
    )
    said = [text for who, text in scene.dialogue if who == "agent"]
    assert [text.replace(FILLER, "").strip() for text in said if text != FILLER] == [GREETING, APOLOGY, GOODBYE]
    assert scene.reason is EndReason.PROVIDER_FAILED
    assert scene.ended_ms < 25_000
