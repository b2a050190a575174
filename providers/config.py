"""What a provider has to be told: where it is, with which key, and how it should speak, think or listen.

Frozen values only, built by whoever reads settings and rows. A secret never shows in a `repr`; nothing here is a default model.
"""

from dataclasses import dataclass, field

# --- where a party is, and the key it accepts -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenAIConfig:
    """`base_url` includes `/v1`. Any service that speaks the same protocol will do."""

    api_key: str = field(repr=False)
    base_url: str


@dataclass(frozen=True, slots=True)
class DeepgramConfig:
    """`base_url` is the http root, without `/v1`; the WebSocket root follows from it."""

    api_key: str = field(repr=False)
    base_url: str

    @property
    def websocket_url(self) -> str:
        return _websocket_url(self.base_url)


@dataclass(frozen=True, slots=True)
class ElevenLabsConfig:
    """`base_url` is the http root, without `/v1`; the WebSocket root follows from it."""

    api_key: str = field(repr=False)
    base_url: str

    @property
    def websocket_url(self) -> str:
        return _websocket_url(self.base_url)


def _websocket_url(base_url: str) -> str:
    scheme, separator, rest = base_url.rstrip("/").partition("://")
    return f"{'ws' if scheme == 'http' else 'wss'}{separator}{rest}"


@dataclass(frozen=True, slots=True)
class StorageConfig:
    """An S3 bucket. `endpoint_url` empty means AWS itself; else any S3 service, addressed by path.

    `public_endpoint_url` is where a browser reaches the same service, if that is not `endpoint_url`: presigned links use it.
    `kms_key_id`: objects are encrypted by the service with this key of AWS KMS; empty leaves it to the bucket's own default.
    """

    bucket: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    region: str = "us-east-1"
    endpoint_url: str = ""
    public_endpoint_url: str = ""
    max_attempts: int = 3
    kms_key_id: str = ""


ProviderConfig = OpenAIConfig | DeepgramConfig | ElevenLabsConfig | StorageConfig

# --- how it should work for one agent ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks. `speed` 1.0 is the voice's own pace. `language` (as in "en", "hi") is told where the model takes it.

    `sample_rate_hz` 0 lets the provider choose: 8 kHz where it can, else its only rate.
    """

    provider: str
    voice_id: str
    model: str
    speed: float = 1.0
    language: str = ""
    sample_rate_hz: int = 0


@dataclass(frozen=True, slots=True)
class LanguageModelOptions:
    """Which model thinks, and how. None leaves the provider's own default; a `temperature` of 0 is a value.

    `reasoning_effort` empty lets the provider's room decide: "none" for models that otherwise think before they talk.
    """

    provider: str
    model: str
    temperature: float | None = None
    max_tokens: int | None = None
    reasoning_effort: str = ""


@dataclass(frozen=True, slots=True)
class SpeechToTextOptions:
    """Which model listens. `endpointing_ms`: the pause after which it calls a turn finished. `utterance_end_ms`: the gap
    between words after which it says so even in noise; at least 1000. `keyterms`: names it should expect to hear.

    The last three are for models that hear turns themselves (and ignore the two pauses): how sure they must be that a turn is over, or
    probably over (0: never say so), and the silence after which it is over whatever they think.
    """

    provider: str
    model: str
    language: str = "en"
    endpointing_ms: int = 300
    utterance_end_ms: int = 1000
    keyterms: tuple[str, ...] = ()
    end_of_turn_confidence: float = 0.7
    eager_confidence: float = 0.4
    end_of_turn_timeout_ms: int = 3_000


@dataclass(frozen=True, slots=True)
class TranscriptionOptions:
    """Which model transcribes a finished recording. `language` empty lets it find out."""

    provider: str
    model: str
    language: str = ""
