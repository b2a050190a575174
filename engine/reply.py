"""One agent turn, from the model's first token to the caller's ear, as ONE task: an interruption is one `cancel()`.

While a sentence plays the next is being spoken and the one after is being written; each stage is bounded by the one behind it. A failing
provider ends the turn with an outcome, never with silence: what was said stays said, and whoever asked decides what comes next.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from engine.errors import DOWN, ErrorCategory, ProviderError
from engine.events import EndReason, UsageRecorded
from engine.filler import Quiet, filler_wait_ms
from engine.latency import TurnMoments
from engine.ports import is_switching, working
from engine.reply_parts import Mouth, ReplyParts
from engine.sentences import cut
from engine.spending import Spending
from engine.transcript import AgentTurn
from engine.usage import UsageRecord
from engine.voice import Voice
from engine.writer import Writer

__all__ = ["Mouth", "Reply", "ReplyParts"]

_DEAD_AFTER_MS = 3500  # two requests, one after the other, have had the time for a first sign of life
_SWITCH_LOOK_MS = 200  # how often a port is asked whether it has turned to another provider


class Reply:
    """Makes and speaks one agent turn. `on_end` is called when it is clear that the call ends with this turn, and why; `on_written` once
    the model has written all of it and uses no tool any more.

    A turn that supposes something is a draft: it is made ahead, and nothing of it is heard, done or told before `release`.
    """

    def __init__(
        self,
        parts: ReplyParts,
        turn: AgentTurn,
        moments: TurnMoments | None,
        on_end: Callable[[EndReason], None],
        on_written: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._turn = turn
        self._moments = moments
        self._released = asyncio.Event()
        if turn.supposes is None:
            self._released.set()
        self._changed = asyncio.Event()
        self._spending = Spending(self._emit_usage, is_draft=turn.supposes is not None)
        self._voice = Voice(parts, self._spending, moments, released=self._released, on_change=self._changed.set)
        self._writer = Writer(
            parts,
            turn,
            self._spending,
            moments,
            released=self._released,
            queue=self._queue,
            on_end=on_end,
            on_change=self._changed.set,
            evidence=f"estimate-{asyncio.get_running_loop().time():.6f}",
        )
        self._on_written = on_written
        self._is_written = False
        self._is_goodbye = False
        self._switches = self._count_switches()
        self.failed = False
        self._is_only_slow = False
        self.is_down = False  # it failed since nobody could be reached, not since somebody stumbled
        self._was_quiet = False  # when it failed

    @property
    def is_draft(self) -> bool:
        return not self._released.is_set()

    @property
    def spoke(self) -> bool:
        """Whether at least one whole sentence that is no filler was given to the line."""
        return any(
            piece.end_ms is not None and piece.start_ms != piece.end_ms and piece.whole_ms is None and not piece.filler
            for piece in self._turn.pieces
        )

    @property
    def is_awaited(self) -> bool:
        """Whether it failed in a way that leaves the caller waiting: in a sentence, behind a filler, or after a silence."""
        return self.failed and (self._voice.is_cut_short or self._was_quiet or self._fillers() > 0)

    async def answer(self) -> None:
        """Lets the model answer the transcript. Returns when the answer was heard to its end, or failed (`failed`)."""
        await self._perform(None)

    @property
    def is_mute(self) -> bool:
        """Whether it failed for want of a voice."""
        return self.failed and self._voice.is_mute

    async def say(self, text: str, *, is_goodbye: bool = False, from_memory: bool = False) -> None:
        """Speaks a prepared `text`. Returns as `answer` does. `from_memory`: the voice is known to be of no use, so nobody waits for it."""
        if from_memory and self._voice.known(text) is None:
            self.failed = True
            return
        self._is_goodbye = is_goodbye
        await self._perform(text)

    def release(self, moments: TurnMoments) -> None:
        """The draft is wanted: from now on it is a turn like any other. `moments` tell of the caller's turn that it answers."""
        if self._moments is not None:
            self._moments.last_word_ms, self._moments.decided_ms = moments.last_word_ms, moments.decided_ms
        self._parts.transcript.adopt(self._turn)
        self._spending.settle()
        self._released.set()
        self._parts.playback.release()
        self._writer.tell_end()
        self._tell_written()

    async def wait_released(self) -> None:
        await self._released.wait()

    def account(self, purpose: str = "") -> None:
        """The reply's task is over, by its own end or by cancellation: what it used and has not told is told now."""
        self._writer.account()
        self._spending.settle(purpose)

    async def _perform(self, text: str | None) -> None:
        self._parts.playback.begin(held=self.is_draft)
        try:
            async with asyncio.TaskGroup() as tasks:
                speaking = tasks.create_task(self._voice.run(), name="speak")
                watching = tasks.create_task(self._watch(may_fill=text is None), name="watch")
                try:
                    await (self._writer.write() if text is None else self._recite(text))
                except ProviderError as error:
                    self._fail(error)  # what is written already is still spoken
                self._is_written = True
                self._tell_written()
                await self._voice.end()
                await asyncio.wait({speaking})
                watching.cancel()
        except* ProviderError as group:
            self._fail(_first(group))
        self.failed = self.failed or self._voice.is_cut_short
        self._parts.playback.finish()
        await self._parts.playback.heard_to_end(patient=self._is_goodbye or self._writer.ends is not None)

    async def _recite(self, text: str) -> None:
        for sentence in [text] if self._voice.known(text) is not None else cut(text):
            await self._queue(sentence)

    async def _queue(self, sentence: str) -> None:
        await self._voice.put(self._parts.transcript.add_piece(self._turn, sentence))

    def _tell_written(self) -> None:
        if self._is_written and self._released.is_set() and not self.failed:
            self._on_written()

    def _fail(self, error: ProviderError) -> None:
        self.failed = True
        self.is_down = error.category in DOWN and not self._is_only_slow
        self._was_quiet = self._parts.playback.quiet_ms() >= self._parts.tuning.filler_after_ms
        self._parts.report(error)

    def _emit_usage(self, record: UsageRecord) -> None:
        self._parts.emit(UsageRecorded(record, self._parts.now_ms()))

    # --- the caller waits ---------------------------------------------------------------------------------------------

    async def _watch(self, *, may_fill: bool) -> None:
        """Bridges what takes long with a filler, and gives up what takes too long. Ends by being cancelled."""
        await self._released.wait()
        begun_ms = self._parts.now_ms()
        while True:
            self._changed.clear()
            due_ms = [self._budget_left_ms(begun_ms)]
            if may_fill:
                due_ms.append(await self._fill_if_due(begun_ms))
            wait_ms = min((each for each in due_ms if each is not None), default=None)
            with suppress(TimeoutError):
                async with asyncio.timeout(None if wait_ms is None else max(1, wait_ms) / 1000):
                    await self._changed.wait()

    def _budget_left_ms(self, begun_ms: int) -> float | None:
        """How long the answer may still take to become audible; None where time does not count. Raises when it is over."""
        if self._voice.has_answered or self._writer.tool is not None or (self._is_written and self._voice.is_idle):
            return None
        left_ms = self._parts.tuning.answer_budget_ms + begun_ms + self._writer.tools_took_ms - self._parts.now_ms()
        if left_ms > 0:
            return left_ms
        has_tried_all = self._writer.has_asked_again or self._voice.has_asked_again or self._count_switches() > self._switches
        self._is_only_slow = not has_tried_all or self._silent_ms(begun_ms) < _DEAD_AFTER_MS
        slow = working(self._parts.llm if self._voice.is_idle else self._parts.tts)
        raise ProviderError(
            slow[0], ErrorCategory.TIMEOUT, "nothing could be said in time; a faster provider or a fallback may help", retryable=True
        )

    def _silent_ms(self, begun_ms: int) -> float:
        """For how long the one who is waited for has given nothing at all."""
        moments, now_ms = self._moments, self._parts.now_ms()
        if moments is None or not self._voice.is_idle:
            return now_ms - (begun_ms if moments is None or moments.sentence_ms is None else max(begun_ms, moments.sentence_ms))
        return 0 if moments.first_token_ms is not None else now_ms - begun_ms

    async def _fill_if_due(self, begun_ms: int) -> float | None:
        """Says a filler if it is time for one. Gives the ms until the next look; None if nothing is waited for."""
        writer, parts = self._writer, self._parts
        own_words = parts.toolbox.meanwhile(writer.tool) if writer.tool is not None else None
        words = parts.filler if own_words is None else own_words
        if not words or (self._is_written and self._voice.is_idle):
            return None
        now_ms = parts.now_ms()
        switched = self._count_switches() > self._switches
        fillers = self._fillers()
        since_ms = begun_ms if fillers else max(begun_ms, writer.tool_ended_ms)  # a tool that needs no filler was no dead air
        quiet_ms = min(parts.playback.quiet_ms(), now_ms - since_ms)
        quiet = Quiet(
            quiet_ms=quiet_ms,
            tool_ms=now_ms - writer.tool_began_ms if writer.tool is not None else None,
            has_words=bool(own_words),
            said_anything=bool(self._turn.pieces),
            switched=switched,
            fillers=fillers,
        )
        due_ms = filler_wait_ms(quiet, parts.tuning)
        if due_ms <= 0:
            await self._say_filler(words)
            return parts.tuning.filler_again_ms
        can_switch = is_switching(parts.llm) or is_switching(parts.tts)
        return min(due_ms, _SWITCH_LOOK_MS) if can_switch and not switched and quiet_ms >= 0 else due_ms

    async def _say_filler(self, words: str) -> None:
        voice, pending = self._voice, self._voice.fetching
        if voice.is_idle:
            await voice.put(self._parts.transcript.add_filler(self._turn, words, None))
        elif pending is not None and pending.start_ms is None and not pending.filler:
            pcm = voice.known(words)  # the voice itself is slow: only what is in memory can be said
            if pcm is not None:
                voice.say_known(self._parts.transcript.add_filler(self._turn, words, pending), pcm)

    def _fillers(self) -> int:
        """How many fillers were said since the answer's last words."""
        count = 0
        for piece in reversed(self._turn.pieces):
            if piece.filler:
                count += 1
            elif piece.start_ms is not None:
                break
        return count

    def _count_switches(self) -> int:
        return sum(port.switches for port in (self._parts.llm, self._parts.tts) if is_switching(port))


def _first(group: BaseExceptionGroup[ProviderError]) -> ProviderError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ProviderError)
    return error
