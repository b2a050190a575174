"""Speech as people would hear it: Piper speaks, Silero finds speech, Whisper hears the words. Offline, on the processor alone.

The heavy work runs in a few threads of its own, never on the event loop. What was spoken once is kept, in memory and on disk.
"""

import asyncio
import hashlib
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from simulator.sound import resampled
from simulator.speech import CALLER_VOICE, Recognition, SpeechDetector, SpeechOnset, Word
from simulator.speech.piper_voice import PiperSpeaker
from simulator.speech.silero import SileroDetector, session
from simulator.speech.whisper import SAMPLE_RATE_HZ, Whisper

_HEARING_THREADS = 2
_KEPT_BYTES = 64 * 1024 * 1024
_PIECE_MS = 200
_PAD_MS = 300  # Silero loses weak beginnings and ends
_GAP_MS = 800
_SPAN_MOST_MS = 20_000
_LOOSE_MS = 60
_SHORT_MS = 120  # shorter is a click, not a word


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch shown to Whisper, and the speech that was found in it."""

    start_ms: int
    end_ms: int
    voiced_from_ms: int
    voiced_until_ms: int

    def placed(self, word: Word) -> Word:
        """A word of this stretch in the time of the whole; Whisper lets the outer words reach into the silence around."""
        least, most = self.voiced_from_ms - _LOOSE_MS, self.voiced_until_ms + _LOOSE_MS
        start_ms = min(max(self.start_ms + word.start_ms, least), most)
        return Word(word.text, max(0, start_ms), max(start_ms, min(self.start_ms + word.end_ms, most), 0), word.confidence)


class RealSpeech:
    """The back end "real"."""

    name = "real"

    def __init__(self, cache_dir: Path | None = None) -> None:
        self._cache_dir = cache_dir
        self._speaking = ThreadPoolExecutor(1, "speaking")
        self._hearing = ThreadPoolExecutor(_HEARING_THREADS, "hearing")
        self._loading = Lock()
        self._speaker: PiperSpeaker | None = None
        self._whisper: Whisper | None = None
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    async def warm(self) -> None:
        """Loads all three networks and runs each once."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._hearing, session)
        # Past the store of what was spoken before: a sentence from there would leave the voice unloaded.
        pcm = await loop.run_in_executor(self._speaking, lambda: b"".join(self._speak("One, two, three.", 8_000, "", 1.0)))
        await self.recognise(pcm, 8_000)

    async def synthesise(self, text: str, sample_rate_hz: int, *, voice: str = "", speed: float = 1.0) -> bytes:
        return b"".join([piece async for piece in self.synthesise_stream(text, sample_rate_hz, voice=voice, speed=speed)])

    async def synthesise_stream(self, text: str, sample_rate_hz: int, *, voice: str = "", speed: float = 1.0) -> AsyncIterator[bytes]:
        if not text.strip():
            return
        voice = voice if voice == CALLER_VOICE else ""
        key = hashlib.sha256(f"1|{voice}|{sample_rate_hz}|{speed:.3f}|{text}".encode()).hexdigest()
        loop = asyncio.get_running_loop()
        known = self._kept.get(key) or await loop.run_in_executor(self._speaking, self._from_disk, key)
        if known:
            self._keep(key, known)
            for piece in _pieces(known, sample_rate_hz):
                yield piece
            return
        source = self._speak(text, sample_rate_hz, voice, speed)
        spoken: list[bytes] = []
        while (sentence := await loop.run_in_executor(self._speaking, next, source, None)) is not None:
            spoken.append(sentence)
            for piece in _pieces(sentence, sample_rate_hz):
                yield piece
        whole = b"".join(spoken)
        self._keep(key, whole)
        await loop.run_in_executor(self._speaking, self._to_disk, key, whole)

    async def recognise(self, pcm: bytes, sample_rate_hz: int) -> Recognition:
        if not pcm:
            return Recognition("", ())
        return await asyncio.get_running_loop().run_in_executor(self._hearing, self._recognise, pcm, sample_rate_hz)

    def detector(self, sample_rate_hz: int, *, quiet_ms: int = 300) -> SpeechDetector:
        return SileroDetector(sample_rate_hz, quiet_ms)

    def _speak(self, text: str, sample_rate_hz: int, voice: str, speed: float) -> Iterator[bytes]:
        if self._speaker is None:
            self._speaker = PiperSpeaker()  # only the one speaking thread comes here
        yield from self._speaker.speak(text, sample_rate_hz, voice, speed)

    def _recognise(self, pcm: bytes, sample_rate_hz: int) -> Recognition:
        with self._loading:
            if self._whisper is None:
                self._whisper = Whisper(_HEARING_THREADS)
        pcm = resampled(pcm, sample_rate_hz, SAMPLE_RATE_HZ)
        sound: NDArray[np.float32] = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32_768)
        words: list[Word] = []
        per_ms = SAMPLE_RATE_HZ // 1000
        for span in spoken_spans(pcm, SAMPLE_RATE_HZ):
            heard = self._whisper.hear(sound[span.start_ms * per_ms : span.end_ms * per_ms])
            words.extend(span.placed(word) for word in heard)
        return Recognition(" ".join(word.text for word in words), tuple(words))

    def _keep(self, key: str, pcm: bytes) -> None:
        self._kept[key] = pcm
        self._kept.move_to_end(key)
        while sum(map(len, self._kept.values())) > _KEPT_BYTES and len(self._kept) > 1:
            self._kept.popitem(last=False)

    def _from_disk(self, key: str) -> bytes:
        if self._cache_dir is not None:
            with suppress(FileNotFoundError):
                return (self._cache_dir / f"{key}.pcm").read_bytes()
        return b""

    def _to_disk(self, key: str, pcm: bytes) -> None:
        if self._cache_dir is None:
            return
        self._cache_dir.mkdir(parents=True, exist_ok=True)
        unfinished = self._cache_dir / f"{key}.{os.getpid()}.part"
        unfinished.write_bytes(pcm)
        unfinished.replace(self._cache_dir / f"{key}.pcm")


def spoken_spans(pcm: bytes, sample_rate_hz: int) -> list[Span]:
    """Where somebody speaks, none longer than 20 s; what lies between is never shown to Whisper."""
    length_ms = len(pcm) * 500 // sample_rate_hz
    spans: list[tuple[int, int]] = []
    begin: int | None = None
    for turn in SileroDetector(sample_rate_hz, _GAP_MS).feed(pcm):
        if isinstance(turn, SpeechOnset):
            begin = turn.at_ms
        elif begin is not None:
            spans.append((begin, turn.at_ms))
            begin = None
    if begin is not None:
        spans.append((begin, length_ms))
    cut: list[Span] = []
    for begin, end in spans:
        if end - begin >= _SHORT_MS:
            first, last = max(0, begin - _PAD_MS), min(length_ms, end + _PAD_MS)
            cut.extend(Span(at, min(at + _SPAN_MOST_MS, last), begin, end) for at in range(first, last, _SPAN_MOST_MS))
    return cut


def _pieces(pcm: bytes, sample_rate_hz: int) -> Iterator[bytes]:
    size = 2 * sample_rate_hz * _PIECE_MS // 1000
    for start in range(0, len(pcm), size):
        yield pcm[start : start + size]
