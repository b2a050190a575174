"""Deepgram's words: what may be asked, how it is refused, and the shapes of its messages (v1, live and batch). Pure."""

import hashlib
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import QueryParams

from simulator.speech import Recognition, Word

_ENCODINGS = ("linear16", "mulaw", "alaw")
_LEAST_UTTERANCE_END_MS = 1_000
_DEFAULT_ENDPOINTING_MS = 10
_EDGES = re.compile(r"^[^\w₹$€£%]+|[^\w%]+$")


class Refused(Exception):
    """An error answer: HTTP status, Deepgram's code and words."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> dict[str, str]:
        return {"err_code": self.code, "err_msg": str(self), "request_id": request_id}


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """The query of a request. `endpointing_ms` None: switched off. `encoding` empty: the audio says itself what it is."""

    model: str
    encoding: str
    sample_rate_hz: int
    channels: int
    multichannel: bool
    interim_results: bool
    punctuate: bool
    endpointing_ms: int | None
    utterance_end_ms: int | None
    vad_events: bool
    utterances: bool
    utterance_split_ms: int
    diarize: bool

    @classmethod
    def parsed(cls, query: QueryParams, models: Sequence[str], *, live: bool) -> "ListenOptions":
        """Raises `Refused`."""
        model = query.get("model", "base")
        if models and model not in models:
            raise Refused(400, "Bad Request", "Bad Request: No such model/language/tier combination found.")
        encoding = query.get("encoding", "")
        if encoding and encoding not in _ENCODINGS:
            raise _bad(f"encoding: `{encoding}` is not read by this simulator, only {', '.join(_ENCODINGS)}")
        if live and not encoding:
            raise _bad("encoding: this simulator reads live audio without a container only; set encoding and sample_rate")
        rate = _number(query, "sample_rate", 0)
        if encoding and not 8_000 <= rate <= 48_000:
            raise _bad("sample_rate: a value from 8000 to 48000 is needed with encoding")
        channels = _number(query, "channels", 1)
        if not 1 <= channels <= 8:
            raise _bad("channels: a value from 1 to 8 is expected")
        interim = _switch(query, "interim_results")
        utterance_end = _number(query, "utterance_end_ms", 0) or None
        if utterance_end is not None and utterance_end < _LEAST_UTTERANCE_END_MS:
            raise _bad(f"utterance_end_ms: must be at least {_LEAST_UTTERANCE_END_MS}")
        if utterance_end is not None and not interim:
            raise _bad("utterance_end_ms: needs interim_results=true")
        return cls(
            model=model,
            encoding=encoding,
            sample_rate_hz=rate,
            channels=channels,
            multichannel=_switch(query, "multichannel"),
            interim_results=interim,
            punctuate=_switch(query, "punctuate") or _switch(query, "smart_format"),
            endpointing_ms=_endpointing(query),
            utterance_end_ms=utterance_end,
            vad_events=_switch(query, "vad_events"),
            utterances=_switch(query, "utterances"),
            utterance_split_ms=round(_decimal(query, "utt_split", 0.8) * 1000),
            diarize=_switch(query, "diarize") or bool(query.get("diarize_model")),
        )


def shifted(words: Iterable[Word], by_ms: float) -> tuple[Word, ...]:
    """The same words, counted from an earlier beginning."""
    return tuple(Word(word.text, round(word.start_ms + by_ms), round(word.end_ms + by_ms), word.confidence) for word in words)


def alternative(words: Sequence[Word], options: ListenOptions) -> dict[str, Any]:
    """One alternative: the transcript, its confidence and the words."""
    confidence = round(sum(word.confidence for word in words) / len(words), 6) if words else 0.0
    text = " ".join(word.text if options.punctuate else _plain(word.text) for word in words)
    return {"transcript": text, "confidence": confidence, "words": [_word(word, options) for word in words]}


def live_results(
    words: Sequence[Word],
    options: ListenOptions,
    request_id: str,
    *,
    channel: int,
    start_ms: float,
    end_ms: float,
    is_final: bool,
    speech_final: bool = False,
    from_finalize: bool = False,
) -> dict[str, Any]:
    return {
        "type": "Results",
        "channel_index": [channel, options.channels if options.multichannel else 1],
        "duration": _seconds(end_ms - start_ms),
        "start": _seconds(start_ms),
        "is_final": is_final,
        "speech_final": speech_final,
        "channel": {"alternatives": [alternative(words, options)]},
        "metadata": {"request_id": request_id, "model_info": _model(options), "model_uuid": _model_uuid(options)},
        "from_finalize": from_finalize,
    }


def speech_started(channel: int, channels: int, at_ms: float) -> dict[str, Any]:
    return {"type": "SpeechStarted", "channel": [channel, channels], "timestamp": _seconds(at_ms)}


def utterance_end(channel: int, channels: int, last_word_end_ms: float) -> dict[str, Any]:
    return {"type": "UtteranceEnd", "channel": [channel, channels], "last_word_end": _seconds(last_word_end_ms)}


def metadata(options: ListenOptions, request_id: str, sha256: str, duration_ms: float, channels: int) -> dict[str, Any]:
    return {
        "transaction_key": "deprecated",
        "request_id": request_id,
        "sha256": sha256,
        "created": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "duration": _seconds(duration_ms),
        "channels": channels,
        "models": [_model_uuid(options)],
        "model_info": {_model_uuid(options): _model(options)},
    }


def batch_answer(heard: Sequence[Recognition], options: ListenOptions, request_id: str, body: bytes, duration_ms: float) -> dict[str, Any]:
    """The answer to a recording, one recognition for each channel."""
    results: dict[str, Any] = {"channels": [{"alternatives": [alternative(channel.words, options)]} for channel in heard]}
    if options.utterances:
        spoken = [utterance for channel, one in enumerate(heard) for utterance in _utterances(one.words, channel, options)]
        results["utterances"] = sorted(spoken, key=lambda utterance: (utterance["start"], utterance["channel"]))
    told = metadata(options, request_id, hashlib.sha256(body, usedforsecurity=False).hexdigest(), duration_ms, len(heard))
    return {"metadata": told, "results": results}


def _utterances(words: Sequence[Word], channel: int, options: ListenOptions) -> list[dict[str, Any]]:
    groups: list[list[Word]] = []
    for word in words:
        if groups and word.start_ms - groups[-1][-1].end_ms < options.utterance_split_ms:
            groups[-1].append(word)
        else:
            groups.append([word])
    spoken = []
    for group in groups:
        said = alternative(group, options)
        spoken.append(
            {
                "start": _seconds(group[0].start_ms),
                "end": _seconds(group[-1].end_ms),
                "confidence": said["confidence"],
                "channel": channel,
                "transcript": said["transcript"],
                "words": said["words"],
                **({"speaker": 0} if options.diarize else {}),
                "id": str(uuid.uuid4()),
            }
        )
    return spoken


def _word(word: Word, options: ListenOptions) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "word": _plain(word.text),
        "start": _seconds(word.start_ms),
        "end": _seconds(word.end_ms),
        "confidence": word.confidence,
    }
    if options.diarize:
        shape["speaker"] = 0
    if options.punctuate:
        shape["punctuated_word"] = word.text
    return shape


def _plain(text: str) -> str:
    return _EDGES.sub("", text).lower() or text.lower()


def _seconds(ms: float) -> float:
    return round(ms / 1000, 3)


def _model(options: ListenOptions) -> dict[str, str]:
    family = options.model.split("-general")[0]
    return {"name": f"general-{family}", "version": "2026-09-15.0", "arch": family}


def _model_uuid(options: ListenOptions) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, options.model))


def _endpointing(query: QueryParams) -> int | None:
    value = query.get("endpointing", "true")
    if value == "false":
        return None
    return _DEFAULT_ENDPOINTING_MS if value == "true" else _number(query, "endpointing", 0)


def _switch(query: QueryParams, name: str) -> bool:
    value = query.get(name, "false")
    if value not in ("true", "false"):
        raise _bad(f"{name}: provided string was not `true` or `false`")
    return value == "true"


def _number(query: QueryParams, name: str, default: int) -> int:
    value = query.get(name, str(default))
    if not value.isdecimal() or len(value) > 9:
        raise _bad(f"{name}: invalid digit found in string")
    return int(value)


def _decimal(query: QueryParams, name: str, default: float) -> float:
    try:
        return float(query.get(name, default))
    except ValueError as error:
        raise _bad(f"{name}: invalid float literal") from error


def _bad(what: str) -> Refused:
    return Refused(400, "INVALID_QUERY_PARAMETER", f"Failed to deserialize query parameters: {what}")
