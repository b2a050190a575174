"""The speaking half of a reply: sentence after sentence becomes audio, from memory where it is known, from the provider where it is not.

A voice that fails before a sentence is asked once more. One that breaks off inside it speaks the rest if it told where it was; else the
sentence stays cut, and the next one follows: nothing is said twice.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from engine.audio import AudioChunk, duration_ms
from engine.errors import ErrorCategory, ProviderError
from engine.latency import TurnMoments
from engine.ports import SpokenAudio, is_switching, working
from engine.reply_parts import ReplyParts
from engine.resample import Resampler
from engine.speech import for_voice
from engine.spending import Spending
from engine.transcript import Piece

_MOST_WAITING_SENTENCES = 64


class Voice:
    """Speaks the pieces of one turn in order. Until `released` only the first is fetched."""

    def __init__(
        self,
        parts: ReplyParts,
        spending: Spending,
        moments: TurnMoments | None,
        *,
        released: asyncio.Event,
        on_change: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._spending = spending
        self._moments = moments
        self._released = released
        self._on_change = on_change
        self._waiting: asyncio.Queue[Piece | None] = asyncio.Queue(_MOST_WAITING_SENTENCES)
        self._resampler = Resampler(parts.tts.sample_rate_hz, parts.link_rate_hz)
        self._is_first = True
        self.fetching: Piece | None = None  # the piece that is being made; not audible while it has no `start_ms`
        self.has_answered = False  # audio other than a filler's was given to the line
        self.has_asked_again = False
        self.is_cut_short = False  # the last sentence broke off, and none has followed
        self._switches_before = 0  # until the sentence in work
        self._waited_in_vain: bool | None = None  # for a sentence that was given up

    @property
    def is_idle(self) -> bool:
        return self.fetching is None and self._waiting.empty()

    @property
    def is_mute(self) -> bool:
        """Whether a sentence was waited for in vain, or is being waited for a second time: the next one would be too."""
        if self._waited_in_vain is not None:
            return self._waited_in_vain
        is_second_try = self.has_asked_again or self._switches() > self._switches_before
        return is_second_try and self.fetching is not None and self.fetching.start_ms is None

    async def put(self, piece: Piece) -> None:
        await self._waiting.put(piece)

    async def end(self) -> None:
        """No further piece follows."""
        await self._waiting.put(None)

    async def run(self) -> None:
        """Speaks until `end`. Raises `ProviderError` if a sentence could not be begun: what follows it would make no sense."""
        while (piece := await self._waiting.get()) is not None:
            self.fetching = piece
            words = for_voice(piece.text, self._parts.pronunciations)
            if words:
                if not self._is_first:
                    await self._released.wait()
                self._is_first = False
                await self._parts.playback.room()
                await self._say(piece, words)
            self.fetching = None
            self._on_change()

    def say_known(self, piece: Piece, pcm: bytes) -> None:
        """Says what is in memory, at once, where no piece is open and the line is quiet."""
        self._begin(piece)
        self._parts.playback.open(piece)
        self._parts.playback.add(pcm)
        self._parts.playback.close(piece)

    def known(self, text: str, words: str | None = None) -> bytes | None:
        """The audio of a sentence that needs no provider. `words` is how it is spoken, if that is known already."""
        prepared = self._parts.prepared
        pcm = prepared.get(text.strip()) if prepared is not None else None
        if pcm is not None:
            return pcm
        return self._parts.cache.get(for_voice(text, self._parts.pronunciations) if words is None else words)

    async def _say(self, piece: Piece, words: str) -> None:
        pcm = self.known(piece.text, words)
        if pcm is not None:
            self.say_known(piece, pcm)
            self.is_cut_short = False
            return
        piece.spoken = words
        sound = _Sound(self._parts.link_rate_hz, self._parts.cache.longest_bytes)
        try:
            await self._speak(piece, words, sound)
        except ProviderError as error:
            if not error.retryable:
                self._leave(piece, error)
                return
            rest = words[spoken_until(piece, sound.ms) :] if piece.start_ms is not None else words
            if piece.start_ms is not None and not piece.ends:
                self._leave(piece, error)  # nobody knows which words were missing
                return
            self._parts.report(error)
            self.has_asked_again = True
            try:
                await self._speak(piece, rest, sound)
            except ProviderError as again:
                self._leave(piece, again)
                return
        else:
            tts = self._parts.tts
            self._parts.cache.keep(words, sound.parts, own_voice=working(tts) == (tts.provider, tts.model))
        self._parts.playback.close(piece)
        self.is_cut_short = False

    def _leave(self, piece: Piece, error: ProviderError) -> None:
        """Gives the rest of a piece up; the whole turn if there is no audio of it."""
        if piece.start_ms is None:
            self._waited_in_vain = error.category is ErrorCategory.TIMEOUT
            raise error
        self._parts.report(error)
        self._parts.playback.close(piece)
        piece.break_off()
        self.is_cut_short = True

    async def _speak(self, piece: Piece, words: str, sound: "_Sound") -> None:
        tuning, tts, playback = self._parts.tuning, self._parts.tts, self._parts.playback
        base_ms, any_audio = sound.ms, False
        self._switches_before = self._switches()
        if self._moments is not None and self._moments.sentence_ms is None:
            self._moments.sentence_ms = self._parts.now_ms()
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(tuning.tts_first_audio_ms / 1000):
                    chunks = await stack.enter_async_context(tts.speak(words))
                    chunk: AudioChunk | None = await anext(chunks, None)
                    while chunk is not None and not chunk.pcm:
                        chunk = await anext(chunks, None)
                while chunk is not None:  # our own back-pressure is not the voice's fault: the clock stands while we take audio
                    if not any_audio:
                        any_audio = True
                        self._spending.use(tts.usage(words))  # a request that was refused is not paid; one that began to speak is
                    if isinstance(chunk, SpokenAudio):
                        piece.align(chunk.characters, base_ms)
                    if chunk.pcm:
                        if piece.start_ms is None:
                            self._begin(piece)
                            playback.open(piece)
                        await playback.write(sound.add(self._resampler.convert(chunk.pcm)))
                    async with asyncio.timeout(tuning.tts_between_audio_ms / 1000):
                        chunk = await anext(chunks, None)
        except TimeoutError:
            raise ProviderError(
                working(tts)[0], ErrorCategory.TIMEOUT, "the voice stopped sending audio; a fallback voice may help", retryable=True
            ) from None
        finally:
            tail = self._resampler.flush()
        if not any_audio:
            raise ProviderError(working(tts)[0], ErrorCategory.PROTOCOL, "the voice finished without any audio", retryable=True)
        await playback.write(sound.add(tail))

    def _switches(self) -> int:
        return self._parts.tts.switches if is_switching(self._parts.tts) else 0

    def _begin(self, piece: Piece) -> None:
        if not piece.filler:
            self.has_answered = True
            if self._moments is not None and self._moments.tts_audio_ms is None:
                self._moments.tts_audio_ms = self._parts.now_ms()
        self._on_change()


class _Sound:
    """The audio of one sentence while it arrives. `parts` is all of it, or nothing once it is longer than `most_kept_bytes`."""

    def __init__(self, rate_hz: int, most_kept_bytes: int) -> None:
        self._rate_hz = rate_hz
        self._most_kept_bytes = most_kept_bytes
        self._size = 0
        self.parts: list[bytes] = []

    def add(self, pcm: bytes) -> bytes:
        self._size += len(pcm)
        if self._size <= self._most_kept_bytes:
            self.parts.append(pcm)
        else:
            self.parts.clear()
        return pcm

    @property
    def ms(self) -> float:
        return duration_ms(self._size, self._rate_hz)


def spoken_until(piece: Piece, played_ms: float) -> int:
    """Where the words that `played_ms` of the piece's audio do not hold begin in `piece.spoken`. A word cut in half is not held."""
    count, words = piece.ended_characters(played_ms), piece.spoken
    while 0 < count < len(words) and not words[count - 1].isspace() and not words[count].isspace():
        count -= 1
    piece.ends = [each for each in piece.ends if each[0] <= count]
    return count
