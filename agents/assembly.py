"""The composition root of a conversation: an agent's spec becomes a plan and the ports to carry it out.

The only place where settings (keys, addresses) meet rows (models, voices). Opens no connection, except to warm up.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol, runtime_checkable

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from agents import prompts
from agents.models import Agent
from agents.spec import AgentSpec, Mode
from engine.errors import ProviderError
from engine.ports import LanguageModel, SpeechToText, TextToSpeech
from engine.session import SessionParts, SessionPlan
from providers import registry
from providers.config import (
    DeepgramConfig,
    ElevenLabsConfig,
    LanguageModelOptions,
    OpenAIConfig,
    ProviderConfig,
    SpeechToTextOptions,
    TranscriptionOptions,
    Voice,
)
from providers.transcription import Transcriber

logger = structlog.get_logger()

WARM_UP_LIMIT_S = 5
WARM_UP_AGENTS = 200

_CONFIGS: Final[dict[str, Callable[[str, str], ProviderConfig]]] = {
    "openai": OpenAIConfig,
    "deepgram": DeepgramConfig,
    "elevenlabs": ElevenLabsConfig,
}


class NotReady(ImproperlyConfigured):
    """The agent cannot talk with what is configured here. The message names the variable or the field to set."""


def assemble(spec: AgentSpec) -> tuple[SessionPlan, SessionParts]:
    """What the engine needs to hold a conversation as this agent. Raises `NotReady`."""
    return plan(spec), SessionParts(stt=speech_to_text(spec), llm=language_model(spec), tts=text_to_speech(spec))


def plan(spec: AgentSpec) -> SessionPlan:
    tongue = prompts.tongue(spec.language)
    return SessionPlan(
        instructions=prompts.system_prompt(spec),
        first_message=spec.first_message.strip(),
        max_duration_ms=spec.max_duration_s * 1000,
        silence_timeout_ms=spec.silence_timeout_s * 1000,
        mode="voicemail" if spec.mode is Mode.VOICEMAIL else "live",
        apology=prompts.APOLOGY[tongue],
        goodbye=prompts.GOODBYE[tongue],
        still_there=prompts.STILL_THERE[tongue],
    )


def speech_to_text(spec: AgentSpec) -> SpeechToText:
    options = SpeechToTextOptions(spec.stt.provider, spec.stt.model, language=spec.language, endpointing_ms=spec.stt.endpointing_ms)
    return registry.build("stt", options.provider, _config(spec, "stt", options.provider), options)


def language_model(spec: AgentSpec) -> LanguageModel:
    options = LanguageModelOptions(spec.llm.provider, spec.llm.model, temperature=spec.llm.temperature, max_tokens=spec.llm.max_tokens)
    return registry.build("llm", options.provider, _config(spec, "llm", options.provider), options)


def text_to_speech(spec: AgentSpec) -> TextToSpeech:
    language = {"en": "en", "hi": "hi", "mixed": ""}[prompts.tongue(spec.language)]
    voice = Voice(spec.voice.provider, spec.voice.voice_id, spec.voice.model, speed=spec.voice.speed, language=language)
    return registry.build("tts", voice.provider, _config(spec, "tts", voice.provider), voice)


def batch_transcriber(spec: AgentSpec) -> Transcriber:
    """Who transcribes the agent's finished recordings: the provider that listens live if it can, else the first that can.

    The model is the setting TRANSCRIBE_MODEL: live models are not always offered for recordings. Raises `NotReady`.
    """
    able = registry.names("transcription")
    provider = spec.stt.provider if spec.stt.provider in able else able[0]
    options = TranscriptionOptions(provider, settings.TRANSCRIBE_MODEL, language=spec.language)
    return registry.build("transcription", provider, _config(spec, "transcription", provider), options)


_DOES = {"stt": "listens with", "llm": "thinks with", "tts": "speaks with", "transcription": "has its recordings transcribed by"}


def _config(spec: AgentSpec, kind: registry.Kind, provider: str) -> ProviderConfig:
    """Address and key of a provider, from the settings that bear its name."""
    if provider not in registry.names(kind) or provider not in _CONFIGS:
        there_are = ", ".join(registry.names(kind))
        raise NotReady(f"The agent “{spec.name}” {_DOES[kind]} {provider!r}, which this release does not know. Choose one of: {there_are}.")
    name = provider.upper()
    key = getattr(settings, f"{name}_API_KEY", "")
    if not key:
        raise NotReady(f"{name}_API_KEY is not set, but the agent “{spec.name}” {_DOES[kind]} {provider}. Set it in .env and restart.")
    return _CONFIGS[provider](key, getattr(settings, f"{name}_BASE_URL"))


@runtime_checkable
class Warmable(Protocol):
    async def warm(self) -> None: ...


async def warm() -> None:
    """Imports the providers and opens the connections of the active agents, so that the first caller does not wait for it.

    All providers: an agent made or changed tomorrow must not hold up the calls of this process while its vendor's SDK is read.
    Never raises, and waits for providers at most WARM_UP_LIMIT_S: one that is down is a warning in the log; its calls fail on their own.
    """
    try:
        await asyncio.to_thread(registry.load, "stt", "llm", "tts")
        async with asyncio.timeout(WARM_UP_LIMIT_S):
            specs = [agent.spec() async for agent in Agent.objects.filter(active=True).order_by("-updated_at")[:WARM_UP_AGENTS]]
            await asyncio.gather(*(_warm_one(name, port) for name, port in _ports_in_use(specs).items()))
    except TimeoutError:
        logger.warning("warm_up_cut_short", limit_s=WARM_UP_LIMIT_S)
    except Exception as error:  # noqa: BLE001 - a media process without its database still has to start and say so in /readyz
        logger.warning("warm_up_failed", error=type(error).__name__)


def _ports_in_use(specs: Iterable[AgentSpec]) -> dict[str, object]:
    """One port for each kind and provider that an agent uses and that is configured."""
    ports: dict[str, object] = {}
    for spec in specs:
        for kind, provider, build in (
            ("stt", spec.stt.provider, speech_to_text),
            ("llm", spec.llm.provider, language_model),
            ("tts", spec.voice.provider, text_to_speech),
        ):
            name = f"{kind}.{provider}"
            if name in ports:
                continue
            try:
                ports[name] = build(spec)
            except NotReady as error:
                logger.warning("agent_not_ready", reason=str(error))
    return ports


async def _warm_one(name: str, port: object) -> None:
    if not isinstance(port, Warmable):
        return
    try:
        await port.warm()
    except ProviderError as error:
        logger.warning("provider_not_warm", provider=name, category=error.category.value, reason=error.message)
