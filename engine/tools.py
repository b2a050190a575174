"""The agent's tools: declared to the model, checked, called with a limit of time, never called twice for one wish.

A tool acts on the world, so an interruption must not cut it in half: the reply that asked may be cancelled, the call goes on, and if the
model asks for the very same again it gets that call's result. What a tool was given or gave back is never put into an error or an event.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.events import EndReason
from engine.ports import ToolCall, ToolSpec
from engine.schema import problems

_LONGEST_RESULT_CHARS = 8000
_MOST_LOST_RESULTS = 16

END_CALL = ToolSpec(
    name="end_call",
    description=(
        "Ends the phone call. Use it when the conversation is over: the caller said goodbye, or wants to stop. "
        "Say your goodbye in the same message; it is heard to its end before the line is closed."
    ),
    parameters={"type": "object", "properties": {}, "additionalProperties": True},
)


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a tool did. `content` is for the model. `say` is spoken to the caller word for word, as part of the agent's turn.

    With `ends` the call ends for that reason once `say` was heard: the model is not asked again.
    """

    content: str
    say: str = ""
    ends: EndReason | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool and what runs it. `call` takes the checked arguments and returns what the model is told, or a whole `ToolOutcome`.

    `meanwhile` is said if the caller has to wait for it: None is the plan's own filler, "" is nothing (right where the tool waits for the
    caller).
    """

    spec: ToolSpec
    call: Callable[[dict[str, Any]], Awaitable[str | ToolOutcome]]
    timeout_ms: int = 8000
    meanwhile: str | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """`content` is for the model, also when it went wrong; `say` and `ends` are the outcome's."""

    ok: bool
    content: str
    say: str = ""
    ends: EndReason | None = None


class Toolbox:
    """The tools of one session, and its ledger of calls whose result has not reached the model yet."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.spec.name: tool for tool in tools if tool.spec.name != END_CALL.name}
        self._calls: dict[tuple[str, str], asyncio.Task[ToolResult]] = {}

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        return (*(tool.spec for tool in self._tools.values()), END_CALL)

    def meanwhile(self, name: str) -> str | None:
        """What to say while the tool `name` runs, as `Tool.meanwhile` has it."""
        tool = self._tools.get(name)
        return tool.meanwhile if tool is not None else None

    async def call(self, asked: ToolCall) -> ToolResult:
        """Runs what the model asked for. Never raises for what the model or the tool did wrong: the model is told instead."""
        tool = self._tools.get(asked.name)
        if tool is None:
            return ToolResult(False, f"There is no tool {asked.name!r}. There are: {', '.join(spec.name for spec in self.specs)}.")
        try:
            arguments = json.loads(asked.arguments or "{}")
        except ValueError:
            return ToolResult(False, "The arguments are not valid JSON. Write them again as one JSON object.")
        wrong = problems({"type": "object", **tool.spec.parameters}, arguments)
        if wrong:
            return ToolResult(False, f"The arguments do not fit: {'; '.join(wrong[:8])}. Correct them and call again.")
        return await self._once(tool, arguments)

    async def close(self) -> None:
        """Stops what still runs."""
        running = [task for task in self._calls.values() if not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=1)
        self._calls.clear()

    async def _once(self, tool: Tool, arguments: dict[str, Any]) -> ToolResult:
        key = (tool.spec.name, json.dumps(arguments, sort_keys=True))
        task = self._calls.get(key)
        if task is None:
            while len(self._calls) >= _MOST_LOST_RESULTS and self._forget_oldest():
                pass
            task = self._calls[key] = asyncio.create_task(_run(tool, arguments), name=f"tool {tool.spec.name}")
        result = await asyncio.shield(task)
        self._calls.pop(key, None)  # delivered: the next such call is a new wish
        return result

    def _forget_oldest(self) -> bool:
        for key, task in self._calls.items():
            if task.done():
                del self._calls[key]
                return True
        return False


async def _run(tool: Tool, arguments: dict[str, Any]) -> ToolResult:
    try:
        async with asyncio.timeout(tool.timeout_ms / 1000):
            outcome = await tool.call(arguments)
    except TimeoutError:
        return ToolResult(False, f"The tool did not answer within {tool.timeout_ms} ms. Tell the caller that it could not be done now.")
    except Exception as error:  # noqa: BLE001 - a tool is foreign code; the talk goes on without its result
        return ToolResult(False, f"The tool failed ({type(error).__name__}). Tell the caller that it could not be done now.")
    if isinstance(outcome, str):
        outcome = ToolOutcome(outcome)
    return ToolResult(True, outcome.content[:_LONGEST_RESULT_CHARS], outcome.say, outcome.ends)
