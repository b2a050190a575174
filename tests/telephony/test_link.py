"""The link between Exotel's stream and the engine: bounded, with deadlines, and honest about how the line ended."""

import asyncio
import base64
import json

import pytest

from engine.errors import LinkClosed
from engine.ports import CallerAudio, DtmfPressed, LinkEnded, MarkReached
from telephony import link as module
from telephony.link import MAX_BAD_MESSAGES, MAX_WAITING_AUDIO, ExotelLink

SID = "s" * 32
FRAME = bytes(320)
CHUNK = bytes(3200)


class Wire:
    """The server's side of `send`: keeps what was sent, or does not come back."""

    def __init__(self) -> None:
        self.sent: list[dict] = []
        self.error: Exception | None = None
        self.stuck = False

    async def __call__(self, message) -> None:
        if self.stuck:
            await asyncio.Event().wait()
        if self.error:
            raise self.error
        self.sent.append(message)

    @property
    def texts(self) -> list[dict]:
        return [json.loads(message["text"]) for message in self.sent if message["type"] == "websocket.send"]


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def link(wire) -> ExotelLink:
    return ExotelLink(wire, stream_sid=SID, sample_rate_hz=8000, chunk_bytes=3200)


def audio(pcm: bytes = FRAME) -> str:
    return json.dumps({"event": "media", "media": {"payload": base64.b64encode(pcm).decode()}})


async def everything(link: ExotelLink) -> list:
    async with asyncio.timeout(60):
        return [event async for event in link]


async def test_what_comes_in_is_handed_on_in_order_and_ends(link):
    link.feed('{"event":"connected"}')
    link.feed(audio(b"\x01\x00" * 160))
    link.feed('{"event":"dtmf","dtmf":{"digit":"5"}}')
    link.feed('{"event":"mark","mark":{"name":"m1"}}')
    link.feed('{"event":"clear"}')
    link.feed('{"event":"stop","stop":{"reason":"callended"}}')
    link.feed(audio())
    first, *rest = await everything(link)
    assert isinstance(first, CallerAudio) and (first.chunk.pcm, first.chunk.sample_rate_hz) == (b"\x01\x00" * 160, 8000)
    assert rest == [DtmfPressed("5"), MarkReached("m1"), LinkEnded("caller-hangup")]


async def test_an_engine_that_waits_is_woken(link):
    waiting = asyncio.create_task(anext(link))
    await asyncio.sleep(0)
    link.feed(audio())
    assert isinstance(await waiting, CallerAudio)


@pytest.mark.parametrize(
    ("reason", "ended"), [("callended", "caller-hangup"), ("stopped", "stopped"), ("", "caller-hangup"), ("new word", "caller-hangup")]
)
async def test_how_a_stop_is_understood(link, reason, ended):
    link.feed(json.dumps({"event": "stop", "stop": {"reason": reason}}))
    link.lost(1000)
    assert await everything(link) == [LinkEnded(ended)]


@pytest.mark.parametrize(
    ("code", "ended"), [(1000, "caller-hangup"), (1001, "caller-hangup"), (1005, "caller-hangup"), (1006, "lost"), (1011, "lost")]
)
async def test_a_socket_that_goes_without_a_stop(link, code, ended):
    link.lost(code)
    assert await everything(link) == [LinkEnded(ended)]
    with pytest.raises(LinkClosed):
        await link.send_audio(CHUNK)


async def test_how_a_line_ended_is_told_once(link):
    assert link.ending == ""
    link.feed('{"event":"stop","stop":{"reason":"callended"}}')
    link.lost(1006)
    await link.close()
    assert link.ending == "the carrier said stop (callended)"


async def test_when_the_engine_does_not_listen_the_oldest_audio_goes_and_events_stay(link):
    link.feed('{"event":"mark","mark":{"name":"early"}}')
    for number in range(MAX_WAITING_AUDIO + 40):
        link.feed(audio(number.to_bytes(2, "little") * 160))
    link.feed('{"event":"stop"}')
    events = await everything(link)
    heard = [int.from_bytes(event.chunk.pcm[:2], "little") for event in events if isinstance(event, CallerAudio)]
    assert heard == list(range(40, MAX_WAITING_AUDIO + 40))
    assert events[0] == MarkReached("early") and events[-1] == LinkEnded("caller-hangup")
    assert (link.dropped_frames, link.received_frames) == (40, MAX_WAITING_AUDIO + 40)


async def test_a_flood_of_events_is_bounded_too(link):
    for _ in range(5000):
        link.feed('{"event":"mark","mark":{"name":"m"}}')
    link.feed('{"event":"stop"}')
    assert len(await everything(link)) == module.MAX_WAITING_EVENTS + 1


async def test_garbage_is_counted_and_too_much_of_it_is_the_end(link):
    answers = [link.feed("garbage") for _ in range(MAX_BAD_MESSAGES)]
    assert answers == [True] * (MAX_BAD_MESSAGES - 1) + [False]
    assert link.bad_messages == MAX_BAD_MESSAGES


async def test_audio_marks_and_clear_go_out_as_exotel_wants_them(link, wire):
    await link.send_audio(CHUNK)
    await link.send_mark("m1")
    await link.clear()
    assert [text["event"] for text in wire.texts] == ["media", "mark", "clear"]
    assert all(text["stream_sid"] == SID for text in wire.texts)
    assert base64.b64decode(wire.texts[0]["media"]["payload"]) == CHUNK


@pytest.mark.parametrize("size", [0, 320, 3199, 3201, 6400])
async def test_only_whole_chunks_are_sent(link, wire, size):
    with pytest.raises(ValueError, match="3200"):
        await link.send_audio(bytes(size))
    assert wire.sent == []


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("sent after close")])
async def test_a_peer_that_has_left_closes_the_link(link, wire, error):
    wire.error = error
    with pytest.raises(LinkClosed):
        await link.send_audio(CHUNK)
    assert await everything(link) == [LinkEnded("lost")]


async def test_a_peer_that_does_not_read_is_given_up(link, wire, monkeypatch):
    monkeypatch.setattr(module, "SEND_DEADLINE_S", 0.02)
    wire.stuck = True
    with pytest.raises(LinkClosed):
        await link.send_mark("m")
    assert await everything(link) == [LinkEnded("lost")]
    with pytest.raises(LinkClosed):
        await link.clear()


async def test_closing_ends_the_call_once_and_never_raises(link, wire):
    await link.close()
    await link.close()
    assert wire.sent == [{"type": "websocket.close", "code": 1000}]
    assert await everything(link) == [LinkEnded("stopped")]
    with pytest.raises(LinkClosed):
        await link.send_audio(CHUNK)


@pytest.mark.parametrize("trouble", ["stuck", "gone"])
async def test_closing_a_dead_socket_returns_all_the_same(link, wire, monkeypatch, trouble):
    monkeypatch.setattr(module, "CLOSE_DEADLINE_S", 0.02)
    wire.stuck, wire.error = trouble == "stuck", OSError("gone")
    async with asyncio.timeout(60):
        await link.close()
    assert link.is_closed


async def test_a_cancelled_engine_leaves_the_link_usable(link):
    waiting = asyncio.create_task(anext(link))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    link.feed(audio())
    assert isinstance(await anext(link), CallerAudio)


async def test_a_stream_that_brings_no_audio_any_more_is_lost(monkeypatch):
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.05)

    async def send(_message) -> None:
        return None

    link = ExotelLink(send, stream_sid="s", sample_rate_hz=8000, chunk_bytes=3200)
    events = aiter(link)
    frame = json.dumps({"event": "media", "media": {"payload": base64.b64encode(bytes(320)).decode()}})
    for _ in range(4):
        assert link.feed(frame)
        assert isinstance(await anext(events), CallerAudio)
        await asyncio.sleep(0.02)
    assert await asyncio.wait_for(anext(events), 60) == LinkEnded("lost")


async def test_audio_goes_straight_to_whoever_takes_it_and_everything_else_is_iterated(link):
    link.feed(audio(b"\x01\x00" * 160))
    taken: list[bytes] = []
    link.give_audio_to(lambda chunk: taken.append(chunk.pcm))
    link.feed(audio(b"\x02\x00" * 160))  # waits behind the first: frames keep their order
    events = aiter(link)
    first, second = [await anext(events) for _ in range(2)]
    assert [event.chunk.pcm[0] for event in (first, second)] == [1, 2]
    link.feed(audio(b"\x03\x00" * 160))
    assert [pcm[0] for pcm in taken] == [3]
    link.feed('{"event":"dtmf","dtmf":{"digit":"5"}}')
    link.lost(1000)
    assert [event async for event in events] == [DtmfPressed("5"), LinkEnded("caller-hangup")]
    assert link.received_frames == 3


async def test_a_bug_in_whoever_takes_the_audio_is_raised_to_the_engine_and_not_to_the_socket(link):
    def fail(_chunk: object) -> None:
        raise ZeroDivisionError

    link.give_audio_to(fail)
    assert link.feed(audio())
    with pytest.raises(ZeroDivisionError):
        await anext(aiter(link))
    assert link.feed(audio())
    link.lost(1006)
