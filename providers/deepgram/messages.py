"""What Deepgram's live sockets say, turned into the engine's events. Pure: bytes in, events out.

The shapes here are those of `listen/v1`, the socket of the Nova models (checked against the SDK 7.17 types, 2026-11); `flux` has
those of v2. An unknown message type means nothing to us.
"""

import re
from dataclasses import dataclass
from typing import Protocol

import msgspec

from engine.errors import ErrorCategory, ProviderError
from engine.ports import FinalTranscript, InterimTranscript, SpeechStarted, TranscriptEvent, UtteranceEnded, Word
from providers.connection import nonsense

PROVIDER = "deepgram"


@dataclass(frozen=True, slots=True)
class Heard:
    """What one message means, in order. `request_id` is empty where the message does not say it.

    `is_useful`: it tells of the audio, even if only that nobody speaks. A greeting, a warning or a kind not known here does not.
    """

    events: tuple[TranscriptEvent, ...] = ()
    request_id: str = ""
    is_farewell: bool = False
    is_useful: bool = False


class Wire(Protocol):
    """One version of the live socket, for one stream.

    `needs_keep_alive`: whether it closes unless something is sent all the time. `closes_politely`: whether the end that we asked for
    comes with a closing handshake.
    """

    needs_keep_alive: bool
    closes_politely: bool

    def read(self, raw: bytes | str) -> Heard:
        """Raises `ProviderError`: PROTOCOL for what cannot be read, SERVER for an error that Deepgram reports."""

    def rest(self) -> tuple[TranscriptEvent, ...]:
        """What was heard but not yet told as final when the stream came to the end that we asked for."""


class _Word(msgspec.Struct):
    word: str = ""
    punctuated_word: str = ""
    start: float = 0.0
    end: float = 0.0


class _Alternative(msgspec.Struct):
    transcript: str = ""
    words: list[_Word] = []  # msgspec copies it for each struct


class _Channel(msgspec.Struct):
    alternatives: list[_Alternative] = []


class _Metadata(msgspec.Struct):
    request_id: str = ""


class _Message(msgspec.Struct):
    """All message types in one: `channel` is an object in Results and a list of indexes elsewhere."""

    type: str = ""
    channel: _Channel | list[int] | None = None
    start: float = 0.0
    duration: float = 0.0
    is_final: bool = False
    speech_final: bool = False
    metadata: _Metadata | None = None
    timestamp: float = 0.0
    last_word_end: float = 0.0
    request_id: str = ""


_decoder = msgspec.json.Decoder(_Message)


def read(raw: bytes | str) -> Heard:
    """Raises `ProviderError`: PROTOCOL for what cannot be read, SERVER for an error that Deepgram reports."""
    try:
        message = _decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise nonsense(PROVIDER) from error
    match message.type:
        case "Results":
            event = _transcript(message)
            request_id = message.metadata.request_id if message.metadata else ""
            return Heard(() if event is None else (event,), request_id, is_useful=True)
        case "SpeechStarted":
            return Heard((SpeechStarted(at_ms=_ms(message.timestamp)),), is_useful=True)
        case "UtteranceEnd":
            return Heard((UtteranceEnded(last_word_end_ms=max(0, _ms(message.last_word_end))),), is_useful=True)
        case "Metadata":
            return Heard(request_id=message.request_id, is_farewell=True)
        case "Error":
            raise reported()
    return Heard()


class ListenWire:
    """`listen/v1`: finals come as they are settled, and the last of them before the farewell."""

    needs_keep_alive = True
    closes_politely = True

    def read(self, raw: bytes | str) -> Heard:
        return read(raw)

    def rest(self) -> tuple[TranscriptEvent, ...]:
        return ()


def reported() -> ProviderError:
    """An error that Deepgram told of in a message. Its words are not repeated: they quote what was sent."""
    return ProviderError(PROVIDER, ErrorCategory.SERVER, "reported an error on the live socket", retryable=True)


def _transcript(message: _Message) -> TranscriptEvent | None:
    alternatives = message.channel.alternatives if isinstance(message.channel, _Channel) else []
    best = alternatives[0] if alternatives else _Alternative()
    words = tuple([Word(each.punctuated_word or each.word, _ms(each.start), _ms(each.end)) for each in best.words])
    if not message.is_final:
        return InterimTranscript(best.transcript, words) if best.transcript else None
    if not best.transcript and not message.speech_final:
        return None
    end_s = best.words[-1].end if best.words else message.start + message.duration
    return FinalTranscript(best.transcript, end_of_turn=message.speech_final, end_ms=_ms(end_s), words=words)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


_CLOSE_CODE = re.compile(r"\b[A-Z]+-\d{4}\b")
_CLOSE_CODES = {
    "NET-0001": (ErrorCategory.TIMEOUT, "closed the socket because no audio came for 10 s", True),
    "DATA-0000": (ErrorCategory.BAD_REQUEST, "could not decode the audio; check encoding and sample rate", False),
}


def closed(code: int | None, reason: str) -> ProviderError:
    """Why a socket was closed under us. The reason itself is not repeated, only the code that Deepgram puts in it."""
    found = _CLOSE_CODE.search(reason)
    word = found.group() if found else ""
    if word in _CLOSE_CODES:
        category, message, retryable = _CLOSE_CODES[word]
        return ProviderError(PROVIDER, category, f"{message} ({word})", retryable=retryable)
    if code == 1008:
        return ProviderError(PROVIDER, ErrorCategory.BAD_REQUEST, "refused what we sent (closed with 1008)", retryable=False)
    if code in (1000, 1001, 1005, 1006, None):
        message = "dropped the live socket before we were done"
        return ProviderError(PROVIDER, ErrorCategory.CONNECTION, message, retryable=True)
    return ProviderError(PROVIDER, ErrorCategory.SERVER, f"closed the live socket with {code}", retryable=True)
