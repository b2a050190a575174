"""Which providers there are. The only place that names a vendor; its module is imported on first use.

A provider is added by one line here and one folder beside it.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, Literal, cast, overload

from engine.ports import LanguageModel, SpeechToText, TextToSpeech
from providers.completion import Completer
from providers.config import LanguageModelOptions, ProviderConfig, SpeechToTextOptions, TranscriptionOptions, Voice
from providers.transcription import Transcriber

Kind = Literal["stt", "llm", "tts", "transcription", "completion"]
Options = LanguageModelOptions | SpeechToTextOptions | TranscriptionOptions | Voice

_PROVIDERS: Final[dict[tuple[Kind, str], str]] = {
    ("stt", "deepgram"): "providers.deepgram.live.DeepgramSpeechToText",
    ("llm", "openai"): "providers.openai.llm.OpenAILanguageModel",
    ("llm", "openai-responses"): "providers.openai.responses.OpenAIResponsesLanguageModel",
    ("tts", "deepgram"): "providers.deepgram.tts.DeepgramTextToSpeech",
    ("tts", "openai"): "providers.openai.tts.OpenAITextToSpeech",
    ("tts", "elevenlabs"): "providers.elevenlabs.tts.ElevenLabsTextToSpeech",
    ("tts", "elevenlabs-live"): "providers.elevenlabs.live.ElevenLabsLiveTextToSpeech",
    ("transcription", "deepgram"): "providers.deepgram.batch.DeepgramTranscriber",
    ("completion", "openai"): "providers.openai.batch.OpenAICompleter",
}


class UnknownProvider(LookupError):
    """No provider of that kind has that name; the message lists the ones that exist."""


def names(kind: Kind) -> tuple[str, ...]:
    """The providers of one kind, sorted: choices for forms and checks."""
    return tuple(sorted(name for other, name in _PROVIDERS if other == kind))


def load(*kinds: Kind) -> None:
    """Imports every provider of these kinds now. Takes about a second: never on a loop that carries calls."""
    for (kind, _name), path in _PROVIDERS.items():
        if kind in kinds:
            import_module(path.rpartition(".")[0])


@overload
def build(kind: Literal["stt"], name: str, config: ProviderConfig, options: SpeechToTextOptions) -> SpeechToText: ...
@overload
def build(kind: Literal["llm"], name: str, config: ProviderConfig, options: LanguageModelOptions) -> LanguageModel: ...
@overload
def build(kind: Literal["tts"], name: str, config: ProviderConfig, options: Voice) -> TextToSpeech: ...
@overload
def build(kind: Literal["transcription"], name: str, config: ProviderConfig, options: TranscriptionOptions) -> Transcriber: ...
@overload
def build(kind: Literal["completion"], name: str, config: ProviderConfig, options: LanguageModelOptions) -> Completer: ...
def build(kind: Kind, name: str, config: ProviderConfig, options: Options) -> Any:
    """The port of `kind` that the provider `name` implements. Opens no connection. Raises `UnknownProvider`."""
    try:
        path = _PROVIDERS[kind, name]
    except KeyError:
        there_are = ", ".join(names(kind)) or "none at all"
        raise UnknownProvider(f"there is no {kind} provider {name!r}; there are: {there_are}") from None
    module, _, attribute = path.rpartition(".")
    make = cast(Callable[[ProviderConfig, Options], Any], getattr(import_module(module), attribute))
    return make(config, options)
