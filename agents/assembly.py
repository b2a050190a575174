"""The composition root of a conversation: an agent's spec becomes a plan and the ports to carry it out.

The only place where settings (keys, addresses) meet rows (models, voices). Opens no connection, except to warm up.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from agents import catalogue, manners, prepared, prompts, variables, warmth
from agents.http_tools import http_tool
from agents.ledger import Ledger
from agents.models import AgentVersion
from agents.spec import AgentSpec, Mode, StandIn
from agents.tools import SecretDigits, collect_digits, hand_over, handover, rescuer, transfer_call
from agents.variables import CallFacts
from engine.keypad import Keypad
from engine.ports import LanguageModel, PreparedAudio, SpeechToText, TextToSpeech
from engine.session import SessionParts, SessionPlan
from engine.tools import Tool
from providers import operator_http, registry
from providers.completion import Completer
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
from providers.fallback import FallbackLanguageModel, FallbackSpeechToText, FallbackTextToSpeech
from providers.transcription import Transcriber

logger = structlog.get_logger()

WARM_UP_AGENTS = 200

_CONFIGS: Final[dict[str, Callable[[str, str], ProviderConfig]]] = {
    "openai": OpenAIConfig,
    "deepgram": DeepgramConfig,
    "elevenlabs": ElevenLabsConfig,
}


class NotReady(ImproperlyConfigured):
    """The agent cannot talk with what is configured here. The message names the variable or the field to set."""


@dataclass(frozen=True, slots=True)
class OnCall:
    """What assembly has to know of the call. Without a `ledger` (a rehearsal) nobody can be handed over."""

    facts: CallFacts
    session_id: str = ""
    outbound: bool = False
    ledger: Ledger | None = None


def facts_of(spec: AgentSpec, *, caller_number: str = "", customer: dict[str, str] | None = None) -> CallFacts:
    return CallFacts(spec.name, timezone.localtime(), caller_number, customer or {})


def assemble(spec: AgentSpec, call: OnCall | None = None, prepared_audio: PreparedAudio | None = None) -> tuple[SessionPlan, SessionParts]:
    """What the engine needs to hold this conversation as this agent. Raises `NotReady`."""
    call = call or OnCall(facts_of(spec))
    keypad = Keypad()
    made = plan(spec, call, tools_of(spec, call, keypad))
    ports = {"stt": speech_to_text(spec), "llm": language_model(spec), "tts": text_to_speech(spec)}
    memory = {"repeated": prepared.repeated, "voice_key": prepared.voice_key(spec)}
    asked = {"keypad": keypad if spec.collects_digits else None, "hand_over": hand_over(spec, call.ledger)}
    return made, SessionParts(**ports, **memory, **asked, prepared=prepared_audio)  # type: ignore[arg-type]  # each port under its own name


async def assemble_with_audio(spec: AgentSpec, call: OnCall, line_rate_hz: int) -> tuple[SessionPlan, SessionParts]:
    """As `assemble`, with the agent's prepared sentences in memory, if the line takes them as they are.

    While the greeting plays, connections for the first answer are opened, where none was used lately.
    """
    audio = await prepared.load(spec) if line_rate_hz == prepared.LINE_RATE_HZ else None
    plan_and_parts = assemble(spec, call, audio)
    parts = plan_and_parts[1]
    voice = (spec.voice.voice_id, spec.voice.model)
    warmth.warm_beside({("llm", spec.llm.provider): parts.llm, ("tts", spec.voice.provider, *voice): parts.tts})
    return plan_and_parts


def plan(spec: AgentSpec, call: OnCall, tools: Sequence[Tool] = ()) -> SessionPlan:
    tongue = prompts.tongue(spec.language)
    rescue = rescuer(spec) if call.ledger is not None else None
    return SessionPlan(
        instructions=prompts.system_prompt(spec, call.facts),
        first_message=variables.fill(spec.first_message, call.facts).strip(),
        max_duration_ms=spec.max_duration_s * 1000,
        silence_timeout_ms=spec.silence_timeout_s * 1000,
        mode="voicemail" if spec.mode is Mode.VOICEMAIL else "live",
        apology=prompts.APOLOGY[tongue],
        goodbye=prompts.GOODBYE[tongue],
        must_end=prompts.MUST_END[tongue],
        still_there=prompts.STILL_THERE[tongue],
        time_warning=prompts.TIME_WARNING[tongue],
        filler=prompts.FILLER[tongue],
        not_caught=prompts.NOT_CAUGHT[tongue],
        regret=prompts.REGRET[tongue],
        handover=handover(spec, rescue, call.facts) if rescue is not None else "",
        outbound=call.outbound,
        voicemail_message=variables.fill(spec.voicemail_message, call.facts).strip(),
        pronunciations=tuple((one.written, one.spoken) for one in spec.pronunciations),
        tools=tuple(tools),
        tuning=manners.tuning(spec.manners),
    )


def tools_of(spec: AgentSpec, call: OnCall, keypad: Keypad) -> list[Tool]:
    """The tools that this agent has in this call."""
    secrets = SecretDigits()
    tools = [http_tool(each, call.facts, secrets, call.ledger, call.session_id) for each in spec.tools]
    if spec.collects_digits:
        tools.append(collect_digits(keypad, secrets, call.ledger))
    if spec.destinations and call.ledger is not None:
        tools.append(transfer_call(spec, call.facts, call.ledger))
    return tools


# --- the ports, each with its stand-ins -------------------------------------------------------------------------------

P = TypeVar("P")


def _with_stand_ins(spec: AgentSpec, kind: str, first: P, stand_ins: Sequence[StandIn], build: Callable[[StandIn], P]) -> list[P]:
    """The agent's own port, then those stand-ins that can work here. One without a key is left out: the agent itself can still talk."""
    ports = [first]
    for stand_in in stand_ins:
        try:
            ports.append(build(stand_in))
        except NotReady as error:
            logger.warning("stand_in_not_ready", kind=kind, reason=str(error))
    return ports


def speech_to_text(spec: AgentSpec) -> SpeechToText:
    def build(who: StandIn) -> SpeechToText:
        told = manners.listening(spec.manners)
        options = SpeechToTextOptions(who.provider, who.model, language=spec.language, endpointing_ms=spec.stt.endpointing_ms, **told)
        return registry.build("stt", who.provider, _config(spec, "stt", who.provider), options)

    ports = _with_stand_ins(spec, "stt", build(StandIn(spec.stt.provider, spec.stt.model)), spec.fallbacks.stt, build)
    return FallbackSpeechToText(ports) if len(ports) > 1 else ports[0]


def language_model(spec: AgentSpec) -> LanguageModel:
    def build(who: StandIn) -> LanguageModel:
        options = LanguageModelOptions(who.provider, who.model, temperature=spec.llm.temperature, max_tokens=spec.llm.max_tokens)
        return registry.build("llm", who.provider, _config(spec, "llm", who.provider), options)

    ports = _with_stand_ins(spec, "llm", build(StandIn(spec.llm.provider, spec.llm.model)), spec.fallbacks.llm, build)
    return FallbackLanguageModel(ports) if len(ports) > 1 else ports[0]


def text_to_speech(spec: AgentSpec) -> TextToSpeech:
    ports = _with_stand_ins(spec, "tts", own_voice(spec), spec.fallbacks.tts, lambda who: _voice(spec, who, 1.0))
    return FallbackTextToSpeech(ports) if len(ports) > 1 else ports[0]


def own_voice(spec: AgentSpec) -> TextToSpeech:
    """The agent's voice itself, without anybody to stand in for it."""
    return _voice(spec, StandIn(spec.voice.provider, spec.voice.model, spec.voice.voice_id), spec.voice.speed)


def _voice(spec: AgentSpec, who: StandIn, speed: float) -> TextToSpeech:
    language = {"en": "en", "hi": "hi", "mixed": ""}[prompts.tongue(spec.language)]
    voice = Voice(who.provider, who.voice_id, who.model, speed=speed, language=language)
    return registry.build("tts", who.provider, _config(spec, "tts", who.provider), voice)


def transcription_provider(spec: AgentSpec) -> str:
    """Who transcribes finished recordings: the provider that listens live if it can, else the first that can."""
    able = registry.names("transcription")
    return spec.stt.provider if spec.stt.provider in able else able[0]


def batch_transcriber(spec: AgentSpec) -> Transcriber:
    """Transcribes the agent's finished recordings, by its `transcription_provider`.

    The model is the setting TRANSCRIBE_MODEL: live models are not always offered for recordings. Raises `NotReady`.
    """
    provider = transcription_provider(spec)
    options = TranscriptionOptions(provider, settings.TRANSCRIBE_MODEL, language=spec.language)
    return registry.build("transcription", provider, _config(spec, "transcription", provider), options)


# Room for a summary and what is extracted; a reply on the phone is far shorter.
ANALYSIS_MAX_TOKENS = 4_000


def batch_language_model(spec: AgentSpec) -> Completer:
    """Who reads the agent's finished calls: its own model, at its most sober, through the vendor's interface for whole answers.

    Raises `NotReady`.
    """
    vendor, able = catalogue.vendor(spec.llm.provider), registry.names("completion")
    provider = vendor if vendor in able else able[0]
    options = LanguageModelOptions(provider, spec.llm.model, temperature=0.0, max_tokens=ANALYSIS_MAX_TOKENS)
    return registry.build("completion", provider, _config(spec, "completion", provider), options)


# One sentence each for a provider that is not known, and for one whose key is missing.
_UNKNOWN = {
    "stt": _("The agent “%(agent)s” listens with %(provider)s, which this release does not know. Choose one of: %(choices)s."),
    "llm": _("The agent “%(agent)s” thinks with %(provider)s, which this release does not know. Choose one of: %(choices)s."),
    "tts": _("The agent “%(agent)s” speaks with %(provider)s, which this release does not know. Choose one of: %(choices)s."),
    "transcription": _(
        "The agent “%(agent)s” has its recordings transcribed by %(provider)s, which this release does not know. "
        "Choose one of: %(choices)s."
    ),
    "completion": _(
        "The agent “%(agent)s” has its calls read by %(provider)s, which this release does not know. Choose one of: %(choices)s."
    ),
}
_KEYLESS = {
    "stt": _("%(name)s is not set, but the agent “%(agent)s” listens with %(provider)s. Set it in .env and restart."),
    "llm": _("%(name)s is not set, but the agent “%(agent)s” thinks with %(provider)s. Set it in .env and restart."),
    "tts": _("%(name)s is not set, but the agent “%(agent)s” speaks with %(provider)s. Set it in .env and restart."),
    "transcription": _(
        "%(name)s is not set, but the agent “%(agent)s” has its recordings transcribed by %(provider)s. Set it in .env and restart."
    ),
    "completion": _("%(name)s is not set, but the agent “%(agent)s” has its calls read by %(provider)s. Set it in .env and restart."),
}


def _config(spec: AgentSpec, kind: registry.Kind, provider: str) -> ProviderConfig:
    """Address and key of a provider, from the settings that bear its vendor's name: the part before a hyphen."""
    vendor = catalogue.vendor(provider)
    if provider not in registry.names(kind) or vendor not in _CONFIGS:
        there_are = ", ".join(registry.names(kind))
        raise NotReady(_UNKNOWN[kind] % {"agent": spec.name, "provider": repr(provider), "choices": there_are})
    name = vendor.upper()
    key = getattr(settings, f"{name}_API_KEY", "")
    if not key:
        raise NotReady(_KEYLESS[kind] % {"name": f"{name}_API_KEY", "agent": spec.name, "provider": provider})
    return _CONFIGS[vendor](key, getattr(settings, f"{name}_BASE_URL"))


async def warm() -> None:
    """Imports the providers and opens the connections of the active agents, so that the first caller does not wait for it.

    All providers: an agent made or changed tomorrow must not hold up the calls of this process while its vendor's SDK is read.
    Never raises, and waits for providers a few seconds at most: one that is down is a warning in the log; its calls fail on their own.
    """
    try:
        await asyncio.to_thread(registry.load, "stt", "llm", "tts")
        async with asyncio.timeout(warmth.WARM_UP_LIMIT_S):
            specs = await _specs_in_use()
            await asyncio.gather(
                operator_http.warm(),
                *(warmth.warm_one(name, port) for name, port in _ports_in_use(specs).items()),
                *(prepared.load(spec) for spec in specs),
            )
    except TimeoutError:
        logger.warning("warm_up_cut_short", limit_s=warmth.WARM_UP_LIMIT_S)
    except Exception as error:  # noqa: BLE001 - a media process without its database still has to start and say so in /readyz
        logger.warning("warm_up_failed", error=type(error).__name__)


async def _specs_in_use() -> list[AgentSpec]:
    newest = AgentVersion.objects.filter(agent__active=True).order_by("agent_id", "-number").distinct("agent_id")
    versions = AgentVersion.objects.filter(pk__in=newest.values("pk")).order_by("-pk")[:WARM_UP_AGENTS]
    return [version.as_spec() async for version in versions]


def _ports_in_use(specs: Iterable[AgentSpec]) -> dict[str, object]:
    """One port for each kind, provider and its stand-ins that an agent uses and that is configured."""
    ports: dict[str, object] = {}
    for spec in specs:
        for kind, provider, stand_ins, build in (
            ("stt", spec.stt.provider, spec.fallbacks.stt, speech_to_text),
            ("llm", spec.llm.provider, spec.fallbacks.llm, language_model),
            ("tts", spec.voice.provider, spec.fallbacks.tts, text_to_speech),
        ):
            name = f"{kind}.{'+'.join((provider, *(one.provider for one in stand_ins)))}"
            if name in ports:
                continue
            try:
                ports[name] = build(spec)
            except NotReady as error:
                logger.warning("agent_not_ready", reason=str(error))
    return ports
