"""The ledger of the agent's tools: what was asked of the world in a call, once, and what came of it.

A tool that acts (books, pays, sends) runs once for the same arguments in one call: a repeat, after an interruption or in the process that
took the call over, gets the first result. A tool that only reads may be asked as often as the model likes; each time is a row.
"""

import hashlib
import json
from typing import Any

from django.db import transaction
from django.utils import timezone

from agents.ledger import Begun
from calls import broadcast
from calls.models import Session, ToolRun

_LONGEST_RESULT_CHARS = 8000
_State = ToolRun.State


def begin_tool_run(session_id: str, *, tool: str, arguments: dict[str, Any], acts: bool) -> Begun:
    """Writes down that `tool` is about to run, before it does. Only one of several simultaneous begins of an acting tool gets the run."""
    digest = arguments_sha256(arguments)
    with transaction.atomic():
        session = Session.objects.select_for_update(no_key=True).get(session_id=session_id)
        runs = ToolRun.objects.filter(session=session, tool=tool, arguments_sha256=digest)
        last = runs.order_by("-number").first()
        if acts and last is not None:
            return _again(session, last)
        run = ToolRun.objects.create(
            session=session, tool=tool[:64], arguments_sha256=digest, number=last.number + 1 if last else 1, arguments=_storable(arguments)
        )
        broadcast.beside_changed_on_commit(session, "tool", run.pk)
    return Begun(run.pk)


def _again(session: Session, run: ToolRun) -> Begun:
    """What failed for certain may be tried again; what may have happened is never repeated."""
    if run.state != _State.FAILED:
        return Begun(None, run.state, run.result)
    ToolRun.objects.filter(pk=run.pk).update(state=_State.RUNNING, tries=run.tries + 1, started_at=timezone.now(), ended_at=None, result="")
    broadcast.beside_changed_on_commit(session, "tool", run.pk)
    return Begun(run.pk)


def end_tool_run(run_id: int, *, state: str, result: str) -> bool:
    """What came of a run that was begun: done, failed or unknown. The first telling stands."""
    ended = ToolRun.objects.filter(pk=run_id, state=_State.RUNNING).update(
        state=_State(state), result=result.replace("\0", "")[:_LONGEST_RESULT_CHARS], ended_at=timezone.now()
    )
    if ended:
        broadcast.beside_changed_on_commit(Session.objects.get(tool_runs=run_id), "tool", run_id)
    return bool(ended)


def arguments_sha256(arguments: dict[str, Any]) -> str:
    """The same for the same wish, however the model ordered or spaced its words."""
    canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _storable(value: Any) -> Any:
    """Postgres cannot keep the character NUL in JSON."""
    match value:
        case str():
            return value.replace("\0", "")
        case dict():
            return {_storable(name): _storable(item) for name, item in value.items()}
        case list():
            return [_storable(item) for item in value]
    return value
