"""What Exotel plays to the caller: a queue of the media messages received, played by the clock, with every broken rule noted.

Sans I/O: facts go in, decisions come out. The owner asks for one frame every 20 ms; nothing here knows a socket or a clock.
"""

import base64
import binascii
from collections import deque
from dataclasses import dataclass

UNIT_BYTES = 320
LEAST_BYTES = 3_200
MOST_BYTES = 100_000
STALE_WINDOW_MS = 500
GAP_FRAMES = 10
"""A hollow of up to 200 ms between two pieces of audio is choppiness; a longer one is a pause between utterances."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule of Exotel's that the other side broke. `detail` holds sizes and times only, never content."""

    rule: str
    at_ms: int
    detail: str


@dataclass(slots=True)
class _Message:
    pcm: bytes
    offset: int = 0


@dataclass(frozen=True, slots=True)
class _Mark:
    name: str


class Playback:
    """The queue of one stream. Times are ms since the stream's start, as the owner counts them."""

    def __init__(self, sample_rate_hz: int, *, max_ahead_ms: int = 2_000, echo_marks_on_clear: bool = False) -> None:
        self.frame_bytes = sample_rate_hz * 2 * 20 // 1_000
        self._bytes_per_ms = sample_rate_hz * 2 / 1_000
        self._max_ahead_ms = max_ahead_ms
        self._echo_marks_on_clear = echo_marks_on_clear
        self._playing: _Message | None = None
        self._waiting: deque[_Message | _Mark] = deque()
        self._queued_bytes = 0
        self._was_ahead = False
        self._cleared_at_ms: int | None = None
        self._idle_frames = 0
        self.gaps = 0
        self.breaches: list[Breach] = []
        self.due_marks: list[str] = []
        self.received_bytes = 0
        self.played_bytes = 0
        self.dropped_bytes = 0
        self.first_audio_ms: int | None = None

    @property
    def queued_ms(self) -> float:
        """Audio received and not yet played."""
        return self._queued_bytes / self._bytes_per_ms

    @property
    def is_idle(self) -> bool:
        return self._playing is None and not self._waiting

    def media(self, payload: object, at_ms: int, *, caller_speaking: bool = False) -> None:
        """Takes the base64 payload of one media message."""
        if not isinstance(payload, str):
            self._breach("no_payload", at_ms, "a media message without media.payload as text")
            return
        try:
            pcm = base64.b64decode(payload, validate=True)
        except (binascii.Error, ValueError):
            self._breach("bad_base64", at_ms, f"{len(payload)} characters that are not base64")
            return
        if not pcm:
            self._breach("undersized", at_ms, "0 bytes")
            return
        self._judge(len(pcm), at_ms)
        if self._cleared_at_ms is not None and caller_speaking and at_ms - self._cleared_at_ms <= STALE_WINDOW_MS:
            self._breach(
                "audio_after_clear", at_ms, f"{len(pcm)} bytes {at_ms - self._cleared_at_ms} ms after clear while the caller speaks"
            )
        if self.first_audio_ms is None:
            self.first_audio_ms = at_ms
        pcm = pcm[: len(pcm) & ~1]
        self.received_bytes += len(pcm)
        self._queued_bytes += len(pcm)
        self._waiting.append(_Message(pcm))
        is_ahead = self.queued_ms > self._max_ahead_ms
        if is_ahead and not self._was_ahead:
            self._breach("too_far_ahead", at_ms, f"{self.queued_ms:.0f} ms queued, at most {self._max_ahead_ms} ms")
        self._was_ahead = is_ahead

    def _judge(self, size: int, at_ms: int) -> None:
        if size % 2:
            self._breach("odd_bytes", at_ms, f"{size} bytes are not whole 16-bit samples")
        if size % UNIT_BYTES:
            self._breach("unaligned", at_ms, f"{size} bytes, not a multiple of {UNIT_BYTES}: the tail costs a gap")
        if size < LEAST_BYTES:
            self._breach("undersized", at_ms, f"{size} bytes, at least {LEAST_BYTES}")
        if size > MOST_BYTES:
            self._breach("oversized", at_ms, f"{size} bytes, at most {MOST_BYTES}")

    def mark(self, name: str) -> None:
        """Echoed (see `due_marks`) once everything that was received before it has been played."""
        self._waiting.append(_Mark(name))

    def clear(self, at_ms: int) -> int:
        """Drops what waits; the message that is being played plays to its end. Answers how many ms were dropped."""
        dropped = 0
        for entry in self._waiting:
            if isinstance(entry, _Message):
                dropped += len(entry.pcm)
            elif self._echo_marks_on_clear:
                self.due_marks.append(entry.name)
        self._waiting.clear()
        self._queued_bytes -= dropped
        self.dropped_bytes += dropped
        self._cleared_at_ms = at_ms
        return int(dropped / self._bytes_per_ms)

    def next_frame(self) -> bytes | None:
        """The 20 ms that begin to play now; None: nothing to play.

        A message of whole 320-byte units runs on into the next one; the short tail of any other is followed by silence to the frame's end.
        """
        self._release_marks()
        message = self._playing or self._pick_up()
        if message is None:
            self._idle_frames += 1
            return None
        self._count_gap()
        frame = self._take(message, self.frame_bytes)
        while len(frame) < self.frame_bytes and len(message.pcm) % UNIT_BYTES == 0:
            self._release_marks()
            following = self._pick_up()
            if following is None:
                break
            message = following
            frame += self._take(message, self.frame_bytes - len(frame))
        return frame + bytes(self.frame_bytes - len(frame))

    def _take(self, message: _Message, size_bytes: int) -> bytes:
        taken = message.pcm[message.offset : message.offset + size_bytes]
        message.offset += size_bytes
        self._queued_bytes -= len(taken)
        self.played_bytes += len(taken)
        self._playing = message if message.offset < len(message.pcm) else None
        return taken

    def _count_gap(self) -> None:
        if self.played_bytes and 0 < self._idle_frames <= GAP_FRAMES:
            self.gaps += 1
        self._idle_frames = 0

    def _pick_up(self) -> _Message | None:
        head = self._waiting.popleft() if self._waiting else None
        return head if isinstance(head, _Message) else None

    def _release_marks(self) -> None:
        while self._playing is None and self._waiting:
            head = self._waiting[0]
            if not isinstance(head, _Mark):
                return
            self._waiting.popleft()
            self.due_marks.append(head.name)

    def take_due_marks(self) -> list[str]:
        """The marks to echo now, in order; each is handed out once. To be asked before `next_frame`: then what came before has sounded."""
        self._release_marks()
        due, self.due_marks = self.due_marks, []
        return due

    def _breach(self, rule: str, at_ms: int, detail: str) -> None:
        self.breaches.append(Breach(rule, at_ms, detail))
