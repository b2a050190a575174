"""Deepgram's transcription of finished recordings, through the official SDK. Blocking, for background work.

The file is streamed from disk, so memory stays constant; nothing is retried here, because a job decides that with its own ledger.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from deepgram import DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.types import ListenV1Response

from engine.errors import ErrorCategory, ProviderError
from engine.usage import Unit, UsageKind, UsageRecord
from providers.config import DeepgramConfig, TranscriptionOptions
from providers.connection import nonsense, status_error, timed_out, unreachable
from providers.deepgram.messages import PROVIDER
from providers.evidence import name_of, own_name
from providers.proxies import may_use_proxy
from providers.transcription import SpokenWord, Transcription, Utterance

DIARIZATION = "diarization"
"""The model under which telling voices apart is counted: an add-on with a price of its own."""
_PIECE_BYTES = 64 * 1024
_MOST_ANSWER_BYTES = 64 << 20
_MOST_UTTERANCES = 50_000
_LONGEST_MS = 24 * 3600 * 1000
_TIMEOUT = httpx.Timeout(120, connect=5, write=30)  # an hour of audio takes Deepgram well under a minute


class DeepgramTranscriber:
    provider = PROVIDER

    def __init__(self, config: DeepgramConfig, options: TranscriptionOptions, timeout: httpx.Timeout = _TIMEOUT) -> None:
        self.model = options.model
        self._config = config
        self._options = options
        self._timeout = timeout

    def transcribe(self, path: Path, *, multichannel: bool = False) -> Transcription:
        """Raises `ProviderError`. An unreadable file raises `OSError` before anything is sent."""
        by_proxy = may_use_proxy(self._config.base_url)
        with path.open("rb") as recording, self._http(by_proxy) as http:
            response = self._send(http, iter(lambda: recording.read(_PIECE_BYTES), b""), multichannel)
        try:
            return transcription(response, self.model, multichannel=multichannel)
        except (
            AttributeError,
            TypeError,
            IndexError,
            ValueError,
            OverflowError,
        ) as error:  # the SDK builds its models without checking them
            raise nonsense(PROVIDER) from error

    def _http(self, by_proxy: bool) -> httpx.Client:
        return httpx.Client(timeout=self._timeout, trust_env=by_proxy, event_hooks={"response": [_refuse_flood]})

    def _send(self, http: httpx.Client, pieces: Iterator[bytes], multichannel: bool) -> Any:
        root = self._config.base_url.rstrip("/")
        socket_root = self._config.websocket_url
        environment = DeepgramClientEnvironment(base=root, production=socket_root, agent=socket_root, agent_rest=root)
        client = DeepgramClient(api_key=self._config.api_key, environment=environment, httpx_client=http)
        language: dict[str, Any] = {"language": self._options.language} if self._options.language else {"detect_language": True}
        voices: dict[str, Any] = {} if multichannel else {"diarize": True}
        try:
            return client.listen.v1.media.transcribe_file(
                request=pieces,
                model=self.model,
                multichannel=multichannel,
                utterances=True,
                punctuate=True,
                smart_format=True,
                request_options={"max_retries": 0},
                **language,
                **voices,
            )
        except ApiError as error:
            body = error.body if isinstance(error.body, dict) else {}
            code, request_id = str(body.get("err_code", "")), str(body.get("request_id", ""))
            # `from None`: the SDK's error holds the whole answer, which may be a transcript.
            raise status_error(PROVIDER, error.status_code or 0, code=code, request_id=request_id) from None
        except ValueError as error:  # no JSON, or no UTF-8
            raise nonsense(PROVIDER) from error
        except httpx.TimeoutException as error:
            raise timed_out(PROVIDER, "did not finish the transcription in time") from error
        except httpx.ConnectError as error:
            raise unreachable(PROVIDER) from error
        except httpx.HTTPError as error:
            message = "dropped the connection during the transcription"
            raise ProviderError(PROVIDER, ErrorCategory.CONNECTION, message, retryable=True) from error


def _refuse_flood(response: httpx.Response) -> None:
    """The SDK reads answers into memory: one that says it is far larger than any transcript is not read."""
    told = response.headers.get("content-length", "")
    if told.isascii() and told.isdigit() and int(told) > _MOST_ANSWER_BYTES:
        raise nonsense(PROVIDER)


def transcription(response: ListenV1Response, model: str, *, multichannel: bool) -> Transcription:
    """The SDK's answer in our shape. Several channels are billed each for the whole length. Raises `ValueError` for absurd figures."""
    metadata = response.metadata
    duration_ms = round(metadata.duration * 1000)
    found = [
        Utterance(
            channel=said.channel or 0,
            start_ms=round((said.start or 0.0) * 1000),
            end_ms=round((said.end or 0.0) * 1000),
            text=said.transcript or "",
            confidence=said.confidence or 0.0,
            speaker=None if multichannel or said.speaker is None else int(said.speaker),
            words=_words(said.words),
        )
        for said in response.results.utterances or ()
        if said.transcript
    ]
    if not found:
        found = _whole_channels(response, duration_ms)
    _plausible(duration_ms, metadata.channels, found)
    found.sort(key=lambda utterance: (utterance.start_ms, utterance.channel))
    request_id = name_of(metadata.request_id) or own_name()
    usage = tuple(
        UsageRecord(UsageKind.TRANSCRIPTION, PROVIDER, model, Unit.AUDIO_MS, duration_ms, evidence)
        for evidence in (request_id, *(f"{request_id}:channel{n}" for n in range(2, (metadata.channels if multichannel else 1) + 1)))
    )
    if not multichannel:  # telling voices apart costs extra
        usage = (*usage, UsageRecord(UsageKind.TRANSCRIPTION, PROVIDER, DIARIZATION, Unit.AUDIO_MS, duration_ms, f"{request_id}:voices"))
    text = " ".join(utterance.text for utterance in found)
    return Transcription(request_id, duration_ms, metadata.channels, tuple(found), text, usage)


def _words(found: Any) -> tuple[SpokenWord, ...]:
    """When each word was said, as it is written in the transcript. A word without a time is left out: it lies between its neighbours."""
    return tuple(
        SpokenWord(round(word.start * 1000), round(word.end * 1000), str(getattr(word, "punctuated_word", None) or word.word))
        for word in found or ()
        if word.start is not None and word.end is not None and word.word
    )


def _plausible(duration_ms: int, channels: int, found: list[Utterance]) -> None:
    if not 0 <= duration_ms <= _LONGEST_MS or not 1 <= channels <= 16 or len(found) > _MOST_UTTERANCES:
        raise ValueError("an absurd length, or absurdly many channels or utterances")
    if any(said.channel < 0 or not 0 <= said.start_ms <= said.end_ms <= _LONGEST_MS for said in found):
        raise ValueError("an utterance outside the recording")
    if any(not 0 <= word.start_ms <= word.end_ms <= _LONGEST_MS for said in found for word in said.words):
        raise ValueError("a word outside the recording")


def _whole_channels(response: ListenV1Response, duration_ms: int) -> list[Utterance]:
    """One utterance for each channel with words, for answers that are not cut into utterances."""
    best = [(number, channel.alternatives[0]) for number, channel in enumerate(response.results.channels) if channel.alternatives]
    return [
        Utterance(number, 0, duration_ms, said.transcript, said.confidence or 0.0, words=_words(getattr(said, "words", None)))
        for number, said in best
        if said.transcript
    ]
