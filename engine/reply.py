"""One agent turn, from the model's first token to the caller's ear, as ONE task: an interruption is one `cancel()`.

While a sentence plays the next is being spoken and the one after is being written; each stage is bounded by the one behind it. A failing
provider ends the turn with an outcome, never with silence: what was said stays said, and whoever asked decides what comes next.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from engine.errors import ErrorCategory, ProviderError
from engine.events import ProviderFailed, SessionEvent, ToolCalled, UsageRecorded
from engine.latency import TurnMoments
from engine.ports import LanguageModel, Message, ReplyFinished, TextDelta, TextToSpeech, ToolCall, ToolSpec
from engine.resample import Resampler
from engine.sentences import SentenceCutter, cut
from engine.speech import for_voice
from engine.tools import END_CALL, Toolbox
from engine.transcript import AgentTurn, Piece, Transcript
from engine.tuning import Tuning

_MOST_WAITING_SENTENCES = 64


class Mouth(Protocol):
    """Where a reply's audio goes. `begin` a turn, `open` and `close` its pieces, `write` between them, then `finish`."""

    def begin(self) -> None: ...

    def open(self, piece: Piece) -> None: ...

    async def write(self, pcm: bytes) -> None: ...

    def close(self, piece: Piece) -> None: ...

    def finish(self) -> None: ...

    async def room(self) -> None:
        """Waits until so little is queued that the next piece should be fetched."""

    async def heard_to_end(self, *, patient: bool) -> None:
        """Waits, after `finish`, until the caller has heard the whole turn."""


@dataclass(frozen=True, slots=True)
class ReplyParts:
    """What every reply of a session is made with. `now_ms` is the session's clock; `emit` must not block."""

    llm: LanguageModel
    tts: TextToSpeech
    playback: Mouth
    transcript: Transcript
    toolbox: Toolbox
    tuning: Tuning
    link_rate_hz: int
    goodbye: str
    now_ms: Callable[[], int]
    emit: Callable[[SessionEvent], None]


class Reply:
    """Makes and speaks one agent turn. `on_goodbye` is called when the model decides that the call ends with this turn."""

    def __init__(self, parts: ReplyParts, turn: AgentTurn, moments: TurnMoments | None, on_goodbye: Callable[[], None]) -> None:
        self._parts = parts
        self._turn = turn
        self._moments = moments
        self._on_goodbye = on_goodbye
        self._sentences: asyncio.Queue[Piece | None] = asyncio.Queue(_MOST_WAITING_SENTENCES)
        self._resampler = Resampler(parts.tts.sample_rate_hz, parts.link_rate_hz)
        self._cutter = SentenceCutter()
        self._ends_call = False
        self.failed = False

    @property
    def spoke(self) -> bool:
        """Whether at least one whole sentence was given to the line."""
        return any(piece.end_ms is not None and piece.start_ms != piece.end_ms for piece in self._turn.pieces)

    async def answer(self) -> None:
        """Lets the model answer the transcript. Returns when the answer was heard to its end, or failed (`failed`)."""
        await self._perform(None)

    async def say(self, text: str, *, is_goodbye: bool = False) -> None:
        """Speaks a prepared `text`. Returns as `answer` does."""
        self._ends_call = is_goodbye
        await self._perform(text)

    async def _perform(self, text: str | None) -> None:
        self._parts.playback.begin()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._speak_sentences(), name="speak")
                try:
                    await (self._think() if text is None else self._queue(cut(text)))
                except ProviderError as error:
                    self._fail(error)  # what is written already is still spoken
                await self._sentences.put(None)
        except* ProviderError as group:
            self._fail(_first(group))
        self._parts.playback.finish()
        await self._parts.playback.heard_to_end(patient=self._ends_call)

    def _fail(self, error: ProviderError) -> None:
        self.failed = True
        self._parts.emit(ProviderFailed(error.provider, error.category.value, error.message, self._parts.now_ms()))

    # --- the model writes ---------------------------------------------------------------------------------------------

    async def _think(self) -> None:
        for round_number in range(self._parts.tuning.max_tool_rounds + 1):
            may_call = round_number < self._parts.tuning.max_tool_rounds
            calls = await self._write(self._parts.transcript.messages(), self._parts.toolbox.specs if may_call else (END_CALL,))
            for call in calls:
                await self._use_tool(call)
            if self._ends_call or not calls:
                break
        if not self._turn.pieces and not self._ends_call:
            raise ProviderError(
                self._parts.llm.provider, ErrorCategory.PROTOCOL, "the model finished without saying anything", retryable=True
            )

    async def _write(self, messages: list[Message], tools: tuple[ToolSpec, ...]) -> list[ToolCall]:
        """One stream of the model, cut into sentences. Gives the tools that it asks for, `end_call` left out."""
        tuning, llm = self._parts.tuning, self._parts.llm
        loop = asyncio.get_running_loop()
        calls: list[ToolCall] = []
        spoke_before = len(self._turn.pieces)
        finished = False
        try:
            async with (
                asyncio.timeout(tuning.llm_first_token_ms / 1000) as deadline,
                llm.reply(messages, tools) as stream,
            ):
                async for event in stream:
                    deadline.reschedule(None)  # our own back-pressure is not the model's fault
                    match event:
                        case TextDelta(text=text):
                            if text:
                                self._note_first_token()
                                await self._queue(self._cutter.feed(text))
                        case ToolCall(name=name):
                            self._note_first_token()
                            if name == END_CALL.name:
                                self._end_call()
                            else:
                                calls.append(event)
                        case ReplyFinished(usage=usage):
                            finished = True
                            for record in usage:
                                self._parts.emit(UsageRecorded(record, self._parts.now_ms()))
                    deadline.reschedule(loop.time() + tuning.llm_between_tokens_ms / 1000)
        except TimeoutError:
            raise ProviderError(
                llm.provider, ErrorCategory.TIMEOUT, "the model stopped writing; a faster model or a fallback may help", retryable=True
            ) from None
        if not finished:
            raise ProviderError(llm.provider, ErrorCategory.TRUNCATED, "the model's answer broke off", retryable=True)
        await self._queue(self._cutter.flush())
        if self._ends_call and len(self._turn.pieces) == spoke_before:
            await self._queue(cut(self._parts.goodbye))
        return calls

    def _end_call(self) -> None:
        if not self._ends_call:
            self._ends_call = True
            self._on_goodbye()

    async def _use_tool(self, call: ToolCall) -> None:
        """Runs one tool; its result is in the transcript before anything can cancel us."""
        started_ms = self._parts.now_ms()
        result = await self._parts.toolbox.call(call)
        self._parts.transcript.add_tools([call], [result.content])
        now_ms = self._parts.now_ms()
        self._parts.emit(ToolCalled(call.name, result.ok, now_ms, now_ms - started_ms))

    def _note_first_token(self) -> None:
        if self._moments is not None and self._moments.first_token_ms is None:
            self._moments.first_token_ms = self._parts.now_ms()

    async def _queue(self, sentences: list[str]) -> None:
        for sentence in sentences:
            await self._sentences.put(self._parts.transcript.add_piece(self._turn, sentence))

    # --- the voice speaks ---------------------------------------------------------------------------------------------

    async def _speak_sentences(self) -> None:
        while (piece := await self._sentences.get()) is not None:
            words = for_voice(piece.text)
            if words:
                await self._parts.playback.room()
                await self._speak(piece, words)

    async def _speak(self, piece: Piece, words: str) -> None:
        tuning, tts, playback = self._parts.tuning, self._parts.tts, self._parts.playback
        loop = asyncio.get_running_loop()
        if self._moments is not None and self._moments.sentence_ms is None:
            self._moments.sentence_ms = self._parts.now_ms()
        try:
            async with (
                asyncio.timeout(tuning.tts_first_audio_ms / 1000) as deadline,
                tts.speak(words) as audio,
            ):
                async for chunk in audio:
                    if not chunk.pcm:
                        continue
                    deadline.reschedule(None)
                    if piece.start_ms is None:
                        playback.open(piece)
                        for record in tts.usage(words):  # a request that was refused is not paid; one that began to speak is
                            self._parts.emit(UsageRecorded(record, self._parts.now_ms()))
                        if self._moments is not None and self._moments.tts_audio_ms is None:
                            self._moments.tts_audio_ms = self._parts.now_ms()
                    await playback.write(self._resampler.convert(chunk.pcm))
                    deadline.reschedule(loop.time() + tuning.tts_between_audio_ms / 1000)
        except TimeoutError:
            raise ProviderError(
                tts.provider, ErrorCategory.TIMEOUT, "the voice stopped sending audio; a fallback voice may help", retryable=True
            ) from None
        if piece.start_ms is None:
            raise ProviderError(tts.provider, ErrorCategory.PROTOCOL, "the voice finished without any audio", retryable=True)
        await playback.write(self._resampler.flush())
        playback.close(piece)


def _first(group: BaseExceptionGroup[ProviderError]) -> ProviderError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ProviderError)
    return error
