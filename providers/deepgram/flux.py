"""Deepgram's Flux, the recogniser that hears turns itself: `listen/v2`. Pure: what is asked for, and what is answered, in our events.

A Flux model says when a turn begins, when it is probably over (so that an answer may be prepared), when it goes on after all, and when
it is over. Its transcript is always that of the whole turn. Source: developers.deepgram.com/docs/flux, read 2026-11-22.
"""

from urllib.parse import urlencode

import msgspec

from engine.ports import EagerEndOfTurn, FinalTranscript, InterimTranscript, SpeechStarted, TranscriptEvent, TurnResumed, Word
from providers.config import SpeechToTextOptions
from providers.connection import nonsense
from providers.deepgram.messages import PROVIDER, Heard, reported

_MULTILINGUAL = "flux-general-multi"
_TIMEOUT_BOUNDS_MS = (500, 60_000)
_EAGER_BOUNDS = (0.3, 0.9)
_END_BOUNDS = (0.5, 1.0)


def speaks(model: str) -> bool:
    """Whether `model` is served by this version of the socket."""
    return model.startswith("flux-")


def path(options: SpeechToTextOptions, sample_rate_hz: int) -> str:
    """Where a stream is opened, with its parameters. The language is a hint that only the multilingual model takes."""
    end = _within(options.end_of_turn_confidence, _END_BOUNDS)
    parameters = [
        ("model", options.model),
        ("encoding", "linear16"),
        ("sample_rate", str(sample_rate_hz)),
        ("eot_threshold", str(end)),
        ("eot_timeout_ms", str(int(_within(options.end_of_turn_timeout_ms, _TIMEOUT_BOUNDS_MS)))),
    ]
    if options.eager_confidence:
        eager = min(_within(options.eager_confidence, _EAGER_BOUNDS), end)
        parameters.append(("eager_eot_threshold", str(eager)))
    parameters += [("keyterm", term) for term in options.keyterms]
    language = options.language.partition("-")[0]
    if options.model == _MULTILINGUAL and language not in ("", "multi"):
        parameters.append(("language_hint", language))
    return f"/v2/listen?{urlencode(parameters)}"


def _within(value: float, bounds: tuple[float, float]) -> float:
    """The nearest value that Deepgram takes: outside of it the stream would be refused."""
    return min(max(value, bounds[0]), bounds[1])


class _Word(msgspec.Struct):
    word: str = ""
    start: float | None = None
    end: float | None = None


class _Message(msgspec.Struct):
    type: str = ""
    event: str = ""
    request_id: str = ""
    transcript: str = ""
    words: list[_Word] = []  # msgspec copies it for each struct
    audio_window_start: float = 0.0
    audio_window_end: float = 0.0


_decoder = msgspec.json.Decoder(_Message)


class FluxWire:
    """The messages of one stream. Keeps the open turn, because an end that we ask for does not make it final."""

    needs_keep_alive = False  # there is no such message; the caller's line sends audio all the time
    closes_politely = False

    def __init__(self) -> None:
        self._text = ""
        self._end_ms = 0
        self._words: tuple[Word, ...] = ()

    def read(self, raw: bytes | str) -> Heard:
        """Raises `ProviderError`: PROTOCOL for what cannot be read, SERVER for an error that Deepgram reports."""
        try:
            message = _decoder.decode(raw)
        except msgspec.DecodeError as error:
            raise nonsense(PROVIDER) from error
        if message.type == "Error":
            raise reported()
        if message.type == "TurnInfo":
            return Heard(self._turn(message), message.request_id, is_useful=True)
        return Heard(request_id=message.request_id)

    def rest(self) -> tuple[TranscriptEvent, ...]:
        """The open turn as a final: Flux leaves its last guess as the final word when a stream is closed."""
        text, self._text = self._text, ""
        return (FinalTranscript(text, end_of_turn=False, end_ms=self._end_ms, words=self._words),) if text else ()

    def _turn(self, message: _Message) -> tuple[TranscriptEvent, ...]:
        changed = message.transcript != self._text and bool(message.transcript)
        words = self._words = _words(message) if message.transcript else self._words
        interim: tuple[TranscriptEvent, ...] = (InterimTranscript(message.transcript, words),) if changed else ()
        self._text, self._end_ms = message.transcript or self._text, _end_ms(message)
        match message.event:
            case "StartOfTurn":
                return (SpeechStarted(_start_ms(message)), *interim)
            case "EagerEndOfTurn":
                return (*interim, EagerEndOfTurn(message.transcript, words))
            case "TurnResumed":
                return (TurnResumed(), *interim)
            case "EndOfTurn":
                self._text = ""
                return (
                    FinalTranscript(message.transcript, end_of_turn=True, end_ms=self._end_ms, words=words if message.transcript else ()),
                )
        return interim  # an update, or an event that is not known here


def _words(message: _Message) -> tuple[Word, ...]:
    """The words with their places, or none: the wire may leave places out. Punctuation stands in the transcript alone."""
    written = message.transcript.split()
    if len(written) != len(message.words):
        written = [each.word for each in message.words]
    placed = zip(written, message.words, strict=True)
    words = [Word(text, round(e.start * 1000), round(e.end * 1000)) for text, e in placed if e.start is not None and e.end is not None]
    return tuple(words) if len(words) == len(message.words) else ()


def _start_ms(message: _Message) -> int:
    begin = message.words[0].start if message.words else None
    return round((message.audio_window_start if begin is None else begin) * 1000)


def _end_ms(message: _Message) -> int:
    end = message.words[-1].end if message.words else None
    return round((message.audio_window_end if end is None else end) * 1000)
