"""The short way of the carrier's audio: real sockets, raw bytes cut wherever the network may cut them."""

import asyncio
import base64
import os
import random
import socket
import struct

import pytest
from websockets.speedups import apply_mask

from telephony.fast_socket import DIRECT, frame_bounds
from tests.telephony.servers import eventually, serving


def frame(payload: bytes, *, opcode: int = 1, final: bool = True, masked: bool = True) -> bytes:
    head = bytes([(0x80 if final else 0) | opcode])
    flag = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([flag | len(payload)])
    elif len(payload) < 65_536:
        head += bytes([flag | 126]) + struct.pack("!H", len(payload))
    else:
        head += bytes([flag | 127]) + struct.pack("!Q", len(payload))
    mask = os.urandom(4)
    return head + mask + apply_mask(payload, mask) if masked else head + payload


class Application:
    """Asks for the direct way once `after` texts came through the general one; keeps both in order of arrival."""

    def __init__(self, *, after: int = 1, wants: int = 1_000_000) -> None:
        self.after = after
        self.wants = wants
        self.direct: list[bytes] = []
        self.general: list[str] = []
        self.ended: int | None = None

    def take(self, payload: bytes) -> bool:
        if len(self.direct) >= self.wants:
            return False
        self.direct.append(payload)
        return True

    async def __call__(self, scope, receive, send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self.ended = message["code"]
                return
            self.general.append(message.get("text") or message.get("bytes", b"").decode())
            if len(self.general) == self.after:
                await asyncio.sleep(0.02)  # more arrives meanwhile: it must not be overtaken
                scope["extensions"][DIRECT](self.take)


def opened(port: int) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), timeout=5)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    line.sendall(
        f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += line.recv(1)
    assert answer.startswith(b"HTTP/1.1 101")
    return line


@pytest.mark.parametrize("seed", range(4))
def test_every_text_arrives_whole_and_in_order_however_the_network_cuts_it(seed):
    application, dice = Application(), random.Random(seed)
    texts = [("x" * dice.choice((0, 5, 125, 126, 700, 40_000)) + str(number)).encode() for number in range(60)]
    stream = b"".join(frame(text) for text in texts) + frame(struct.pack("!H", 1000), opcode=8)
    with serving(application) as port, opened(port) as line:
        while stream:
            size = dice.choice((1, 2, 3, 50, 900, 70_000))
            line.sendall(stream[:size])
            stream = stream[size:]
        assert eventually(lambda: application.ended) == 1000
    assert [text.encode() for text in application.general] + application.direct == texts
    assert len(application.direct) > len(texts) / 2


def test_pings_fragments_and_binary_take_the_general_way_between_direct_texts():
    application = Application()
    with serving(application) as port, opened(port) as line:
        line.sendall(frame(b"first"))
        assert eventually(lambda: application.general == ["first"])
        eventually(lambda: False, within_s=0.05)
        line.sendall(
            frame(b"one")
            + frame(b"ping", opcode=9)
            + frame(b"frag", final=False)
            + frame(b"ment", opcode=0)
            + frame(b"raw", opcode=2)
            + frame(b"two")
        )
        assert line.recv(100) == frame(b"ping", opcode=10, masked=False)
        assert eventually(lambda: application.direct == [b"one", b"two"])
        assert eventually(lambda: application.general == ["first", "fragment", "raw"])


def test_a_taker_that_wants_no_more_hands_the_rest_back():
    application = Application(wants=2)
    with serving(application) as port, opened(port) as line:
        line.sendall(b"".join(frame(text) for text in (b"start", b"one", b"two", b"three", b"four")))
        assert eventually(lambda: application.general == ["start", "three", "four"])
        assert application.direct == [b"one", b"two"]


@pytest.mark.parametrize(
    ("bytes_sent", "code"),
    [
        (frame(b"not masked", masked=False), 1002),
        (b"\xf1" + frame(b"reserved bits")[1:], 1002),
        (b"\x81\xff" + struct.pack("!Q", 1 << 40) + bytes(8), 1009),
        (frame(b"x" * 70_000), 1009),
        (frame(b"half", final=False) + frame(b"a new one inside"), 1002),
    ],
    ids=["unmasked", "reserved bits", "a tera too long", "too long", "a text inside a text"],  # the masks differ from run to run
)
def test_what_breaks_the_protocol_ends_the_socket_as_it_always_did(bytes_sent, code):
    application = Application()
    with serving(application) as port, opened(port) as line:
        line.sendall(frame(b"first"))
        assert eventually(lambda: application.general == ["first"])
        eventually(lambda: False, within_s=0.05)
        line.sendall(bytes_sent)
        assert eventually(lambda: application.ended) == code
        answer = line.recv(200)
        assert answer[0] == 0x88 and struct.unpack("!H", answer[2:4])[0] == code


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_frames_bounds_are_known_as_soon_as_its_header_is_there(size):
    whole = frame(bytes(size))
    header, end = frame_bounds(b"zz" + whole, 2)
    assert (header, end) == (len(whole) - size, 2 + len(whole))
    for cut in range(2):
        assert frame_bounds(whole[:cut], 0) == (0, -1)
