"""The play model alone, frame by frame: what Exotel plays, when it echoes marks, what `clear` does, and which rules are watched."""

import base64

import pytest

from simulator.exotel.playback import Playback


def encoded(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode()


def rules(playback: Playback) -> list[str]:
    return [breach.rule for breach in playback.breaches]


def frames(playback: Playback) -> list[bytes]:
    played = []
    while (frame := playback.next_frame()) is not None:
        played.append(frame)
    return played


def test_messages_are_played_in_the_order_of_their_arrival_at_20_ms_a_frame():
    playback = Playback(8_000)
    playback.media(encoded(b"\1\0" * 1_600), 0)
    playback.media(encoded(b"\2\0" * 1_600), 10)
    played = frames(playback)
    assert played == [b"\1\0" * 160] * 10 + [b"\2\0" * 160] * 10
    assert playback.breaches == []


@pytest.mark.parametrize(("rate", "frame_bytes"), [(8_000, 320), (16_000, 640), (24_000, 960)])
def test_a_frame_is_20_ms_at_every_rate(rate, frame_bytes):
    playback = Playback(rate)
    playback.media(encoded(bytes(9_600)), 0)
    assert len(playback.next_frame() or b"") == frame_bytes
    assert playback.queued_ms == pytest.approx((9_600 - frame_bytes) / rate / 2 * 1_000)


@pytest.mark.parametrize(
    ("payload", "broken"),
    [
        (encoded(bytes(3_200)), []),
        (encoded(bytes(99_840)), []),
        (encoded(bytes(3_210)), ["unaligned"]),
        (encoded(bytes(2_880)), ["undersized"]),
        (encoded(bytes(160)), ["unaligned", "undersized"]),
        (encoded(bytes(3_201)), ["odd_bytes", "unaligned"]),
        (encoded(bytes(100_160)), ["oversized"]),
        ("not base64!", ["bad_base64"]),
        ("", ["undersized"]),
        (None, ["no_payload"]),
        (17, ["no_payload"]),
    ],
)
def test_each_rule_for_a_message_is_watched(payload, broken):
    playback = Playback(8_000, max_ahead_ms=60_000)
    playback.media(payload, 5)
    assert rules(playback) == broken
    assert all(breach.at_ms == 5 for breach in playback.breaches)


def test_a_short_tail_costs_a_gap_up_to_the_end_of_its_frame():
    playback = Playback(8_000)
    playback.media(encoded(b"\1\0" * 1_610), 0)
    playback.media(encoded(b"\2\0" * 1_600), 0)
    played = frames(playback)
    assert played[10] == b"\1\0" * 10 + bytes(300)
    assert played[11] == b"\2\0" * 160


def test_whole_units_run_on_into_the_next_message_where_a_frame_is_longer_than_a_unit():
    playback = Playback(24_000)
    for value in (b"\1\0", b"\2\0", b"\3\0"):
        playback.media(encoded(value * 1_600), 0)
    played = b"".join(frames(playback))
    assert played == b"\1\0" * 1_600 + b"\2\0" * 1_600 + b"\3\0" * 1_600
    assert playback.breaches == []


def test_being_too_far_ahead_is_one_breach_until_the_queue_was_short_again():
    playback = Playback(8_000, max_ahead_ms=400)
    for _ in range(4):
        playback.media(encoded(bytes(3_200)), 0)
    assert rules(playback) == ["too_far_ahead"]
    frames(playback)
    playback.media(encoded(bytes(3_200)), 1_000)
    for _ in range(2):
        playback.media(encoded(bytes(3_200)), 1_000)
    assert rules(playback) == ["too_far_ahead", "too_far_ahead"]


def test_a_mark_is_due_when_everything_before_it_has_been_played_and_not_earlier():
    playback = Playback(8_000)
    playback.media(encoded(bytes(3_200)), 0)
    playback.mark("first")
    playback.media(encoded(bytes(3_200)), 0)
    playback.mark("second")
    due: list[tuple[int, str]] = []
    for tick in range(25):
        due += [(tick, name) for name in playback.take_due_marks()]
        playback.next_frame()
    assert due == [(10, "first"), (20, "second")]


def test_a_mark_with_nothing_before_it_is_due_at_once():
    playback = Playback(8_000)
    playback.mark("alone")
    assert playback.take_due_marks() == ["alone"]
    assert playback.take_due_marks() == []


def test_clear_drops_what_waits_but_the_message_being_played_plays_to_its_end():
    playback = Playback(8_000)
    for value in (b"\1\0", b"\2\0", b"\3\0"):
        playback.media(encoded(value * 1_600), 0)
    playback.next_frame()
    assert playback.clear(20) == 400
    assert frames(playback) == [b"\1\0" * 160] * 9
    assert playback.queued_ms == 0
    assert playback.dropped_bytes == 6_400


@pytest.mark.parametrize(("echo", "due"), [(False, []), (True, ["a", "b"])])
def test_whether_clear_echoes_pending_marks_is_a_switch(echo, due):
    playback = Playback(8_000, echo_marks_on_clear=echo)
    playback.media(encoded(bytes(3_200)), 0)
    playback.mark("a")
    playback.media(encoded(bytes(3_200)), 0)
    playback.mark("b")
    playback.next_frame()
    playback.clear(20)
    assert playback.take_due_marks() == due


@pytest.mark.parametrize(("after_ms", "speaking", "broken"), [(100, True, ["audio_after_clear"]), (100, False, []), (900, True, [])])
def test_audio_that_follows_a_clear_while_the_caller_speaks_is_the_old_utterance_still_coming(after_ms, speaking, broken):
    playback = Playback(8_000)
    playback.media(encoded(bytes(3_200)), 0)
    playback.clear(1_000)
    playback.media(encoded(bytes(3_200)), 1_000 + after_ms, caller_speaking=speaking)
    assert rules(playback) == broken


@pytest.mark.parametrize(("idle_frames", "gaps"), [(0, 0), (1, 1), (10, 1), (11, 0)])
def test_short_hollows_between_two_pieces_are_counted_and_pauses_are_not(idle_frames, gaps):
    playback = Playback(8_000)
    assert frames(playback) == []
    playback.media(encoded(bytes(3_200)), 0)
    for _ in range(10 + idle_frames):
        playback.next_frame()
    playback.media(encoded(bytes(3_200)), 0)
    playback.next_frame()
    assert playback.gaps == gaps
