"""The registry builds what it lists, and nothing is imported or shown that need not be."""

import subprocess
import sys

import pytest

from engine.ports import LanguageModel, SpeechToText, TextToSpeech
from providers.config import (
    DeepgramConfig,
    ElevenLabsConfig,
    LanguageModelOptions,
    OpenAIConfig,
    ProviderConfig,
    SpeechToTextOptions,
    StorageConfig,
    TranscriptionOptions,
    Voice,
)
from providers.registry import UnknownProvider, build, names

SECRET = "secret-0123456789"
URL = "https://provider.example.test"


def vendor(name: str) -> str:
    """A name may say how a vendor is spoken to: its usage, key and price are the vendor's."""
    return name.partition("-")[0]


def test_every_listed_provider_can_be_built() -> None:
    configs: dict[str, ProviderConfig] = {
        "openai": OpenAIConfig(SECRET, URL),
        "deepgram": DeepgramConfig(SECRET, URL),
        "elevenlabs": ElevenLabsConfig(SECRET, URL),
    }
    built: list[LanguageModel | SpeechToText | TextToSpeech] = []
    built += [build("stt", name, configs[vendor(name)], SpeechToTextOptions(name, "m")) for name in names("stt")]
    built += [build("llm", name, configs[vendor(name)], LanguageModelOptions(name, "m")) for name in names("llm")]
    built += [build("tts", name, configs[vendor(name)], Voice(name, "v", "m")) for name in names("tts")]
    transcribers = [build("transcription", name, configs[vendor(name)], TranscriptionOptions(name, "m")) for name in names("transcription")]
    assert [port.provider for port in built] == [vendor(name) for kind in ("stt", "llm", "tts") for name in names(kind)]
    assert {port.model for port in (*built, *transcribers)} == {"m"}
    assert all(SECRET not in repr(port) for port in built)


def test_the_names_are_choices_in_order() -> None:
    assert names("tts") == ("deepgram", "elevenlabs", "elevenlabs-live", "openai")
    assert names("stt") == ("deepgram",)


def test_an_unknown_name_lists_the_ones_that_exist() -> None:
    with pytest.raises(UnknownProvider, match="there is no tts provider 'acme'; there are: deepgram, elevenlabs, elevenlabs-live, openai"):
        build("tts", "acme", OpenAIConfig(SECRET, URL), Voice("acme", "v", "m"))


@pytest.mark.parametrize(
    "config",
    [OpenAIConfig(SECRET, URL), DeepgramConfig(SECRET, URL), ElevenLabsConfig(SECRET, URL), StorageConfig("b", "key-id", SECRET)],
    ids=lambda config: type(config).__name__,
)
def test_a_secret_never_shows(config: object) -> None:
    assert SECRET not in repr(config)
    assert SECRET not in str(config)


def test_naming_the_choices_imports_no_sdk_and_no_django() -> None:
    heavy = ("openai", "deepgram", "httpx", "httpx2", "boto3", "django", "websockets")
    code = f"import sys; from providers.registry import names; names('tts'); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_reads_the_kinds_asked_for_and_no_other() -> None:
    program = (
        "import sys; from providers import registry; registry.load('llm', 'tts'); "
        "print(*sorted(name for name in sys.modules if name.count('.') == 2 and name.startswith('providers.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"providers.openai.llm", "providers.openai.tts", "providers.elevenlabs.tts"} <= loaded
    assert not {"providers.deepgram.live", "providers.deepgram.flux", "providers.deepgram.batch"} & loaded
