"""Both sides of a call for whoever listens: at the same time, as they are heard, and never more than a moment late."""

import asyncio

import numpy as np
import pytest

from calls import listening
from calls.models import Session
from telephony import listening as door
from telephony.link import ExotelLink
from telephony.tap import MOST_AHEAD_MS, PACKET_MS, WINDOW, Ear, Tap

RATE_HZ, CHUNK = 8000, 3200
FRAME = 320  # 20 ms
PACKET = RATE_HZ * 2 * PACKET_MS // 1000


def pcm(level: int, size: int) -> bytes:
    return level.to_bytes(2, "little", signed=True) * (size // 2)


@pytest.fixture
def ear() -> Ear:
    return Ear(lambda: None)


@pytest.fixture
def tap(ear) -> Tap:
    tap = Tap(RATE_HZ, CHUNK)
    tap.ears.append(ear)
    return tap


def sides(packet: bytes) -> tuple[list[int], list[int]]:
    """What a packet has of the caller and of the agent."""
    both = np.frombuffer(packet[4:], dtype="<i2")
    return both[0::2].tolist(), both[1::2].tolist()


def heard(ear: Ear) -> tuple[list[int], list[int]]:
    caller: list[int] = []
    agent: list[int] = []
    while (packet := ear.take()) is not None:
        ear.confirm(1)
        more_caller, more_agent = sides(packet)
        caller += more_caller
        agent += more_agent
    return caller, agent


def test_what_the_agent_says_ahead_is_heard_while_the_caller_s_time_passes(tap, ear):
    tap.agent(pcm(7, CHUNK))
    tap.agent(pcm(8, CHUNK))
    for _ in range(30):  # 600 ms
        tap.caller(pcm(3, FRAME))
    caller, agent = heard(ear)
    assert caller == [3] * 4800
    assert agent == [7] * 1600 + [8] * 1600 + [0] * 1600


def test_packets_carry_their_number(tap, ear):
    for _ in range(15):
        tap.caller(pcm(1, FRAME))
    assert [int.from_bytes((ear.take() or b"")[:4], "little") for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("frame", [160, 320, 1600, 3200, 321 * 2])
def test_frames_of_any_size_make_packets_of_one(tap, ear, frame):
    for _ in range(-(-4 * PACKET // frame)):
        tap.caller(pcm(5, frame))
    packet = ear.take()
    assert packet is not None and len(packet) == 4 + 2 * PACKET
    assert sides(packet) == ([5] * 800, [0] * 800)


def test_what_the_carrier_drops_is_not_heard_but_for_the_chunk_in_play(tap, ear):
    for level in (7, 8, 9):
        tap.agent(pcm(level, CHUNK))
    for _ in range(5):  # 100 ms: the first chunk is half played
        tap.caller(pcm(3, FRAME))
    tap.cleared()
    for _ in range(20):
        tap.caller(pcm(3, FRAME))
    assert heard(ear)[1] == [7] * 1600 + [0] * 2400


def test_a_caller_s_side_that_stands_still_lets_nothing_pile_up(tap, ear):
    for _ in range(100):
        tap.agent(pcm(7, CHUNK))
    assert len(tap._ahead) == RATE_HZ * 2 * MOST_AHEAD_MS // 1000


def test_a_listener_who_does_not_keep_up_misses_packets_and_is_never_far_behind(tap, ear):
    for _ in range(20):
        tap.caller(pcm(1, PACKET))
    assert ear.dropped == 20 - WINDOW
    for _ in range(WINDOW):
        assert ear.take() is not None
    tap.caller(pcm(1, PACKET))
    assert ear.take() is None  # all that may be on the way is, and none of it is confirmed
    ear.confirm(3)
    for _ in range(5):
        tap.caller(pcm(1, PACKET))
    assert [int.from_bytes((ear.take() or b"")[:4], "little") for _ in range(3)] == [22, 23, 24]
    assert WINDOW * PACKET_MS < 1000


def test_confirming_more_than_was_sent_gains_nothing(tap, ear):
    ear.confirm(1000)
    for _ in range(50):
        tap.caller(pcm(1, PACKET))
    assert ear.dropped == 50 - WINDOW


def test_one_slow_listener_takes_nothing_from_another(tap, ear):
    quick = Ear(lambda: None)
    tap.ears.append(quick)
    for _ in range(30):
        tap.caller(pcm(1, PACKET))
        quick.take()
        quick.confirm(1)
    assert (ear.dropped, quick.dropped) == (30 - WINDOW, 0)


# --- the line and its door ------------------------------------------------------------------------------------------------------


async def nobody(_message) -> None:
    pass


@pytest.fixture
async def link() -> ExotelLink:
    return ExotelLink(nobody, stream_sid="stream", sample_rate_hz=RATE_HZ, chunk_bytes=CHUNK)


async def test_listening_is_over_with_the_line_however_long_its_rows_take(link, ear):
    with door.offered("sess_over", link), door._hearing(link, ear):
        assert not ear.is_over
        link.feed('{"event": "stop", "stop": {"reason": "callended"}}')
        assert ear.is_over
    late = Ear(lambda: None)
    with door._hearing(link, late):
        assert late.is_over


async def test_those_who_are_being_let_in_count_too(link, monkeypatch):
    monkeypatch.setattr(door, "MOST_EARS", 1)
    is_kept = asyncio.Event()

    async def keep(_ticket):
        await is_kept.wait()
        raise door._NotNow(404, "no such call")

    monkeypatch.setattr(door, "_keep_begin", keep)
    statuses: list[int] = []

    async def knock() -> None:
        async def receive():
            return {"type": "websocket.connect"}

        async def send(message) -> None:
            statuses.extend([message["status"]] if "status" in message else [])

        url = listening.address(Session(session_id="sess_seats", listen_url=""), by="meera")
        await door.door({"path": url, "extensions": {"websocket.http.response": {}}}, receive, send)

    with door.offered("sess_seats", link):
        first = asyncio.create_task(knock())
        await asyncio.sleep(0)
        await knock()
        assert statuses == [503]
        is_kept.set()
        await first
        await knock()
    assert statuses == [503, 404, 404] and not door._ears
