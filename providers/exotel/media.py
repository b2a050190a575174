"""The media WebSocket's messages: text in, frozen values out, and back. Sans I/O, and cheap: 50 messages a second for each call.

Reads every shape that Exotel's pages, samples and captures show: both spellings of a name, numbers as text or as numbers, blocks that
are missing. Writes one shape only: snake_case, with sequence, chunk and timestamp as text. Never judges `encoding`: whether it says base64
or raw, the payload is signed 16-bit little-endian mono.
"""

from base64 import b64encode
from typing import Any, Final

import msgspec

MAX_MESSAGE_BYTES: Final = 64 * 1024
SAMPLE_RATES_HZ: Final = (8_000, 16_000, 24_000)
DEFAULT_SAMPLE_RATE_HZ: Final = 8_000


class BadMessage(ValueError):
    """Not a message of this protocol. The text says why and holds nothing of the content."""


# --- what Exotel sends ------------------------------------------------------------------------------------------------


class Connected(msgspec.Struct, frozen=True):
    """The first message; says nothing but that the protocol was understood."""


class Started(msgspec.Struct, frozen=True):
    """The stream begins. `sample_rate_hz` is None if the message does not tell one we know."""

    stream_sid: str
    call_sid: str
    account_sid: str
    from_number: str
    to_number: str
    custom_parameters: dict[str, str]
    sample_rate_hz: int | None


class Audio(msgspec.Struct, frozen=True, gc=False):
    """What the caller's side sounds like right now, silence included. `pcm` may be empty; an odd last byte is already cut off."""

    pcm: bytes


class Dtmf(msgspec.Struct, frozen=True):
    digit: str


class MarkEchoed(msgspec.Struct, frozen=True):
    name: str


class Stopped(msgspec.Struct, frozen=True):
    """The stream is over. `reason` is Exotel's word (`callended`, `stopped`) or empty."""

    reason: str


class Unknown(msgspec.Struct, frozen=True):
    """A well-formed message of a kind that we do not act on."""


Received = Connected | Started | Audio | Dtmf | MarkEchoed | Stopped | Unknown

# --- their wire forms -------------------------------------------------------------------------------------------------


class _Event(msgspec.Struct, tag_field="event"):
    """The messages' common base: `event` picks the form, fields that nobody reads are skipped inside the parser."""


class _Connected(_Event, tag="connected"):
    pass


class _Start(_Event, tag="start"):
    """Comes once a call and decides whether there is one, so its body is read by hand, forgiving whatever can be forgiven."""

    start: dict[str, Any]
    stream_sid: Any = None
    stream_sid_camel: Any = msgspec.field(name="streamSid", default=None)


class _MediaBody(msgspec.Struct, gc=False):
    payload: bytes


class _Media(_Event, tag="media", gc=False):
    media: _MediaBody


class _DtmfBody(msgspec.Struct):
    digit: str | int


class _Dtmf(_Event, tag="dtmf"):
    dtmf: _DtmfBody


class _MarkBody(msgspec.Struct):
    name: str | int


class _Mark(_Event, tag="mark"):
    mark: _MarkBody


class _Stop(_Event, tag="stop"):
    stop: Any = None


class _Other(msgspec.Struct):
    event: str


_decode = msgspec.json.Decoder(_Media | _Connected | _Start | _Dtmf | _Mark | _Stop).decode
_decode_other = msgspec.json.Decoder(_Other).decode
_KNOWN: Final = frozenset({"connected", "start", "media", "dtmf", "mark", "stop"})


def parse(text: str | bytes) -> Received:
    """One text message from Exotel. Raises `BadMessage`; a message of a kind we do not know is `Unknown`."""
    if len(text) > MAX_MESSAGE_BYTES:
        raise BadMessage(f"a message of more than {MAX_MESSAGE_BYTES} bytes")
    try:
        message = _decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        if _is_of_another_kind(text):
            return Unknown()
        raise BadMessage("not a message of the media protocol") from error
    if type(message) is _Media:
        pcm = message.media.payload
        return Audio(pcm if not len(pcm) & 1 else pcm[:-1])
    return _rarer(message)


def _is_of_another_kind(text: str | bytes) -> bool:
    try:
        return _decode_other(text).event not in _KNOWN
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return False


def _rarer(message: object) -> Received:
    match message:
        case _Start():
            return _started(message)
        case _Dtmf():
            return Dtmf(str(message.dtmf.digit).strip('"')[:1])
        case _Mark():
            return MarkEchoed(str(message.mark.name))
        case _Stop():
            return Stopped(str(message.stop.get("reason") or "") if isinstance(message.stop, dict) else "")
        case _:
            return Connected()


def _started(message: _Start) -> Started:
    body = message.start
    form = _either(body, "media_format", "mediaFormat")
    parameters = _either(body, "custom_parameters", "customParameters")
    return Started(
        stream_sid=_word(_either(body, "stream_sid", "streamSid") or message.stream_sid or message.stream_sid_camel),
        call_sid=_word(_either(body, "call_sid", "callSid")),
        account_sid=_word(_either(body, "account_sid", "accountSid")),
        from_number=_word(body.get("from")),
        to_number=_word(body.get("to")),
        custom_parameters={name: _word(value) for name, value in parameters.items()} if isinstance(parameters, dict) else {},
        sample_rate_hz=sample_rate(_either(form, "sample_rate", "sampleRate")) if isinstance(form, dict) else None,
    )


def _either(body: dict[str, Any], snake: str, camel: str) -> Any:
    return body.get(snake) if body.get(snake) is not None else body.get(camel)


def _word(value: object) -> str:
    return str(value) if isinstance(value, str | int | float) else ""


def sample_rate(told: object) -> int | None:
    """A rate as text or number, if it is one that Exotel streams at."""
    try:
        rate_hz = int(str(told).strip().removesuffix("Hz").strip())
    except ValueError:
        return None
    return rate_hz if rate_hz in SAMPLE_RATES_HZ else None


# --- what we send -----------------------------------------------------------------------------------------------------


class FrameWriter:
    """Writes our side of one stream. Every message counts in `sequence_number`; `timestamp` is the ms of audio sent before it."""

    def __init__(self, stream_sid: str, sample_rate_hz: int) -> None:
        self._sid = _text(stream_sid)
        self._bytes_per_s = sample_rate_hz * 2
        self._messages = 0
        self._chunks = 0
        self._sent_bytes = 0

    def media(self, pcm: bytes) -> str:
        self._messages += 1
        self._chunks += 1
        at_ms = self._sent_bytes * 1000 // self._bytes_per_s
        self._sent_bytes += len(pcm)
        return (
            f'{{"event":"media","stream_sid":{self._sid},"sequence_number":"{self._messages}",'
            f'"media":{{"chunk":"{self._chunks}","timestamp":"{at_ms}","payload":"{b64encode(pcm).decode("ascii")}"}}}}'
        )

    def mark(self, name: str) -> str:
        self._messages += 1
        return f'{{"event":"mark","stream_sid":{self._sid},"sequence_number":"{self._messages}","mark":{{"name":{_text(name)}}}}}'

    def clear(self) -> str:
        self._messages += 1
        return f'{{"event":"clear","stream_sid":{self._sid},"sequence_number":"{self._messages}"}}'


def _text(value: str) -> str:
    return msgspec.json.encode(value).decode()
