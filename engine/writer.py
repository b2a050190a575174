"""The writing half of a reply: asks the model, runs the tools it wants, and cuts its words into sentences.

A stream that breaks is asked for once more, and goes on from what was written: no sentence is ever given out twice. A draft writes, but
uses no tool and ends no call before it is released: both can be seen by the world.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from engine.errors import ErrorCategory, ProviderError
from engine.events import EndReason, ToolCalled
from engine.latency import TurnMoments
from engine.ports import LanguageModelEvent, Message, ReplyFinished, TextDelta, ToolCall, ToolSpec, working
from engine.reply_parts import ReplyParts
from engine.sentences import SentenceCutter, cut
from engine.spending import FAILED, INTERRUPTED, Spending, estimate
from engine.tools import END_CALL
from engine.transcript import AgentTurn

_GO_ON = (
    "A fault cut your reply off. The caller heard what stands in your last message. Go on exactly where it ends: "
    "do not repeat any of it, do not greet, do not apologise."
)


class Writer:
    """Writes one turn. `queue` takes each sentence; `on_end` is told once that the call ends with this turn, and why."""

    def __init__(
        self,
        parts: ReplyParts,
        turn: AgentTurn,
        spending: Spending,
        moments: TurnMoments | None,
        *,
        released: asyncio.Event,
        queue: Callable[[str], Awaitable[None]],
        on_end: Callable[[EndReason], None],
        on_change: Callable[[], None],
        evidence: str,
    ) -> None:
        self._parts = parts
        self._turn = turn
        self._spending = spending
        self._moments = moments
        self._released = released
        self._queue = queue
        self._on_end = on_end
        self._on_change = on_change
        self._evidence = evidence
        self._cutter = SentenceCutter()  # a new one for every stream: the caller waits for its first words
        self._repeated: deque[str] = deque()  # sentences that a second attempt may begin with again
        self._asked: Sequence[Message] | None = None  # of the stream that is open or was left early
        self._written: list[str] = []
        self._asked_whom = working(parts.llm)
        self._streams = 0
        self.has_asked_again = False
        self._has_told_end = False
        self.ends: EndReason | None = None
        self.tool: str | None = None  # the one that runs now
        self.tool_began_ms = 0
        self.tool_ended_ms = 0  # the last one
        self.tools_took_ms = 0

    async def write(self) -> None:
        """Returns once everything is written. Raises `ProviderError`."""
        tuning = self._parts.tuning
        for round_number in range(tuning.max_tool_rounds + 1):
            may_call = round_number < tuning.max_tool_rounds
            calls = await self._ask(self._parts.toolbox.specs if may_call else (END_CALL,))
            if calls:
                await self._released.wait()
            for call in calls:
                await self._use_tool(call)
                if self.ends:
                    break
            if self.ends or not calls:
                break
        if not self._turn.has_answer and not self.ends:
            raise ProviderError(self._asked_whom[0], ErrorCategory.PROTOCOL, "the model finished without saying anything", retryable=True)

    def tell_end(self) -> None:
        """Says that the call ends with this turn, if it does and may be said."""
        if self.ends is not None and self._released.is_set() and not self._has_told_end:
            self._has_told_end = True
            self._on_end(self.ends)

    def account(self, purpose: str = INTERRUPTED) -> None:
        """Accounts, by estimate, for a stream that was left (or broke off: FAILED) before it told what it used."""
        if self._asked is not None:
            asked, self._asked = self._asked, None
            self._spending.use(estimate(*self._asked_whom, asked, "".join(self._written), f"{self._evidence}-{self._streams}", purpose))

    # --- the model ----------------------------------------------------------------------------------------------------

    async def _ask(self, tools: tuple[ToolSpec, ...]) -> list[ToolCall]:
        """One answer of the model, a second attempt included. Gives the tools that it asks for, `end_call` left out."""
        before = len(self._turn.pieces)
        try:
            return await self._stream(self._parts.transcript.messages(self._turn), tools, before)
        except ProviderError as error:
            if self._written:
                self.account(FAILED)  # it broke off: what it wrote is probably charged
            self._asked = None
            if self.has_asked_again or not error.retryable:
                raise
            self.has_asked_again = True
            self._parts.report(error)
        said = [piece.text for piece in self._turn.pieces[before:] if not piece.filler]
        messages = self._parts.transcript.messages(self._turn)
        if said:
            messages.append(Message("system", _GO_ON))
        self._repeated = deque(said)
        try:
            return await self._stream(messages, tools, before)
        except ProviderError:
            if self._written:
                self.account(FAILED)
            self._asked = None
            raise
        finally:
            self._repeated.clear()

    async def _stream(self, messages: list[Message], tools: tuple[ToolSpec, ...], before: int) -> list[ToolCall]:
        """One stream of the model, cut into sentences."""
        tuning, llm = self._parts.tuning, self._parts.llm
        calls: list[ToolCall] = []
        self._streams += 1
        self._written = []
        self._cutter = SentenceCutter()
        finished = False
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(tuning.llm_first_token_ms / 1000):
                    self._asked = messages
                    events = await stack.enter_async_context(llm.reply(messages, tools))
                    event: LanguageModelEvent | None = await anext(events, None)
                while event is not None:  # our own back-pressure is not the model's fault: the clock stands while we take an event
                    finished = await self._take(event, calls) or finished
                    async with asyncio.timeout(tuning.llm_between_tokens_ms / 1000):
                        event = await anext(events, None)
        except TimeoutError:
            raise ProviderError(
                working(llm)[0], ErrorCategory.TIMEOUT, "the model stopped writing; a faster model or a fallback may help", retryable=True
            ) from None
        finally:
            self._asked_whom = working(llm)
        if not finished:
            raise ProviderError(self._asked_whom[0], ErrorCategory.TRUNCATED, "the model's answer broke off", retryable=True)
        await self._give(self._cutter.flush())
        if self.ends and len(self._turn.pieces) == before:
            await self._give(cut(self._parts.goodbye))
        return calls

    async def _take(self, event: LanguageModelEvent, calls: list[ToolCall]) -> bool:
        """Takes one event in; True if it was the last."""
        match event:
            case TextDelta(text=text):
                if text:
                    self._note_first_token()
                    self._written.append(text)
                    await self._give(self._cutter.feed(text))
            case ToolCall(name=name):
                self._note_first_token()
                if name == END_CALL.name:
                    self._end(EndReason.AGENT_GOODBYE)
                else:
                    calls.append(event)
            case ReplyFinished(usage=usage):
                self._asked = None
                self._spending.use(usage)
                return True
        return False

    async def _give(self, sentences: list[str]) -> None:
        for sentence in sentences:
            if self._repeated:
                if self._repeated.popleft().split() == sentence.split():
                    continue  # the second attempt says what the first has said already
                self._repeated.clear()
            await self._queue(sentence)

    def _note_first_token(self) -> None:
        if self._moments is not None and self._moments.first_token_ms is None:
            self._moments.first_token_ms = self._parts.now_ms()

    def _end(self, reason: EndReason) -> None:
        self.ends = self.ends or reason
        self.tell_end()

    # --- its tools ----------------------------------------------------------------------------------------------------

    async def _use_tool(self, call: ToolCall) -> None:
        """Runs one tool; its result is in the transcript before anything can cancel us."""
        self.tool, self.tool_began_ms = call.name, self._parts.now_ms()
        self._on_change()
        try:
            result = await self._parts.toolbox.call(call)
            self._parts.transcript.add_tools([call], [result.content])
        finally:
            self.tool, self.tool_ended_ms = None, self._parts.now_ms()
            took_ms = self.tool_ended_ms - self.tool_began_ms
            self.tools_took_ms += took_ms
            self._on_change()
        self._parts.emit(ToolCalled(call.name, result.ok, self._parts.now_ms(), took_ms))
        await self._give(cut(result.say))
        if result.ends is not None:
            self._end(result.ends)
