"""What a conversation's tools can do to their call's rows, and what its prompts may know of it. Each write has its deadline elsewhere."""

from functools import partial
from typing import Any

from agents import assembly
from agents.ledger import Begun, Ending
from agents.spec import AgentSpec, DestinationSpec
from calls import commands
from calls.conductor.rows import in_thread
from calls.models import Session
from calls.status import Direction


class CallLedger:
    """The `Ledger` of one session, in Postgres."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id

    async def begin(self, tool: str, arguments: dict[str, Any], *, acts: bool) -> Begun:
        return await in_thread(partial(commands.begin_tool_run, self._session_id, tool=tool, arguments=arguments, acts=acts))

    async def end(self, run_id: int, state: Ending, result: str) -> None:
        await in_thread(partial(commands.end_tool_run, run_id, state=state, result=result))

    async def transfer(self, destination: DestinationSpec) -> bool:
        decided = partial(
            commands.decide_transfer,
            self._session_id,
            destination_id=destination.id,
            name=destination.name,
            numbers=destination.numbers,
            ring_s=destination.ring_s,
        )
        return await in_thread(decided)


def on_call(session: Session, spec: AgentSpec) -> assembly.OnCall:
    return assembly.OnCall(
        facts=assembly.facts_of(spec, caller_number=session.user_phone, customer=session.customer),
        session_id=session.session_id,
        outbound=session.call_log.direction == Direction.OUTBOUND,
        ledger=CallLedger(session.session_id),
    )
