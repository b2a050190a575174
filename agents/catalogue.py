"""What is known about the vendors' models: when they are shut down, whose they are, which languages they know, how fast they talk.

Facts with their source and the day they were read, no rules: `agents.validation` decides what follows from them. A model that is not
listed is not judged, so a new model works on the day it appears. Never a source of defaults.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final


@dataclass(frozen=True, slots=True)
class Retirement:
    """`on` is the day from which the provider refuses the model; None if it is being replaced and no day is named."""

    on: date | None
    use: str


_GPT_2026_10 = Retirement(date(2026, 10, 23), "gpt-6-luna")
_GPT_2026_12 = Retirement(date(2026, 12, 11), "gpt-6-luna")
_GPT_2027_01 = Retirement(date(2027, 1, 14), "gpt-6-luna")
_SPEECH_2027_01 = Retirement(date(2027, 1, 6), "ElevenLabs with eleven_flash_v2_5")
_TURBO = Retirement(None, "eleven_flash_v2_5")

# developers.openai.com/api/docs/deprecations and the model list of openai-python 3.54.0; ElevenLabs: Retell's notice of 2026-07-12.
# All read 2026-11-22. A dated snapshot (gpt-4o-2024-08-06) shares the fate of its family.
_RETIREMENTS: Final[dict[str, Retirement]] = {
    "gpt-3.5-turbo": _GPT_2026_10,
    "gpt-4-turbo": _GPT_2026_10,
    "gpt-4.1-nano": _GPT_2026_10,
    "o4-mini": _GPT_2026_10,
    "gpt-5": _GPT_2026_12,
    "gpt-5-mini": _GPT_2026_12,
    "gpt-5-nano": _GPT_2026_12,
    "o3": _GPT_2026_12,
    "gpt-4o": _GPT_2027_01,
    "gpt-4o-mini": _GPT_2027_01,
    "gpt-4.1": _GPT_2027_01,
    "gpt-4.1-mini": _GPT_2027_01,
    "tts-1": _SPEECH_2027_01,
    "tts-1-hd": _SPEECH_2027_01,
    "gpt-4o-mini-tts": _SPEECH_2027_01,
    "eleven_turbo_v2": _TURBO,
    "eleven_turbo_v2_5": _TURBO,
}
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{4}|preview|latest)$")


def retirement(model: str) -> Retirement | None:
    """What is known about the end of a model or of the family it is a snapshot of; None if nothing is."""
    name = model.strip().lower()
    while name not in _RETIREMENTS and _SNAPSHOT.search(name):
        name = _SNAPSHOT.sub("", name)
    return _RETIREMENTS.get(name)


# The first match names the provider that alone offers such a model for that kind of work. Self-hosted services speak OpenAI's protocol
# under any name, so a name that matches nothing fits everybody.
_OWNERS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "tts": (("eleven_", "elevenlabs"), ("tts-", "openai"), ("gpt-", "openai"), ("aura-", "deepgram")),
    "llm": (("gpt-", "openai"), ("chatgpt-", "openai"), ("claude-", "anthropic"), ("gemini-", "google")),
    "stt": (("nova", "deepgram"), ("flux-", "deepgram"), ("whisper-1", "openai"), ("gpt-", "openai"), ("scribe_", "elevenlabs")),
}


def owner(kind: str, model: str) -> str:
    """The only provider that offers `model` for this kind of work (tts, llm, stt), or empty if that is not known."""
    return next((name for prefix, name in _OWNERS[kind] if model.startswith(prefix)), "")


# Models that do another kind of work than the one they may be typed in for.
_WRONG_WORK: Final[dict[str, re.Pattern[str]]] = {
    "tts": re.compile(r"^(nova-\d|flux-general|whisper|scribe_|gpt-(?!.*(tts|audio)))"),
    "llm": re.compile(r"(^|-)(tts|transcribe|realtime|whisper|embedding|dall-e|moderation)(-|$)|^(nova-\d|eleven_|flux-)"),
    "stt": re.compile(r"^(eleven_|aura-|tts-|gpt-(?!.*transcribe))"),
}


def vendor(provider: str) -> str:
    """Whose models and voices a provider has: `openai-responses` and `openai` are two ways to the same ones."""
    return provider.partition("-")[0]


def does_other_work(kind: str, model: str) -> bool:
    """Whether the model is known to do something else than `kind` (tts, llm, stt)."""
    return _WRONG_WORK[kind].search(model) is not None


# developers.deepgram.com/docs/models-languages-overview, read 2026-11-22. Nova-2's mixed mode is Spanish and English.
_ENGLISH_ONLY_STT = re.compile(
    r"^flux-general-en$|^nova-3-medical|^nova-2-(meeting|phonecall|finance|conversationalai|voicemail|video|medical|drivethru|automotive|atc)$"
)
_HINDI_STT = re.compile(r"^(nova-3|nova-3-general|nova-2|nova-2-general)$")


def stt_knows(model: str, language: str) -> bool:
    """Whether a speech-to-text model understands `language` (en-IN, hi, multi). A model that is not known is believed."""
    if _ENGLISH_ONLY_STT.search(model):
        return language.startswith("en")
    if _HINDI_STT.search(model) and model.startswith("nova-2"):
        return language != "multi"
    return True


# elevenlabs.io/docs/overview/models and help.elevenlabs.io article 19954594946705, read 2026-11-22.
_ENGLISH_ONLY_VOICES = frozenset({"eleven_flash_v2", "eleven_turbo_v2", "eleven_monolingual_v1"})


def voice_knows(model: str, language: str) -> bool:
    """Deepgram's Aura has no Hindi (developers.deepgram.com/docs/tts-models, read 2026-11-22)."""
    return language.startswith("en") or not (model in _ENGLISH_ONLY_VOICES or model.startswith("aura-"))


# elevenlabs.io/docs (voice settings: speed) and platform.openai.com/docs/api-reference/audio/createSpeech, read 2026-11-22.
_SPEEDS: Final[dict[str, tuple[float, float]]] = {"elevenlabs": (0.7, 1.2), "openai": (0.25, 4.0), "deepgram": (0.7, 1.5)}
ANY_SPEED = (0.25, 4.0)


def speed_range(voice_provider: str) -> tuple[float, float]:
    """The slowest and the fastest pace the provider accepts, 1.0 being the voice's own."""
    return _SPEEDS.get(vendor(voice_provider), ANY_SPEED)


OPENAI_VOICES: Final = frozenset(
    {"alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse"}
)
# developers.deepgram.com/docs/tts-models (Aura-2's featured voices; English), as known on 2026-11-23.
DEEPGRAM_VOICES: Final = ("aura-2-apollo-en", "aura-2-thalia-en", "aura-2-arcas-en", "aura-2-helena-en")
_ELEVENLABS_VOICE_ID = re.compile(r"[A-Za-z0-9]{20}")


def voice_owner(voice_id: str) -> str:
    """The provider whose voice this evidently is, or empty."""
    if voice_id in OPENAI_VOICES:
        return "openai"
    if _ELEVENLABS_VOICE_ID.fullmatch(voice_id) and re.search(r"\d", voice_id) and re.search(r"[A-Z]", voice_id):
        return "elevenlabs"
    return ""


# What forms offer; any other model may be typed in. Living models of the sources above.
SUGGESTED: Final[dict[str, tuple[str, ...]]] = {
    "tts": ("eleven_flash_v2_5", "eleven_multilingual_v2", "gpt-4o-mini-tts", "aura-2-thalia-en"),
    "llm": ("gpt-6-luna", "gpt-6.1-terra", "gpt-6.1-sol", "gpt-5.6-luna"),
    "stt": ("nova-3", "flux-general-en", "flux-general-multi", "nova-2", "nova-2-phonecall"),
}
