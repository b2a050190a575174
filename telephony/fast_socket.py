"""The media process' WebSocket server side: uvicorn's, with a short way for the carrier's audio.

A call brings 50 text messages a second, and the general way of one (a parser of generators, a queue, a task to wake, reading paused and
resumed) costs more than everything we do with it. So a whole, masked, unfragmented text frame goes straight to whoever asked for it;
every other frame takes the general way, in order. Must never judge the protocol itself: whatever is unusual is left to `websockets`.
"""

import struct
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.speedups import apply_mask

DIRECT: Final = "voiceagents.direct"
"""The scope's extension: called with a taker of text frames (False: it wants no more), it sends them there from now on."""

_FINAL_TEXT: Final = 0x81
_MASKED: Final = 0x80
_TWO_BYTES, _EIGHT_BYTES = 126, 127
_MASK_BYTES: Final = 4


class FastWebSocketProtocol(WebSocketsSansIOProtocol):
    """Splits the stream into whole frames itself, so that the general parser always stands at the start of one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._taker: Callable[[bytes], bool] | None = None
        self._rest = b""  # the beginning of a frame that is not complete
        self._is_general = False  # something came that only the general parser may judge: from here on it sees every byte

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[DIRECT] = self._take_direct

    def _take_direct(self, taker: Callable[[bytes], bool]) -> None:
        """What already waits goes first."""
        waiting = [self.queue.get_nowait() for _ in range(self.queue.qsize())]
        self._taker = taker
        for message in waiting:
            text = message.get("text")
            if self._taker is None or not isinstance(text, str) or not self._gives(text.encode()):
                self.queue.put_nowait(message)
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self.transport.resume_reading()

    def _gives(self, payload: bytes) -> bool:
        """False: the taker wants no more. The message and all that follow take the general way, where the application sees them."""
        if self._taker is not None and self._taker(payload):
            return True
        self._taker = None
        return False

    def data_received(self, data: bytes) -> None:
        if self._is_general or not self.handshake_complete:
            was_initiated = self.handshake_initiated
            super().data_received(data)
            # Whoever sends frames before our answer to the handshake leaves the parser somewhere inside one.
            self._is_general |= was_initiated or (self.handshake_initiated and not data.endswith(b"\r\n\r\n"))
            return
        if self._rest:
            data, self._rest = self._rest + data, b""
        start, size = 0, len(data)
        while start < size:
            if size - start > 4 and data[start + 1] == _MASKED | _TWO_BYTES:  # nearly all: 20 ms of audio and more, in base64
                header, end = 8, start + 8 + (data[start + 2] << 8 | data[start + 3])
            else:
                header, end = frame_bounds(data, start)
            if end > size or end < 0:
                if end - start - header > self.config.ws_max_size:
                    self._is_general = True
                    super().data_received(data[start:])
                else:
                    self._rest = data[start:]
                return
            if data[start] == _FINAL_TEXT and self._taker is not None and data[start + 1] & _MASKED and not self.frames:
                self._short_way(data, start, header, end)
            else:
                super().data_received(data[start:end])
            if self._is_general or self.transport.is_closing():
                return
            start = end

    def _short_way(self, data: bytes, start: int, header: int, end: int) -> None:
        if self.close_sent:
            return
        if end - start - header > self.config.ws_max_size:
            self._is_general = True
            super().data_received(data[start:])
            return
        body = start + header
        if not self._gives(apply_mask(data[body:end], data[body - _MASK_BYTES : body])):
            super().data_received(data[start:end])


def frame_bounds(data: bytes, start: int) -> tuple[int, int]:
    """The header's size, mask included, and where the frame that begins at `start` ends; an end of -1: too little to tell. Pure."""
    if len(data) - start < 2:
        return 0, -1
    length = data[start + 1] & 0x7F
    header = 2 + (_MASK_BYTES if data[start + 1] & _MASKED else 0)
    if length == _TWO_BYTES:
        if len(data) - start < 4:
            return 0, -1
        return header + 2, start + header + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    if length == _EIGHT_BYTES:
        if len(data) - start < 10:
            return 0, -1
        return header + 8, start + header + 8 + struct.unpack_from("!Q", data, start + 2)[0]
    return header, start + header + length
