"""OpenAI's spoken audio on the wire: raw PCM at 24 kHz, a streamed WAV, or server-sent events."""

import base64
import json
from collections.abc import AsyncIterator

from simulator.answers import paced_speech
from simulator.openai_chat import tokenised
from simulator.openai_requests import SpeechRequest
from simulator.sound import wav_header
from simulator.state import SimulatorState

SAMPLE_RATE_HZ = 24_000
_AUDIO_TOKENS_PER_S = 20


async def speech_pieces(state: SimulatorState, speech: SpeechRequest) -> AsyncIterator[bytes]:
    """The body of the answer, in pieces as they are spoken."""
    sent_bytes = 0
    if speech.response_format == "wav" and not speech.as_events:
        yield wav_header(SAMPLE_RATE_HZ)
    async for piece in paced_speech(state, speech.text, SAMPLE_RATE_HZ, voice=speech.voice, speed=speech.speed):
        sent_bytes += len(piece)
        yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()}) if speech.as_events else piece
    if speech.as_events:
        heard, spoken = len(tokenised(speech.text)), sent_bytes * _AUDIO_TOKENS_PER_S // (2 * SAMPLE_RATE_HZ)
        usage = {"input_tokens": heard, "output_tokens": spoken, "total_tokens": heard + spoken}
        yield _event({"type": "speech.audio.done", "usage": usage})


def _event(payload: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"
