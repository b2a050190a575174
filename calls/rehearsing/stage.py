"""Holds one conversation in writing: the real engine on a thread and a loop of its own, which skips the waiting.

Rows, and whoever plays the caller, stay with the thread that asked for the conversation: it is told each event, asked for each line, and
does what the agent's tools have to write down.
"""

import asyncio
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from agents import assembly
from agents.ledger import Begun, Ending, Ledger
from agents.spec import AgentSpec, DestinationSpec
from agents.tools import hand_over
from calls.rehearsing.skipping import SkippingLoop
from calls.rehearsing.talk import Talk, ToolUse, keys_of
from calls.rehearsing.written import SilentVoice, Typing, WrittenLine
from engine.events import AgentTurnEnded, AgentTurnStarted, SessionEnded, SessionEvent, SessionStarted, UserTurnEnded
from engine.keypad import Keypad
from engine.ports import LanguageModel, LanguageModelEvent, Message, ToolSpec
from engine.session import ConversationSession, SessionParts, SessionPlan
from engine.tools import Tool, ToolOutcome
from providers.connection import LoopClients

T = TypeVar("T")

REACTION_S = 0.8  # people take that long to answer
_LOOK_S = 0.05
_MOST_WAITING = 20_000
_COLLECT = "collect_digits"
LIMIT_S = 300.0  # of real time: a worker's lease leaves room for the judgement as well
_END_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Say:
    """Words; keys if the agent is asking for keys and it is nothing else."""

    text: str


@dataclass(frozen=True, slots=True)
class HangUp:
    pass


@dataclass(frozen=True, slots=True)
class StaySilent:
    """Nothing is said until the agent speaks again."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Nobody hangs up: the conversation is put aside as it stands, to go on another time."""


Answer = Say | HangUp | StaySilent | Leave


class Caller(Protocol):
    def answer(self, talk: Talk, *, is_asked_for_keys: bool) -> Answer:
        """What the caller does now that the agent has said what `talk` ends with. Blocks as long as it likes; may raise."""


class TookTooLong(Exception):
    """The conversation did not come to an end in time."""

    message = "The conversation took longer than its limit of real time. Is the language model slow, or does a tool hang?"


class Bookkeeper(Protocol):
    """What the agent's tools may write down; called on the thread that asked for the conversation."""

    def begin_tool(self, tool: str, arguments: dict[str, Any], *, acts: bool) -> Begun: ...

    def end_tool(self, run_id: int, state: Ending, result: str) -> None: ...

    def transfer(self, destination: DestinationSpec) -> bool: ...


@dataclass(frozen=True, slots=True)
class Before:
    """What was said before in the same conversation, which then is not greeted anew, and how long that took."""

    history: tuple[Message, ...] = ()
    elapsed_ms: int = 0


def hold(
    spec: AgentSpec,
    caller: Caller,
    *,
    call: assembly.OnCall | None = None,
    books: Bookkeeper | None = None,
    before: Before = Before(),
    take: Callable[[SessionEvent], None] = lambda event: None,
    model: LanguageModel | None = None,
    limit_s: float = LIMIT_S,
) -> Talk:
    """Holds the conversation to its end, or until the caller leaves it. `take` is told each event.

    Raises `NotReady`, `TookTooLong`, and what the caller raises. What the engine's providers do wrong is part of the conversation.
    """
    stage = _Stage(spec, call or assembly.OnCall(assembly.facts_of(spec)), books, before, model)
    talk = Talk()
    deadline = time.monotonic() + limit_s
    stage.thread.start()
    try:
        while not isinstance(told := stage.next(deadline), _Over):
            match told:
                case _Asked(is_asked_for_keys=keys):
                    answer = caller.answer(talk, is_asked_for_keys=keys)
                    talk.is_left = isinstance(answer, Leave)
                    stage.answer(answer)
                case _Deed():
                    stage.do(told)
                case ToolUse():
                    talk.used(told)
                case _:
                    talk.take(told)
                    take(told)
        if told.error is not None:
            raise told.error
        talk.history = told.history
    finally:
        stage.close()
    return talk


def talk(spec: AgentSpec, lines: Iterable[str], **how: Any) -> Talk:
    """The conversation in which the caller says these lines, one after the other, and hangs up."""
    return hold(spec, Reader(lines), **how)


class Reader:
    """A caller with a script; an empty line is a silence."""

    def __init__(self, lines: Iterable[str], then: Answer = HangUp()) -> None:
        self._lines = iter(lines)
        self._then = then

    def answer(self, talk: Talk, *, is_asked_for_keys: bool) -> Answer:
        line = next(self._lines, None)
        if line is None:
            return self._then
        return Say(line) if line.strip() else StaySilent()


# --- the thread of the conversation -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    is_asked_for_keys: bool


@dataclass(frozen=True, slots=True)
class _Deed:
    work: Callable[[], Any]
    done: "asyncio.Future[Any]"


@dataclass(frozen=True, slots=True)
class _Over:
    error: BaseException | None
    history: tuple[Message, ...] = ()


_Told = _Asked | _Deed | _Over | ToolUse | SessionEvent


class _Stage:
    """Two threads' meeting place: the conversation's own loop, and a queue of what it tells and asks."""

    def __init__(
        self, spec: AgentSpec, call: assembly.OnCall, books: Bookkeeper | None, before: Before, model: LanguageModel | None
    ) -> None:
        model = model or assembly.language_model(spec)
        self._told: queue.Queue[_Told] = queue.Queue(_MOST_WAITING)
        self._line, self._typing, self._keypad = WrittenLine(), Typing(), Keypad()
        call = replace(call, ledger=_Ledger(self.have_done, books) if books is not None else None)
        tools = [self._watched(tool) for tool in assembly.tools_of(spec, call, self._keypad)]
        self._plan = _continued(assembly.plan(spec, call, tools), before)
        self._loop = SkippingLoop()
        self._parts = SessionParts(
            stt=self._typing,
            llm=_Watched(model, self._loop),
            tts=SilentVoice(),
            keypad=self._keypad if spec.collects_digits else None,
            hand_over=hand_over(spec, call.ledger),
        )
        self._due: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._is_over = self._is_stopped = False
        self.thread = threading.Thread(target=self._run, name="written talk", daemon=True)

    # on the thread that asked for the conversation

    def next(self, deadline: float) -> _Told:
        try:
            return self._told.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise TookTooLong from None

    def answer(self, answer: Answer) -> None:
        self._call(self._answered, answer)

    def do(self, deed: _Deed) -> None:
        result: Any = None
        error: Exception | None = None
        try:
            result = deed.work()
        except Exception as failure:  # noqa: BLE001 - it is raised where it was asked for
            error = failure
        self._call(_settle, deed.done, result, error)

    def close(self) -> None:
        """Ends the conversation if it still goes on; its thread is gone afterwards."""
        if self.thread.ident is None:
            self._loop.close()
            return
        self._call(self._stop)
        self.thread.join(_END_LIMIT_S)

    def _call(self, work: Callable[..., object], *arguments: object) -> None:
        if not self._is_over:
            try:
                self._loop.call_soon_threadsafe(work, *arguments)
            except RuntimeError:  # it closed in this moment
                return

    # on the conversation's thread

    def _run(self) -> None:
        over = _Over(None)
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                over = _Over(None, runner.run(self._converse()))
        except BaseException as error:  # noqa: BLE001 - it is raised on the thread that asked
            over = _Over(error)
        self._is_over = True
        self._told.put(over)

    async def _converse(self) -> tuple[Message, ...]:
        if self._is_stopped:
            return ()
        self._task = asyncio.current_task()
        session = ConversationSession(self._plan, self._parts, self._line, self._take)
        try:
            await session.run()
        finally:
            with self._loop.asking():
                await LoopClients.close_everywhere()
        messages = session.messages
        return tuple(messages[1:] if messages and messages[0].role == "system" else messages)

    def _stop(self) -> None:
        self._is_stopped = True
        self._loop.go_on()
        if self._task is not None:
            self._task.cancel()

    def _take(self, event: SessionEvent) -> None:
        self._told.put_nowait(event)
        match event:
            case AgentTurnEnded():
                self._ask_in(REACTION_S)
            case SessionStarted() if not self._plan.first_message:
                self._ask_in(REACTION_S)
            case AgentTurnStarted() | UserTurnEnded() | SessionEnded():
                self._ask_nobody()

    def _ask_in(self, wait_s: float) -> None:
        self._ask_nobody()
        self._due = self._loop.call_later(wait_s, self._ask)

    def _ask_nobody(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _ask(self) -> None:
        self._due = None
        self._loop.stand()
        self._told.put_nowait(_Asked(self._keypad.is_collecting))

    async def _with_keys(self, tool: Tool, arguments: dict[str, Any]) -> str | ToolOutcome:
        """The caller is asked for keys once the tool waits for them, whatever is said meanwhile."""
        asking = self._loop.create_task(self._ask_for_keys(), name="asking for keys")
        try:
            return await self._noted(tool, arguments)
        finally:
            asking.cancel()

    async def _ask_for_keys(self) -> None:
        await asyncio.sleep(REACTION_S)
        while not self._keypad.is_collecting:  # noqa: ASYNC110 - the ledger is asked before it does
            await asyncio.sleep(_LOOK_S)
        self._ask()

    def _answered(self, answer: Answer) -> None:
        self._loop.go_on()
        match answer:
            case Say(text=text):
                if self._keypad.is_collecting and (keys := keys_of(text)):
                    self._line.press(keys)
                else:
                    self._typing.say(text)
            case HangUp() | Leave():
                self._line.hang_up()
            case StaySilent():
                pass

    async def have_done(self, work: Callable[[], T]) -> T:
        """Has work done on the thread that asked for the conversation."""
        with self._loop.asking():
            done: asyncio.Future[T] = self._loop.create_future()
            self._told.put_nowait(_Deed(work, done))
            return await done

    def _watched(self, tool: Tool) -> Tool:
        async def call(arguments: dict[str, Any]) -> str | ToolOutcome:
            if tool.spec.name == _COLLECT:
                return await self._with_keys(tool, arguments)
            with self._loop.asking():
                return await self._noted(tool, arguments)

        return replace(tool, call=call)

    async def _noted(self, tool: Tool, arguments: dict[str, Any]) -> str | ToolOutcome:
        used = ToolUse(tool.spec.name, arguments, "", ok=False)
        try:
            outcome = await tool.call(arguments)
            used = replace(used, result=outcome if isinstance(outcome, str) else outcome.content, ok=True)
        finally:
            self._told.put_nowait(used)
        return outcome


def _settle(done: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if done.done():
        return
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(result)


def _continued(plan: SessionPlan, before: Before) -> SessionPlan:
    """The plan as it is in writing: nothing is begun ahead of words that come whole, and no line echoes."""
    plan = replace(plan, tuning=replace(plan.tuning, speculate=False, echo_similarity=0.0))
    if not before.history:
        return plan
    left_ms = max(plan.max_duration_ms - before.elapsed_ms, 30_000)
    return replace(plan, history=before.history, first_message="", max_duration_ms=left_ms)


class _Watched:
    """A language model while whose answers come time passes; else the model itself."""

    def __init__(self, model: LanguageModel, loop: SkippingLoop) -> None:
        self._model = model
        self._loop = loop
        self.provider, self.model = model.provider, model.model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    @asynccontextmanager
    async def reply(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncIterator[AsyncIterator[LanguageModelEvent]]:
        with self._loop.asking():
            async with self._model.reply(messages, tools) as events:
                yield events


class _Ledger(Ledger):
    def __init__(self, have_done: Callable[[Callable[[], Any]], Any], books: Bookkeeper) -> None:
        self._have_done = have_done
        self._books = books

    async def begin(self, tool: str, arguments: dict[str, Any], *, acts: bool) -> Begun:
        begun: Begun = await self._have_done(lambda: self._books.begin_tool(tool, arguments, acts=acts))
        return begun

    async def end(self, run_id: int, state: Ending, result: str) -> None:
        await self._have_done(lambda: self._books.end_tool(run_id, state, result))

    async def transfer(self, destination: DestinationSpec) -> bool:
        decided: bool = await self._have_done(lambda: self._books.transfer(destination))
        return decided
