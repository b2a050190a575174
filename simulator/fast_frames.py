"""The server's WebSocket side: uvicorn's, with a short way for audio that clients send as whole binary frames.

A hundred callers are five thousand frames a second, and the general way of one costs more than hearing it. Every other frame, and every
frame of an application that did not ask, takes the general way in order; the protocol itself is never judged here.
"""

from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.speedups import apply_mask

DIRECT: Final = "simulator.direct"
"""The scope's extension: called with a taker of binary messages, it sends them there from now on."""

_FINAL_BINARY, _MASKED = 0x82, 0x80
_LONG = {126: 2, 127: 8}


class FastFramesProtocol(WebSocketsSansIOProtocol):
    """Cuts the stream at its frames itself once somebody took the short way, so that the general parser stands at the start of one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._taker: Callable[[bytes], None] | None = None
        self._rest = b""

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[DIRECT] = self._take_direct

    def _take_direct(self, taker: Callable[[bytes], None]) -> None:
        """For whoever asks before anything came; later than that the general way goes on."""
        if self.queue.empty() and not self.frames:
            self._taker = taker

    def data_received(self, data: bytes) -> None:
        if self._taker is None or not self.handshake_complete:
            super().data_received(data)
            return
        data, start = self._rest + data, 0
        while (bounds := frame_bounds(data, start)) is not None:
            body, end = bounds
            if data[start] == _FINAL_BINARY and end > body and not self.frames and not self.close_sent:
                self._taker(apply_mask(data[body:end], data[body - 4 : body]))
            else:
                super().data_received(data[start:end])
            start = end
        self._rest = data[start:]


def frame_bounds(data: bytes, start: int) -> tuple[int, int] | None:
    """Where the payload of the frame at `start` begins and ends; None while it is not all there. Pure."""
    if len(data) - start < 2:
        return None
    body, length = start + 2, data[start + 1] & 0x7F
    if length in _LONG:
        more = _LONG[length]
        if len(data) - body < more:
            return None
        length = int.from_bytes(data[body : body + more], "big")
        body += more
    if data[start + 1] & _MASKED:
        body += 4
    return (body, body + length) if body + length <= len(data) else None
