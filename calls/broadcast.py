"""Tells whoever watches that something about a call changed. The only user of the channel layer.

Updates are hints: the rows are the truth, a page that reloads is right again. So telling never raises and never takes longer than a
second, and nothing waits for it that matters to a caller.
"""

import asyncio
import atexit
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary, ref

import structlog
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import transaction
from django.db.models import Q

from calls import wording
from calls.models import CallLog, Session, Turn
from calls.trial_rows import ONLY_WRITTEN

logger = structlog.get_logger()

LIMIT_S = 1.0
MOST_WAITING = 1_000  # in one process; the oldest go first
EVERYTHING = "live.all"  # superusers

# kinds: call.opened, call.updated, turn.updated, turn.ended, beside.updated, call.ended, call.settled


def owner_group(owner_id: int) -> str:
    return f"live.{owner_id}"


def call_group(session_id: str) -> str:
    return f"call.{session_id}"


def _groups(session: Session) -> tuple[str, ...]:
    return call_group(session.session_id), owner_group(session.owner_id), EVERYTHING


# What is told, or how to read it once somebody wants to know; None: there is nothing to tell any more.
_Payload = dict[str, Any] | Callable[[], dict[str, Any] | None]
_Update = tuple[Session, str, _Payload]


async def live_update_async(session: Session, kind: str, payload: dict[str, Any]) -> None:
    """Sends one update to the call's page, its owner's live page and every superuser's. Gives up after a second; never raises."""
    await _tell_together([(session, kind, payload)])


async def _tell_together(updates: Sequence[_Update]) -> None:
    """Asks once who listens to any of them, and sends those that somebody wants, in their order. Never raises."""
    try:
        layer = get_channel_layer()  # type: ignore[no-untyped-call]  # channels has no types
        if layer is None:
            return
        async with asyncio.timeout(LIMIT_S):
            listened = frozenset(await listened_to(layer, tuple({group: None for each in updates for group in _groups(each[0])})))
    except Exception as error:  # noqa: BLE001 - a blind dashboard must not stop a call
        for session, kind, _payload in updates:
            _lost(session, kind, error)
        return
    for update in updates:
        if not listened.isdisjoint(_groups(update[0])):
            await _send(layer, update, listened)


async def _send(layer: Any, update: _Update, listened: frozenset[str]) -> None:
    session, kind, payload = update
    try:
        async with asyncio.timeout(LIMIT_S):
            told = await database_sync_to_async(payload, thread_sensitive=False)() if callable(payload) else payload
            message = {"type": "live.update", "kind": kind, "session_id": session.session_id, "payload": told}
            for group in _groups(session) if told is not None else ():
                if group in listened:
                    await layer.group_send(group, message)
    except Exception as error:  # noqa: BLE001 - see above
        _lost(session, kind, error)


def _lost(session: Session, kind: str, error: Exception) -> None:
    logger.warning("live_update_lost", session_id=session.session_id, kind=kind, error=type(error).__name__)


async def watched(sessions: Sequence[Session]) -> frozenset[str]:
    """Which of these sessions any page would show right now, by their ids; all where that cannot be found out. Never raises."""
    groups = {group: None for session in sessions for group in _groups(session)}
    try:
        async with asyncio.timeout(LIMIT_S):
            layer = get_channel_layer()  # type: ignore[no-untyped-call]  # channels has no types
            listened = set(await listened_to(layer, tuple(groups)))
    except Exception:  # noqa: BLE001 - then whoever tells will learn of it
        listened = set(groups)
    return frozenset(session.session_id for session in sessions if not listened.isdisjoint(_groups(session)))


async def listened_to(layer: Any, groups: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the groups that some process listens to: mostly nobody does, and one question costs less than telling three times nobody.
    All of them if the layer cannot be asked in one go: it keeps its connection to itself and has no word for this question.
    """
    try:
        names = [layer._get_group_channel_name(group) for group in groups]
        shard, *others = {layer._get_shard(name) for name in names}
    except AttributeError:
        return groups
    if others:
        return groups
    async with shard._lock:
        shard._ensure_redis()
        counts: list[tuple[bytes, int]] = await shard._redis.pubsub_numsub(*names)
    return tuple(group for group, (_name, count) in zip(groups, counts, strict=True) if count)


_outbox: ContextVar["_Outbox | None"] = ContextVar("outbox", default=None)


class _Outbox:
    """Updates that threads leave with an event loop, told in their order, those that came together at once. A task lives only while
    some wait.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = ref(loop)  # which it must not outlive
        self._waiting: deque[_Update] = deque(maxlen=MOST_WAITING)
        self._telling: asyncio.Task[None] | None = None

    def leave(self, update: _Update) -> None:
        """From any thread."""
        if (loop := self._loop()) is not None:
            loop.call_soon_threadsafe(self._take, update)

    def _take(self, update: _Update) -> None:
        self._waiting.append(update)
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell(), name="updates")

    async def told(self) -> None:
        """Returns once nothing waits."""
        await asyncio.sleep(0)
        while self._telling is not None:
            await asyncio.wait([self._telling])

    async def _tell(self) -> None:
        try:
            while self._waiting:
                updates = list(self._waiting)
                self._waiting.clear()
                await _tell_together(updates)
        finally:
            self._telling = None


class _Aside:
    """The outbox of code that blocks: its loop runs in a thread of its own. One that each update made anew would bring a connection to
    the broker with it. A forked child begins with none.
    """

    _loop: asyncio.AbstractEventLoop | None
    _outbox: _Outbox | None

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._lock, self._loop, self._outbox = threading.Lock(), None, None

    def leave(self, update: _Update) -> None:
        with self._lock:
            if self._outbox is None:
                self._loop = asyncio.new_event_loop()
                self._outbox = _Outbox(self._loop)
                threading.Thread(target=self._loop.run_forever, name="updates", daemon=True).start()
            self._outbox.leave(update)

    def finish(self) -> None:
        """Gives what was left a second to be told, at the end of the process."""
        if self._loop is not None and self._outbox is not None:
            with suppress(Exception):
                asyncio.run_coroutine_threadsafe(self._outbox.told(), self._loop).result(LIMIT_S)


_aside = _Aside()
atexit.register(_aside.finish)
os.register_at_fork(after_in_child=_aside.begin)  # the child has neither the thread nor its loop
_outboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, _Outbox] = WeakKeyDictionary()


@contextmanager
def delivered_here() -> Iterator[None]:
    """Within, work that is handed to threads leaves its updates with the running loop and does not wait until they are told."""
    loop = asyncio.get_running_loop()
    if (outbox := _outboxes.get(loop)) is None:
        outbox = _outboxes[loop] = _Outbox(loop)
    token = _outbox.set(outbox)
    try:
        yield
    finally:
        _outbox.reset(token)


def live_update(session: Session, kind: str, payload: _Payload) -> None:
    """`live_update_async` for code that blocks: nobody waits until it is told."""
    try:
        (_outbox.get() or _aside).leave((session, kind, payload))
    except RuntimeError as error:  # the process ends: no thread begins any more, or the loop is closed
        _lost(session, kind, error)


# --- what is told ---------------------------------------------------------------------------------------------------------


def call_facts(session: Session, log: CallLog) -> dict[str, Any]:
    """What a page needs to draw a call in its list: status and times, names, and the human's number with its middle hidden."""
    ended_at = session.ended_at or log.ended_at
    return {
        "session_id": session.session_id,
        "agent": session.agent.name,
        "direction": log.direction,
        "user_phone": wording.mask_number(session.user_phone),
        "status": log.status,
        "state": session.state,
        "created_at": session.created_at.isoformat(),
        "started_at": session.started_at and session.started_at.isoformat(),
        "answered_at": log.answered_at and log.answered_at.isoformat(),
        "ended_at": ended_at and ended_at.isoformat(),
        "end_reason": session.end_reason,
        "failure": log.failure,
        "duration_s": log.duration_s,
        "hangup_requested": session.hangup_requested_at is not None,
        "settled": log.settled_at is not None,
    }


def turn_facts(turn: Turn) -> dict[str, Any]:
    """A turn as pages and the API show it."""
    names = ("number", "speaker", "text", "generated_text", "interrupted", "started_ms", "ended_ms", "endpointing_ms")
    more = ("llm_ms", "tts_ms", "latency_ms", "silence_after_ms")
    return {name: getattr(turn, name) for name in (*names, *more)}


# --- told once the transaction has committed ------------------------------------------------------------------------------


def call_opened_on_commit(session: Session) -> None:
    transaction.on_commit(partial(_tell_call, session, "call.opened"), robust=True)


def call_changed_on_commit(session: Session) -> None:
    transaction.on_commit(partial(_tell_call, session, "call.updated"), robust=True)


def call_ended_on_commit(session: Session) -> None:
    transaction.on_commit(partial(_tell_call, session, "call.ended"), robust=True)


def call_settled_on_commit(session: Session) -> None:
    transaction.on_commit(partial(_tell_call, session, "call.settled"), robust=True)


def turn_ended_on_commit(session: Session, turn: Turn) -> None:
    transaction.on_commit(partial(live_update, session, "turn.ended", turn_facts(turn)), robust=True)


def beside_changed_on_commit(session: Session, what: str, pk: int) -> None:
    """Something beside the words was done: a `tool` that runs, a `note` to the agent, a `remark` for people. Only its key is told."""
    transaction.on_commit(partial(live_update, session, "beside.updated", {"what": what, "pk": pk}), robust=True)


def _tell_call(session: Session, kind: str) -> None:
    live_update(session, kind, partial(_facts_now, session.pk))


def _facts_now(session_pk: int) -> dict[str, Any] | None:
    """None for what pages of calls in progress never show; that it is over may be told to anybody."""
    shown = Session.objects.select_related("call_log", "agent").exclude(ONLY_WRITTEN & ~Q(state=Session.State.ENDED))
    session = shown.filter(pk=session_pk).first()
    return None if session is None else call_facts(session, session.call_log)
