"""The telephone of a rehearsal's caller, tick by tick: what is played, which marks come back when, and how long the caller waited."""

import numpy as np

from telephony.handset import FRAME_BYTES, SILENCE, TICK_MS, Handset, without_edges

SOUND = np.full(FRAME_BYTES // 2, 4000, dtype="<i2").tobytes()


def ticks(handset: Handset, count: int) -> tuple[list[bytes], list[str], str]:
    frames, marks, keys = [], [], ""
    for _ in range(count):
        frame, reached, key = handset.tick()
        frames.append(frame)
        marks += reached
        keys += key
    return frames, marks, keys


def test_a_mark_comes_back_when_what_was_before_it_has_been_played():
    handset = Handset()
    handset.hear(SOUND * 3)
    handset.mark("three")
    handset.hear(SOUND)
    handset.mark("four")
    assert ticks(handset, 2)[1] == []
    assert ticks(handset, 1)[1] == ["three"]
    assert ticks(handset, 1)[1] == ["four"]
    handset.mark("nothing before it")
    assert ticks(handset, 1)[1] == ["nothing before it"]


def test_what_is_cleared_is_not_heard_and_its_marks_never_come():
    handset = Handset()
    handset.hear(SOUND * 10)
    handset.mark("dropped")
    ticks(handset, 2)
    handset.clear()
    handset.hear(SOUND)
    handset.mark("after")
    assert ticks(handset, 5)[1] == ["after"]
    assert handset.heard().sounded_ms == 3 * TICK_MS


def test_the_caller_waits_from_the_end_of_their_words_to_the_first_sound():
    handset = Handset()
    ticks(handset, 5)
    handset.hear(SOUND * 2)
    ticks(handset, 20)
    assert handset.heard().waits_ms == (100,), "the greeting, since the line was open"
    handset.say(SILENCE * 4 + SOUND * 3 + SILENCE * 50)
    frames = ticks(handset, 3)[0]
    assert frames == [SOUND] * 3 and not handset.heard().is_speaking, "the edges without sound are not said"
    handset.hear(SILENCE * 6 + SOUND)
    ticks(handset, 20)
    assert handset.heard().waits_ms == (100, 120)
    assert handset.heard().quiet_ms == 13 * TICK_MS
    handset.hear(SOUND)
    ticks(handset, 5)
    assert handset.heard().waits_ms == (100, 120), "sound for which nobody waited"


def test_a_wait_that_does_not_end_is_seen():
    handset = Handset()
    handset.say(SOUND * 2)
    ticks(handset, 52)
    assert (handset.heard().waits_ms, handset.heard().waiting_ms) == ((), 1000)
    handset.hear(SOUND)
    ticks(handset, 1)
    assert (handset.heard().waits_ms, handset.heard().waiting_ms) == ((1000,), 0)


def test_what_still_sounds_over_the_callers_words_is_no_answer_to_them():
    handset = Handset()
    handset.say(SOUND * 20)
    ticks(handset, 15)
    handset.hear(SOUND * 8)  # until 60 ms after the caller's last word
    ticks(handset, 408)
    assert (handset.heard().waits_ms, handset.heard().waiting_ms) == ((), 8000), "it began to think then"
    handset.hear(SOUND)
    ticks(handset, 1)
    assert handset.heard().waits_ms == (8000,)


def test_who_is_talked_over_falls_silent_and_knows_how_much_was_said():
    handset = Handset()
    handset.say(SOUND * 10)
    handset.hear(SOUND * 3)
    ticks(handset, 4)
    heard = handset.heard()
    assert (heard.is_speaking, heard.overlap_ms) == (True, 60)
    assert handset.hush() == 0.4 and ticks(handset, 1)[0] == [SILENCE]
    handset.hear(SOUND)
    ticks(handset, 3)
    assert handset.heard().waits_ms == ()


def test_keys_are_pressed_one_after_the_other():
    handset = Handset()
    handset.press("12#")
    assert ticks(handset, 1)[2] == "1"
    assert ticks(handset, 9)[2] == "" and ticks(handset, 1)[2] == "2"
    assert ticks(handset, 10)[2] == "#"


def test_what_is_silent_throughout_is_said_as_it_is():
    assert without_edges(SILENCE * 3) == SILENCE * 3
