"""A recogniser that plays a tape: Deepgram's own messages, each at its moment of the caller's audio, read by the product's wire readers."""

import asyncio
import json
from contextlib import asynccontextmanager

from engine.usage import Unit, UsageKind, UsageRecord


class Tape:
    """`messages`: pairs of the ms of audio after which a message arrives, and the message. `wire`: makes the reader of one stream."""

    provider, model = "tape", "tape-1"

    def __init__(self, wire, messages):
        self._wire = wire
        self._messages = sorted(messages, key=lambda each: each[0])
        self.streams = []
        self.lines = []

    @asynccontextmanager
    async def stream(self, sample_rate_hz):
        stream = _TapeStream(self._wire(), list(self._messages))
        self.streams.append(stream)
        try:
            yield stream
        finally:
            stream.is_closed = True


class _TapeStream:
    fault = None

    def __init__(self, wire, messages):
        self._wire = wire
        self._messages = messages
        self._events: asyncio.Queue = asyncio.Queue()
        self._heard_ms = 0.0
        self.is_closed = False

    async def send(self, chunk):
        self._heard_ms += chunk.duration_ms
        while self._messages and self._messages[0][0] <= self._heard_ms:
            for event in self._wire.read(json.dumps(self._messages.pop(0)[1])).events:
                self._events.put_nowait(event)

    async def finish(self):
        self._events.put_nowait(None)

    async def __aiter__(self):
        while (event := await self._events.get()) is not None:
            yield event

    @property
    def usage(self):
        return [UsageRecord(UsageKind.STT, Tape.provider, Tape.model, Unit.AUDIO_MS, int(self._heard_ms), "stream-1")]


def started(at_ms):
    return {"type": "SpeechStarted", "channel": [0, 1], "timestamp": at_ms / 1000}


def _words(text, from_ms):
    return [
        {"word": word, "start": (from_ms + index * 300) / 1000, "end": (from_ms + index * 300 + 300) / 1000, "confidence": 0.98}
        for index, word in enumerate(text.split())
    ]


def results(text, until_ms, *, from_ms=4000, final=False, speech_final=False):
    """A Results message of the Nova models: the segment that began at `from_ms`, as far as `until_ms`. A word takes 300 ms."""
    words = _words(text, from_ms)
    return {
        "type": "Results",
        "channel_index": [0, 1],
        "start": from_ms / 1000,
        "duration": (until_ms - from_ms) / 1000,
        "is_final": final,
        "speech_final": speech_final,
        "channel": {"alternatives": [{"transcript": text, "confidence": 0.98, "words": words}]},
        "metadata": {"request_id": "tape"},
    }


def utterance_end(last_word_ms):
    return {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": last_word_ms / 1000}


def turn(event, text, until_ms, *, from_ms=4000, confidence=0.0):
    """A TurnInfo message of Flux: the whole turn so far."""
    words = _words(text, from_ms)
    return {
        "type": "TurnInfo",
        "event": event,
        "request_id": "tape",
        "turn_index": 0,
        "audio_window_start": from_ms / 1000,
        "audio_window_end": until_ms / 1000,
        "transcript": text,
        "words": words,
        "end_of_turn_confidence": confidence,
    }
