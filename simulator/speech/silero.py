"""Finds human speech with Silero's network, run straight on onnxruntime: one frame of 32 ms at a time, about 70 µs each."""

from functools import lru_cache
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from simulator.speech import SpeechOffset, SpeechOnset
from simulator.speech.files import model_file

_FRAME_MS = 32
_ONSET, _OFFSET = 0.5, 0.35
_SURE = 0.8
_QUIET_LEAST_MS = 160  # the pauses inside a word are shorter
_FORGET_AFTER_MS = 2_000

Floats = NDArray[np.float32]


@lru_cache(maxsize=1)
def session() -> Any:
    """The network; it holds no state, so every stream of the process shares it."""
    runtime: Any = onnxruntime
    options = runtime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    path = str(model_file("silero_vad", "data", "silero_vad.onnx"))
    return runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class SileroDetector:
    """One stream at 8, 16, 24, 32 or 48 kHz. An onset is told after two frames, or one that leaves no doubt."""

    def __init__(self, sample_rate_hz: int, quiet_ms: int) -> None:
        self._rate = 16_000 if sample_rate_hz % 16_000 == 0 else 8_000
        self._thin, odd = divmod(sample_rate_hz, self._rate)
        if odd:
            raise ValueError(f"speech is detected at multiples of 8 kHz, not at {sample_rate_hz} Hz")
        self._frame = self._rate * _FRAME_MS // 1000
        self._quiet_ms = max(quiet_ms, _QUIET_LEAST_MS)
        self._rest = b""
        self._at_ms = 0
        self._run = 0
        self._voiced_ms = 0
        self._speaking = False
        self._session = session()
        self._memory: Floats = _fresh_memory()
        self._context: Floats = np.zeros(self._rate * 4 // 1000, np.float32)

    def feed(self, pcm: bytes) -> list[SpeechOnset | SpeechOffset]:
        pcm = self._rest + pcm
        step_bytes = 2 * self._frame * self._thin
        used = len(pcm) // step_bytes * step_bytes
        self._rest = pcm[used:]
        sound: Floats = np.frombuffer(pcm, "<i2", used // 2).astype(np.float32) / np.float32(32_768)
        if self._thin > 1:
            sound = sound.reshape(-1, self._thin).mean(axis=1)
        found: list[SpeechOnset | SpeechOffset] = []
        for frame in sound.reshape(-1, self._frame):
            self._at_ms += _FRAME_MS
            found.extend(self._decide(self._likeliness(frame)))
        return found

    def _likeliness(self, frame: Floats) -> float:
        heard = np.concatenate([self._context, frame])[None, :]
        self._context = frame[-len(self._context) :]
        likely, self._memory = self._session.run(None, {"input": heard, "state": self._memory, "sr": np.array(self._rate, np.int64)})
        return float(likely[0, 0])

    def _decide(self, likely: float) -> list[SpeechOnset | SpeechOffset]:
        if likely >= _ONSET or (self._speaking and likely >= _OFFSET):
            self._run += 1
            self._voiced_ms = self._at_ms
            if not self._speaking and (self._run >= 2 or likely >= _SURE):
                self._speaking = True
                return [SpeechOnset(self._at_ms - self._run * _FRAME_MS)]
            return []
        self._run = 0
        quiet_ms = self._at_ms - self._voiced_ms
        if self._speaking and quiet_ms >= self._quiet_ms:
            self._speaking = False
            return [SpeechOffset(self._voiced_ms)]
        if not self._speaking and quiet_ms % _FORGET_AFTER_MS < _FRAME_MS:
            self._memory = _fresh_memory()
        return []


def _fresh_memory() -> Floats:
    return np.zeros((2, 1, 128), np.float32)
