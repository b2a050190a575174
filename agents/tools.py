"""The agent's tools as the engine runs them: keeping each in the call's ledger, handing a caller over, and collecting keys.

What a tool is given or gives back is never logged. The model never supplies a number or a secret: it names a destination or an entry.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from agents import prompts, variables
from agents.ledger import Begun, Ending, Ledger
from agents.spec import AgentSpec, DestinationSpec
from agents.variables import CallFacts
from engine.digits import DigitRules
from engine.events import EndReason
from engine.keypad import Keypad
from engine.ports import ToolSpec
from engine.tools import Tool, ToolOutcome

logger = structlog.get_logger()

LEDGER_LIMIT_S = 2.0
LEDGER_MS = 5_000  # what the ledger may take beside the tool's own time
COLLECT_LIMIT_MS = 180_000
NOT_AGAIN = (
    "This was asked before in this call and nobody knows whether it happened. Do not ask again; tell the caller that it will be checked."
)


@dataclass(slots=True)
class SecretDigits:
    """Entries that the model knows by name only. They live in memory, for one call."""

    _entries: dict[str, str] = field(default_factory=dict, repr=False)

    def keep(self, digits: str) -> str:
        name = f"secret_digits_{len(self._entries) + 1}"
        self._entries[name] = digits
        return name

    def get(self, name: object) -> str | None:
        return self._entries.get(name) if isinstance(name, str) else None

    def hide(self, text: str) -> str:
        """`text` without the digits, should a service repeat them."""
        for digits in self._entries.values():
            if len(digits) >= 3:
                text = text.replace(digits, "•" * len(digits))
        return text


@dataclass(frozen=True, slots=True)
class Ran:
    """What a tool did and how sure that is."""

    state: Ending
    outcome: ToolOutcome


Body = Callable[[dict[str, Any]], Awaitable[Ran]]


def kept(name: str, body: Body, ledger: Ledger | None, *, acts: bool) -> Callable[[dict[str, Any]], Awaitable[ToolOutcome]]:
    """`body`, written down before it runs and after. A ledger that is away is done without: it must not cost the caller an answer."""

    async def call(arguments: dict[str, Any]) -> ToolOutcome:
        begun = Begun(None)
        if ledger is not None:
            try:
                async with asyncio.timeout(LEDGER_LIMIT_S):
                    begun = await ledger.begin(name, arguments, acts=acts)
            except Exception as error:  # noqa: BLE001 - whatever the database says, the caller waits for the tool
                logger.warning("tool_not_in_ledger", tool=name, error=type(error).__name__)
        if begun.earlier:
            return ToolOutcome(begun.result if begun.earlier == "done" else NOT_AGAIN)
        ran = await body(arguments)
        if ledger is not None and begun.run_id is not None:
            try:
                async with asyncio.timeout(LEDGER_LIMIT_S):
                    await ledger.end(begun.run_id, ran.state, ran.outcome.content)
            except Exception as error:  # noqa: BLE001 - as above; the run then counts as unknown
                logger.warning("tool_end_not_in_ledger", tool=name, error=type(error).__name__)
        return ran.outcome

    return call


# --- transfer_call ----------------------------------------------------------------------------------------------------


def transfer_call(spec: AgentSpec, facts: CallFacts, ledger: Ledger) -> Tool:
    """Hands the caller over to one of the agent's destinations: its sentence is said, then the line leaves us."""
    destinations = {destination.id: destination for destination in spec.destinations}
    listed = "; ".join(f"{one.id}: {one.name}, {one.description}" for one in spec.destinations)
    declared = ToolSpec(
        name="transfer_call",
        description=f"Hands the caller over to a person; your part of the call ends. Only if the caller agrees. Destinations: {listed}",
        parameters={
            "type": "object",
            "properties": {"destination": {"type": "integer", "enum": list(destinations), "description": "The number before the name."}},
            "required": ["destination"],
            "additionalProperties": False,
        },
    )

    async def body(arguments: dict[str, Any]) -> Ran:
        chosen = destinations[int(arguments["destination"])]
        if not await _is_decided(ledger, chosen):
            return Ran("failed", ToolOutcome("The call cannot be handed over now. Apologise and offer to take a message."))
        return Ran(
            "done", ToolOutcome(f"The caller is handed over to {chosen.name}.", handover(spec, chosen, facts), EndReason.TRANSFERRED)
        )

    return Tool(declared, kept("transfer_call", body, ledger, acts=False), timeout_ms=2 * LEDGER_MS)


async def _is_decided(ledger: Ledger, chosen: DestinationSpec) -> bool:
    try:
        async with asyncio.timeout(LEDGER_LIMIT_S):
            return await ledger.transfer(chosen)
    except Exception as error:  # noqa: BLE001 - without the decision in the database the carrier has nobody to ring
        logger.warning("transfer_not_decided", error=type(error).__name__)
        return False


def rescuer(spec: AgentSpec) -> DestinationSpec | None:
    """Who gets the caller when no provider can be reached."""
    return next((one for one in spec.destinations if one.is_fallback), None)


def hand_over(spec: AgentSpec, ledger: Ledger | None) -> Callable[[], Awaitable[bool]] | None:
    """Keeps, without asking any provider, that the fallback destination gets the caller; None if there is none, or nobody to keep it."""
    chosen = rescuer(spec)
    return None if chosen is None or ledger is None else partial(_is_decided, ledger, chosen)


def handover(spec: AgentSpec, destination: DestinationSpec, facts: CallFacts) -> str:
    return variables.fill(destination.handover, facts) or prompts.HANDOVER[prompts.tongue(spec.language)]


# --- collect_digits ---------------------------------------------------------------------------------------------------

_COLLECT = ToolSpec(
    name="collect_digits",
    description=(
        "Waits for keys that the caller presses on the telephone. First say, in the same message, what to press and how to finish. "
        "With secret=true (PINs, card numbers, one-time codes) you get a name instead of the digits: give it to the tool that needs them."
    ),
    parameters={
        "type": "object",
        "properties": {
            "length": {"type": "integer", "minimum": 0, "maximum": 32, "description": "How many keys; 0: any number."},
            "terminator": {"type": "string", "enum": ["#", "*", ""], "description": "The key that finishes; # if left out."},
            "timeout_s": {"type": "integer", "minimum": 5, "maximum": 60, "description": "Patience for the first key; 15 if left out."},
            "secret": {"type": "boolean", "description": "Whether nobody may see the digits."},
        },
        "required": ["secret"],
        "additionalProperties": False,
    },
)


def collect_digits(keypad: Keypad, secrets: SecretDigits, ledger: Ledger | None) -> Tool:
    """Gives the model what the caller presses, or only a name for it."""

    async def body(arguments: dict[str, Any]) -> Ran:
        if keypad.is_collecting:
            return Ran("failed", ToolOutcome("Keys are being collected already. Wait for that result."))
        rules = DigitRules(
            length=int(arguments.get("length", 0)),
            terminator=arguments.get("terminator", "#"),
            first_timeout_ms=int(arguments.get("timeout_s", 15)) * 1000,
            secret=bool(arguments["secret"]),
        )
        entry = await keypad.collect(rules)
        if not entry.digits:
            return Ran("done", ToolOutcome("The caller pressed nothing. Ask whether to try again, or go on without."))
        whole = entry.outcome != "timeout" or not rules.length
        note = "" if whole else f" {rules.length} were expected; ask again if the entry is too short."
        if rules.secret:
            return Ran("done", ToolOutcome(f"The caller pressed {len(entry.digits)} keys, kept as {secrets.keep(entry.digits)}.{note}"))
        return Ran("done", ToolOutcome(f"The caller pressed {entry.digits}.{note}"))

    return Tool(_COLLECT, kept("collect_digits", body, ledger, acts=False), timeout_ms=COLLECT_LIMIT_MS, meanwhile="")
