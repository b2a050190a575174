"""What ElevenLabs accepts and refuses. Pure. A single error is an object under `detail`; a request of the wrong shape (422) gets a list."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_FORMAT = re.compile(r"(pcm|ulaw|alaw)_(8000|16000|22050|24000|32000|44100|48000)")
_COMPRESSED = re.compile(r"(?:mp3_(?:22050|24000|44100)_\d{2,3}|opus_48000_\d{2,3}|wav_\d{4,5})")
_DEFAULT_MODEL = "eleven_multilingual_v2"
_HALF_PRICE = ("flash", "turbo")
_ONE_LANGUAGE = ("eleven_flash_v2", "eleven_turbo_v2")
_LANGUAGE_OBEYED = ("eleven_flash_v2_5", "eleven_turbo_v2_5", "eleven_v3")
_RANGES = {"stability": (0.0, 1.0), "similarity_boost": (0.0, 1.0), "style": (0.0, 1.0), "speed": (0.7, 1.2)}


class Refused(Exception):
    """An error answer: `detail` is an object with status and message, or the list that a 422 carries."""

    def __init__(self, status: int, word: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.detail: Any = {"status": word, "message": message}
        self.headers = dict(headers or {})


class Malformed(Refused):
    """422 with the list of what is wrong."""

    def __init__(self, kind: str, where: Sequence[str], message: str, value: Any) -> None:
        super().__init__(422, kind, message)
        self.detail = [{"type": kind, "loc": list(where), "msg": message, "input": value}]


@dataclass(frozen=True, slots=True)
class SpokenText:
    """A request that the real API would speak. `cost` is in credits, as the header `character-cost` tells it."""

    text: str
    model: str
    speed: float
    raw: Mapping[str, Any]

    @property
    def cost(self) -> int:
        return math.ceil(len(self.text) * (0.5 if any(word in self.model for word in _HALF_PRICE) else 1))

    @classmethod
    def parsed(cls, body: bytes, models: Sequence[str]) -> "SpokenText":
        """Raises `Refused`."""
        try:
            raw = json.loads(body)
        except ValueError as error:
            raise Malformed("json_invalid", ("body", "0"), "JSON decode error", {}) from error
        if not isinstance(raw, dict):
            raise Malformed("model_attributes_type", ("body",), "Input should be a valid dictionary or object", raw)
        text = raw.get("text")
        if text is None:
            raise Malformed("missing", ("body", "text"), "Field required", raw)
        if not isinstance(text, str):
            raise Malformed("string_type", ("body", "text"), "Input should be a valid string", text)
        if not text.strip():
            raise Refused(400, "empty_text", "The text to be spoken is empty.")
        model = raw.get("model_id") or _DEFAULT_MODEL
        if models and model not in models:
            raise Refused(400, "model_not_found", f"A model with model ID {model} does not exist.")
        most = 40_000 if "v2_5" in model else 30_000 if model in _ONE_LANGUAGE else 5_000 if "v3" in model else 10_000
        if len(text) > most:
            raise Refused(400, "max_character_limit_exceeded", f"This request exceeds the maximum of {most} characters for this model.")
        language = raw.get("language_code")
        if language and model not in _LANGUAGE_OBEYED:
            raise Refused(400, "unsupported_language", f"Model {model} does not support the language_code parameter.")
        return cls(text, model, _speed(raw.get("voice_settings")), raw)


def check_format(output_format: str) -> tuple[str, int]:
    """(family, Hz) of an output format that is spoken here; raises `Refused`."""
    match = _FORMAT.fullmatch(output_format)
    if match and (match[1] == "pcm" or match[2] == "8000"):
        return match[1], int(match[2])
    if _COMPRESSED.fullmatch(output_format):
        raise Refused(400, "output_format_not_allowed", f"This simulator does not produce {output_format}; ask for pcm_8000 or ulaw_8000.")
    raise Malformed("enum", ("query", "output_format"), "Input should be a known output format", output_format)


def _speed(settings: Any) -> float:
    if settings is None:
        return 1.0
    if not isinstance(settings, Mapping):
        raise Malformed("model_attributes_type", ("body", "voice_settings"), "Input should be a valid dictionary", settings)
    for name, (least, most) in _RANGES.items():
        value = settings.get(name)
        if value is None:
            continue
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise Malformed("float_type", ("body", "voice_settings", name), "Input should be a valid number", value)
        if not least <= value <= most:
            message = f"Invalid setting for {name} received, expected to be between {least} and {most}, received {value}"
            raise Refused(400, "invalid_voice_settings", message)
    return float(settings.get("speed") or 1.0)
