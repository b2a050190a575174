"""The voice of a rehearsal's caller: one of those that the agent's own providers have, and not the agent's where another can be had.

A line is spoken whole before any of it is said: who plays a caller must not stutter because a vendor does.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Final

from agents import assembly, catalogue
from agents.spec import AgentSpec, VoiceSpec
from calls.rehearsing.lines import LINE_RATE_HZ
from calls.rehearsing.people import PURPOSE, Paid, unpaid
from engine.errors import ErrorCategory, ProviderError
from engine.ports import TextToSpeech
from engine.resample import Resampler
from engine.speech import for_voice
from providers import registry
from providers.connection import LoopClients

SPEECH_LIMIT_S: Final = 20.0
MOST_CHARACTERS: Final = 600
_OPENAI_MODEL: Final = "gpt-4o-mini-tts"
_OPENAI_VOICES: Final = ("ash", "coral")
_AURA: Final = "aura-2"


def shortened(text: str) -> str:
    """What is spoken of a line: all of it, or as many whole words as nobody interrupts."""
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS].rpartition(" ")[0] or text[:MOST_CHARACTERS]


class Voice:
    """Speaks a caller's lines. `paid` frames each request, and is told what it used."""

    def __init__(self, port: TextToSpeech, paid: Paid = unpaid) -> None:
        self._port = port
        self._paid = paid

    def spoken(self, text: str) -> bytes:
        """PCM at the line's rate; empty if nothing in it can be spoken. Raises `ProviderError`, also for words without sound."""
        words = for_voice(shortened(text))
        if not words:
            return b""
        for last in (False, True):
            try:
                with self._paid(self._port.provider) as used:
                    audio = asyncio.run(_spoken(self._port, words))
                    used([replace(record, purpose=PURPOSE) for record in self._port.usage(words)])
                return audio
            except ProviderError as error:
                if last or not error.retryable:
                    raise
        raise AssertionError  # the loop returns or raises


async def _spoken(port: TextToSpeech, words: str) -> bytes:
    resampler = Resampler(port.sample_rate_hz, LINE_RATE_HZ)
    audio = b""
    try:
        async with asyncio.timeout(SPEECH_LIMIT_S), port.speak(words) as chunks:
            async for chunk in chunks:
                audio += resampler.convert(chunk.pcm)
    except TimeoutError:
        message = "did not finish speaking the caller's line in time"
        raise ProviderError(port.provider, ErrorCategory.TIMEOUT, message, retryable=True) from None
    finally:
        await LoopClients.close_everywhere()
    audio += resampler.flush()
    if not audio:
        raise ProviderError(port.provider, ErrorCategory.TRUNCATED, "gave no sound for the caller's line", retryable=True)
    return audio


def caller_voice(spec: AgentSpec, language: str, paid: Paid = unpaid, *, today: date) -> Voice:
    """The first voice that can speak here and is not the agent's; else the agent's own. `language`: what the caller speaks.

    Raises `NotReady` if not even that can speak.
    """
    for voice in (*others(spec, language, today=today), spec.voice):
        try:
            # The vendor's plain way: what keeps connections warm for conversations has no use for one line now and then.
            plain = catalogue.vendor(voice.provider)
            voice = replace(voice, provider=plain if plain in registry.names("tts") else voice.provider)
            return Voice(assembly.own_voice(replace(spec, voice=voice, language=language)), paid)
        except assembly.NotReady:
            continue
    return Voice(assembly.own_voice(spec), paid)  # raises, in words


def others(spec: AgentSpec, language: str, *, today: date) -> Iterator[VoiceSpec]:
    """Voices that are not the agent's, of the providers it uses, the likeliest first. Pure."""
    own = spec.voice.voice_id
    for one in spec.fallbacks.tts:
        if one.voice_id not in ("", own) and catalogue.voice_knows(one.model, language):
            yield VoiceSpec(one.provider, one.voice_id, one.model)
    vendors = [catalogue.vendor(name) for name in (spec.voice.provider, spec.stt.provider, spec.llm.provider)]
    for vendor in dict.fromkeys(vendors):
        if vendor == "deepgram" and catalogue.voice_knows(_AURA + "-", language):
            yield from (VoiceSpec(vendor, name, _AURA) for name in catalogue.DEEPGRAM_VOICES if name not in (own, spec.voice.model))
        elif vendor == "openai":
            model = spec.voice.model if catalogue.vendor(spec.voice.provider) == vendor else _OPENAI_MODEL
            end = catalogue.retirement(model)
            if end is None or end.on is None or today < end.on:
                yield from (VoiceSpec(vendor, name, model) for name in _OPENAI_VOICES if name != own)
