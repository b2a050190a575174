"""What a conversation's tools need of the call they run in: a memory that outlives a process, and the power to hand the caller over.

Words only: whoever runs calls implements it.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from agents.spec import DestinationSpec

Ending = Literal["done", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Begun:
    """`run_id` is to be ended by whoever began it. Without one there is nothing to run: `earlier` is the state that stands."""

    run_id: int | None
    earlier: str = ""
    result: str = ""


class Ledger(Protocol):
    """Both tool methods raise what the database raises, in bounded time; a talk goes on without its ledger."""

    async def begin(self, tool: str, arguments: dict[str, Any], *, acts: bool) -> Begun: ...

    async def end(self, run_id: int, state: Ending, result: str) -> None: ...

    async def transfer(self, destination: DestinationSpec) -> bool:
        """Keeps that the caller is to be handed over. False: the call cannot be handed over any more."""
