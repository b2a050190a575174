"""The messages that Exotel sends on the media WebSocket, as bytes of compact JSON. Sans I/O.

`media` is on the hot path (fifty a second for each call): everything around the payload is built once.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from simulator.exotel.settings import ExotelSettings


class Frames:
    """Writes one stream's messages and counts them: `connected` has no number, `start` is 1, then every message the next."""

    def __init__(self, settings: ExotelSettings, stream_sid: str, call_sid: str, sample_rate_hz: int) -> None:
        self._settings = settings
        self._stream_sid = stream_sid
        self._call_sid = call_sid
        self._sample_rate_hz = sample_rate_hz
        self._sequence = 0
        self._chunk = 0
        quote = '"' if settings.ints_as_strings else ""
        sid_key, sequence_key = self._key("stream_sid"), self._key("sequence_number")
        self._head = f'{{"event":"media","{sid_key}":"{stream_sid}","{sequence_key}":{quote}'.encode()
        self._to_chunk = f'{quote},"media":{{"chunk":{quote}'.encode()
        self._to_timestamp = f'{quote},"timestamp":"'.encode()
        self._to_payload = b'","payload":"'
        self._tail = b'"}}'
        self.frame_bytes = sample_rate_hz * 2 * settings.frame_ms // 1_000
        self._silence = base64.b64encode(bytes(self.frame_bytes))
        self._silent_frame = bytes(self.frame_bytes)

    def _key(self, snake: str) -> str:
        if not self._settings.camel_case:
            return snake
        head, *rest = snake.split("_")
        return head + "".join(word.capitalize() for word in rest)

    def _int(self, number: int) -> str | int:
        return str(number) if self._settings.ints_as_strings else number

    def _next(self) -> str | int:
        self._sequence += 1
        return self._int(self._sequence)

    def _message(self, event: str, body: Mapping[str, Any]) -> bytes:
        envelope = {"event": event, self._key("stream_sid"): self._stream_sid, self._key("sequence_number"): self._next(), event: body}
        return json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode()

    def connected(self) -> bytes:
        return b'{"event":"connected"}'

    def start(self, from_number: str, to_number: str, custom_parameters: Mapping[str, str]) -> bytes:
        """`custom_parameters` is left out where there are none, as in the captures."""
        body: dict[str, Any] = {
            self._key("stream_sid"): self._stream_sid,
            self._key("call_sid"): self._call_sid,
            self._key("account_sid"): self._settings.sid,
            "from": from_number,
            "to": to_number,
        }
        if custom_parameters:
            body[self._key("custom_parameters")] = dict(custom_parameters)
        body[self._key("media_format")] = {
            "encoding": "base64",
            self._key("sample_rate"): self._int(self._sample_rate_hz),
            self._key("bit_rate"): f"{self._sample_rate_hz * 16 // 1_000}kbps",
        }
        return self._message("start", body)

    def media(self, pcm: bytes) -> bytes:
        self._sequence += 1
        self._chunk += 1
        payload = self._silence if pcm == self._silent_frame else base64.b64encode(pcm)
        return b"".join(
            (
                self._head,
                b"%d" % self._sequence,
                self._to_chunk,
                b"%d" % self._chunk,
                self._to_timestamp,
                b"%d" % (self._chunk * self._settings.frame_ms),
                self._to_payload,
                payload,
                self._tail,
            )
        )

    def dtmf(self, digit: str) -> bytes:
        return self._message("dtmf", {"duration": "100", "digit": digit})

    def mark(self, name: str) -> bytes:
        return self._message("mark", {"name": name})

    def stop(self, reason: str) -> bytes:
        body = {self._key("call_sid"): self._call_sid, self._key("account_sid"): self._settings.sid, "reason": reason}
        return self._message("stop", body)
