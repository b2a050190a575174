"""Deepgram's live recognition as the engine's speech to text, on our own WebSocket client.

The SDK's socket offers compression, buffers without our deadlines and spends 50 times the CPU on each message. Audio goes up as it
comes; nothing is queued here.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.http11 import Response
from websockets.protocol import State

from engine.audio import AudioChunk, duration_ms
from engine.errors import ProviderError
from engine.ports import TranscriptEvent
from engine.usage import Unit, UsageKind, UsageRecord
from providers.config import DeepgramConfig, SpeechToTextOptions
from providers.connection import DEFAULT_DEADLINES, Deadlines, status_error, timed_out, within
from providers.deepgram import flux, messages
from providers.deepgram.messages import PROVIDER, Wire
from providers.evidence import name_of, own_name
from providers.sockets import binary_frame, open_socket

_KEEP_ALIVE_S = 4.0  # Deepgram closes after 10 s without audio or this
_KEEP_ALIVE = '{"type":"KeepAlive"}'
_CLOSE_STREAM = '{"type":"CloseStream"}'
_LEAST_UTTERANCE_END_MS = 1_000
_PING_S = 5.0
_MAX_MESSAGE_BYTES = 1 << 20


class DeepgramSpeechToText:
    provider = PROVIDER

    def __init__(self, config: DeepgramConfig, options: SpeechToTextOptions, deadlines: Deadlines = DEFAULT_DEADLINES) -> None:
        self.model = options.model
        self._config = config
        self._options = options
        self._deadlines = deadlines

    def stream(self, sample_rate_hz: int) -> AbstractAsyncContextManager["DeepgramStream"]:
        return self._stream(sample_rate_hz)

    @asynccontextmanager
    async def _stream(self, sample_rate_hz: int) -> AsyncIterator["DeepgramStream"]:
        is_flux = flux.speaks(self.model)
        path = flux.path(self._options, sample_rate_hz) if is_flux else f"/v1/listen?{urlencode(query(self._options, sample_rate_hz))}"
        wire: Wire = flux.FluxWire() if is_flux else messages.ListenWire()
        socket = await self._connect(path)
        stream = DeepgramStream(socket, wire, self.model, self._deadlines)
        keeping_alive = asyncio.create_task(stream.keep_alive(), name="deepgram-keep-alive") if wire.needs_keep_alive else None
        try:
            yield stream
        finally:
            if keeping_alive is not None:
                keeping_alive.cancel()
            stream.release()
            try:
                await socket.close()  # bounded by close_timeout
            finally:
                socket.transport.abort()
                if keeping_alive is not None:
                    await asyncio.wait([keeping_alive])

    async def _connect(self, path: str) -> ClientConnection:
        return await open_socket(
            f"{self._config.websocket_url}{path}",
            {"Authorization": f"Token {self._config.api_key}"},
            PROVIDER,
            self._deadlines,
            what="did not open the live socket",
            most_bytes=_MAX_MESSAGE_BYTES,
            refused=_refused,
            ping_s=_PING_S,
        )


class DeepgramStream:
    """One open recognition: an engine `TranscriptStream`."""

    def __init__(self, socket: ClientConnection, wire: Wire, model: str, deadlines: Deadlines) -> None:
        self._socket = socket
        self._wire = wire
        self._model = model
        self._deadlines = deadlines
        self._request_id = _handshake_request_id(socket)
        self._sent_ms = 0.0
        self._unanswered_ms = 0.0
        self._last_sent_at = self._last_heard_at = asyncio.get_running_loop().time()
        self._finishing = False
        self._rest_due: asyncio.TimerHandle | None = None
        self._failure: ProviderError | None = None
        self._heard: deque[TranscriptEvent] = deque()  # what one message said and was not yet read: at most a few

    async def send(self, chunk: AudioChunk) -> None:
        """Raises `ProviderError`: TIMEOUT if Deepgram stopped reading, or stopped answering what it reads."""
        await self._send(chunk.pcm)
        if self._is_stalled_after(chunk):
            raise self._fail(timed_out(PROVIDER, f"recognised nothing in {self._deadlines.stall_ms} ms of audio"))

    def send_now(self, chunk: AudioChunk) -> bool:
        """`send` without an await; False if the socket would have to be waited for, or is no more."""
        if self._failure is not None or not self._goes_at_once(chunk.pcm):
            return False
        if self._is_stalled_after(chunk):
            self._fail(timed_out(PROVIDER, f"recognised nothing in {self._deadlines.stall_ms} ms of audio"))
        return True

    def _is_stalled_after(self, chunk: AudioChunk) -> bool:
        """Counts what was sent, and tells whether Deepgram has been silent for too much of it."""
        length_ms = duration_ms(len(chunk.pcm), chunk.sample_rate_hz)
        self._sent_ms += length_ms
        self._unanswered_ms += length_ms
        # Results come about once a second of audio, in silence too: nothing at all for this long is a dead recogniser. Both clocks
        # count, because audio held back during a reconnection goes out faster than it was spoken.
        quiet_ms = (self._last_sent_at - self._last_heard_at) * 1000
        return min(self._unanswered_ms, quiet_ms) > self._deadlines.stall_ms

    async def finish(self) -> None:
        self._finishing = True
        await self._send(_CLOSE_STREAM)
        self._expect_rest()

    def release(self) -> None:
        """Stops waiting for anything; the socket is about to go."""
        if self._rest_due is not None:
            self._rest_due.cancel()

    def _expect_rest(self) -> None:
        """From `finish` on silence is no longer the caller's. A timer, since the reader may be waiting already."""
        self.release()
        late = timed_out(PROVIDER, f"did not send the rest within {self._deadlines.between_ms} ms")
        self._rest_due = asyncio.get_running_loop().call_later(self._deadlines.between_ms / 1000, self._fail, late)

    async def keep_alive(self) -> None:
        """Speaks up whenever no audio went out for a while. Runs until cancelled or the socket is gone."""
        loop = asyncio.get_running_loop()
        while not self._finishing:
            quiet_s = loop.time() - self._last_sent_at
            if quiet_s < _KEEP_ALIVE_S:
                await asyncio.sleep(_KEEP_ALIVE_S - quiet_s)
                continue
            try:
                await self._send(_KEEP_ALIVE)
            except ProviderError:
                return  # whoever reads the stream learns of it

    async def _send(self, payload: bytes | str) -> None:
        if self._failure is not None:
            raise self._failure
        if self._goes_at_once(payload):
            return
        try:
            await within(self._deadlines.send_ms, PROVIDER, "did not take our audio", self._socket.send(payload))
        except ConnectionClosed as error:
            raise self._fail(_closed(error)) from error
        except ProviderError as error:
            raise self._fail(error) from None
        self._last_sent_at = asyncio.get_running_loop().time()

    def _goes_at_once(self, payload: bytes | str) -> bool:
        """Audio on an open socket with nothing waiting in it is written without an await: 50 times a second, a tenth of the CPU.
        Everything else goes the general way, which waits, within its deadline, and says what is wrong."""
        protocol, transport = self._socket.protocol, self._socket.transport
        if (
            not isinstance(payload, bytes)
            or protocol.state is not State.OPEN
            or transport.is_closing()
            or transport.get_write_buffer_size()
        ):
            return False
        if (frame := binary_frame(protocol, payload)) is not None:
            transport.write(frame)
        else:
            protocol.send_binary(payload)
            for output in protocol.data_to_send():
                transport.write(output)
        self._last_sent_at = asyncio.get_running_loop().time()
        return True

    def _fail(self, error: ProviderError) -> ProviderError:
        """Keeps the first failure for both sides and wakes the reader."""
        if self._failure is None:
            self._failure = error
            self._socket.transport.abort()
        return self._failure

    def __aiter__(self) -> AsyncIterator[TranscriptEvent]:
        return self

    async def __anext__(self) -> TranscriptEvent:
        while not self._heard:
            raw = await self._receive()
            if raw is None:
                self._heard.extend(self._wire.rest())
                break
            heard = self._wire.read(raw)
            if heard.is_useful:
                self._unanswered_ms, self._last_heard_at = 0.0, asyncio.get_running_loop().time()
                if self._finishing:
                    self._expect_rest()
            if heard.request_id != self._request_id:
                self._request_id = name_of(heard.request_id) or self._request_id
            self._heard.extend(heard.events)
            if heard.is_farewell and self._finishing:
                break
        if not self._heard:
            raise StopAsyncIteration
        return self._heard.popleft()

    async def _receive(self) -> bytes | str | None:
        """The next message; None after the last one that `finish` asked for."""
        try:
            return await self._socket.recv()
        except ConnectionClosed as error:
            if self._failure is not None:
                raise self._failure from error
            if self._finishing and (isinstance(error, ConnectionClosedOK) or not (error.rcvd or self._wire.closes_politely)):
                return None
            raise self._fail(_closed(error)) from error

    @property
    def usage(self) -> Sequence[UsageRecord]:
        sent_ms = round(self._sent_ms)
        if not sent_ms:
            return ()
        return (UsageRecord(UsageKind.STT, PROVIDER, self._model, Unit.AUDIO_MS, sent_ms, self._request_id),)


def query(options: SpeechToTextOptions, sample_rate_hz: int) -> list[tuple[str, str]]:
    """The parameters of one stream, as Deepgram spells them."""
    parameters = [
        ("model", options.model),
        ("language", options.language),
        ("encoding", "linear16"),
        ("sample_rate", str(sample_rate_hz)),
        ("channels", "1"),
        ("interim_results", "true"),
        ("punctuate", "true"),
        ("smart_format", "true"),
        ("endpointing", str(options.endpointing_ms)),
        ("utterance_end_ms", str(max(_LEAST_UTTERANCE_END_MS, options.utterance_end_ms))),
        ("vad_events", "true"),
    ]
    return parameters + [("keyterm", term) for term in options.keyterms]


def _refused(response: Response) -> ProviderError:
    headers = response.headers
    return status_error(PROVIDER, response.status_code, code=headers.get("dg-error", ""), request_id=headers.get("dg-request-id", ""))


def _handshake_request_id(socket: ClientConnection) -> str:
    headers = socket.response.headers if socket.response is not None else {}
    return name_of(headers.get("dg-request-id")) or own_name()


def _closed(error: ConnectionClosed) -> ProviderError:
    return messages.closed(error.rcvd.code, error.rcvd.reason) if error.rcvd else messages.closed(None, "")
