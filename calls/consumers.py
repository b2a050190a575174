"""The dashboard's WebSockets. They forward what broadcast tells, repaired by snapshots of the rows, to whom it belongs and nobody else.

An update is a hint that may be lost; the browser asks for a snapshot on connect and every few seconds after, more often while the broker is
away. One thing is told after the other: an update that is newer than a snapshot never comes before it.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from importlib import import_module
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar

import structlog
from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.utils import await_many_dispatch
from django.conf import settings
from django.urls import path
from django.utils import timezone, translation

from agents.api_fields import unkeepable
from calls import broadcast, overview, presentation, queries
from calls.broadcast_hearing import Listener

logger = structlog.get_logger()

LOGGED_OUT = 4401  # close codes that static/js/socket.js knows
NOT_YOURS = 4404
SEES_OTHERS = 1012  # the page comes back, and watches what its user may see now
SEND_LIMIT_S = 5.0
MOST_WAITING = 500  # updates for one page; one that falls behind gets a snapshot instead
SYNC_EVERY_S = 0.5  # a page asks every 15 s; one that asks all the time gets no more than this
STAYS_S = 60.0  # of a far side that asks for no snapshots: how long what was known of its user counts
CALL_KINDS = frozenset({"call.opened", "call.updated", "call.ended", "call.settled"})

P = ParamSpec("P")
T = TypeVar("T")


def language_of(scope: MutableMapping[str, Any]) -> str:
    """The language of the page that opened this socket, by the same cookie and header as the page's own."""
    accepted = dict(scope.get("headers") or ()).get(b"accept-language", b"").decode("latin-1")
    asked: Any = SimpleNamespace(COOKIES=scope.get("cookies") or {}, META={"HTTP_ACCEPT_LANGUAGE": accepted})
    return translation.get_language_from_request(asked)


class DashboardConsumer(AsyncJsonWebsocketConsumer, ABC):
    """What both sockets share: log-in, snapshots on demand, forwarding. The far side is a browser that may be slow or gone."""

    closed = False
    synced_at = checked_at = float("-inf")
    _listener: Listener | None = None
    _groups: list[str] | None = None

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """As Channels' own, but the channel layer is our listener's: a page opens without the broker too."""
        self.scope, self.base_send = scope, send
        self.language = language_of(scope)
        self._told_one_by_one = asyncio.Lock()
        self._news: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(MOST_WAITING)
        self._background: list[asyncio.Task[None]] = []
        try:
            with suppress(StopConsumer):
                await await_many_dispatch([receive], self.dispatch)
        finally:
            for task in self._background:
                task.cancel()
            await asyncio.gather(*self._background, return_exceptions=True)

    async def read(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs one read of the rows in a thread of its own: sockets must not queue behind each other's queries.

        Its words are in this page's language: what is broadcast to everybody has none.
        """

        def told() -> T:
            with translation.override(self.language):
                return read(*args, **kwargs)

        found: T = await database_sync_to_async(told, thread_sensitive=False)()
        return found

    async def connect(self) -> None:
        # Accepted first: a browser learns the reason of a refusal only from the close code of an open socket.
        await self.accept()
        if not await self.logged_in():
            await self.close(code=LOGGED_OUT)
            return
        groups = await self.groups_to_watch()
        if groups is None:
            await self.close(code=NOT_YOURS)
            return
        self._groups = groups
        # First the subscription, then the snapshot: what happens in between is told twice, never lost.
        self._listener = Listener(groups, self._hear)
        self._background.append(asyncio.create_task(self._listener.run(), name="page hears"))
        await self._listener.tried()
        await self._send_snapshot()
        self._background.append(asyncio.create_task(self._forward(), name="page is told"))

    def _hear(self, update: dict[str, Any] | None) -> None:
        if self._news.full():
            while not self._news.empty():
                self._news.get_nowait()
            update = None
        self._news.put_nowait(update)

    async def _forward(self) -> None:
        try:
            while True:
                update = await self._news.get()
                if not await self._stays():
                    return
                if update is None:
                    await self._send_snapshot()
                else:
                    async with self._told_one_by_one:
                        await self.live_update(update)
        except Exception as error:  # noqa: BLE001 - the browser reconnects and gets a snapshot
            logger.warning("dashboard_socket_failed", error=type(error).__name__)
            await self.close(code=1011)

    async def _send_snapshot(self) -> None:
        """`updates`: whether changes come by themselves until the next one; if not, the page asks again soon."""
        async with self._told_one_by_one:
            hears = self._listener is not None and await self._listener.check()
            await self.send_json({**await self.snapshot(), "updates": hears})

    async def receive_json(self, content: Any, **_: Any) -> None:
        if self.closed or not isinstance(content, dict):
            return
        if content.get("kind") == "sync":
            now = asyncio.get_running_loop().time()
            if now - self.synced_at < SYNC_EVERY_S:
                return
            self.synced_at = now
            if await self._may_stay():
                await self._send_snapshot()
        elif content.get("kind") == "watch" and isinstance(content.get("session_id"), str) and await self._stays():
            async with self._told_one_by_one:
                await self.watch(content["session_id"][:64])

    async def logged_in(self) -> bool:
        """Whether the cookie that opened this socket still belongs to an active user, asked of the rows and not of the handshake."""
        self.checked_at = asyncio.get_running_loop().time()
        store = import_module(settings.SESSION_ENGINE).SessionStore
        self.user = await get_user({"session": store(self.scope["session"].session_key)})
        return bool(self.user.is_authenticated and self.user.is_active)

    async def _stays(self) -> bool:
        """Whether this far side may be told more. It need not be our page: one that asks for nothing is asked about all the same."""
        return asyncio.get_running_loop().time() - self.checked_at < STAYS_S or await self._may_stay()

    async def _may_stay(self) -> bool:
        """Asks the rows: a log-out elsewhere ends the watching here, and so does a call or a right that was taken away."""
        code = LOGGED_OUT
        if await self.logged_in():
            groups = await self.groups_to_watch()
            if groups == self._groups:
                return True
            code = NOT_YOURS if groups is None else SEES_OTHERS
        await self.close(code=code)
        return False

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        if not self.closed:
            self.closed = True
            await super().close(code, reason)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **how: Any) -> None:
        """Frames without text are nobody's protocol here."""
        if text_data:
            await super().receive(text_data=text_data, **how)

    @classmethod
    async def decode_json(cls, text_data: str) -> Any:
        try:
            told = await super().decode_json(text_data)
        except (ValueError, RecursionError):
            return None
        return None if unkeepable(told) else told

    async def send_json(self, content: Any, close: bool = False) -> None:
        """Gives up on a browser that does not read: it reconnects and gets a snapshot."""
        if self.closed:
            return
        try:
            async with asyncio.timeout(SEND_LIMIT_S):
                await super().send_json(content, close)
        except TimeoutError:
            logger.warning("dashboard_socket_too_slow", limit_s=SEND_LIMIT_S)
            await self.close(code=1013)

    async def live_update(self, message: dict[str, Any]) -> None:
        """One update of `calls.broadcast`."""
        kind, session_id, payload = message["kind"], message["session_id"], message["payload"]
        if kind in CALL_KINDS:
            await self.send_call(session_id)
        elif kind == "turn.ended":
            with translation.override(self.language):
                turn = presentation.turn_json(payload)
            await self.send_json({"kind": "turn", "session_id": session_id, "turn": turn})
        elif kind == "turn.updated":
            words = {name: payload.get(name) for name in ("speaker", "text", "number")}
            await self.send_json({"kind": "interim", "session_id": session_id, **words})
        elif kind == "beside.updated":
            await self.send_beside(session_id, payload)

    async def send_call(self, session_id: str) -> None:
        call = await self.read(self.read_call, session_id)
        if call is not None:
            await self.send_json({"kind": "call", "server_now": timezone.now().isoformat(), "call": call})

    async def send_beside(self, session_id: str, told: dict[str, Any]) -> None:
        """A tool that ran or a note, told anew."""
        entry = await self.read(self.read_beside, session_id, told)
        if entry is not None:
            await self.send_json({"kind": "beside", "session_id": session_id, "entry": entry})

    def read_call(self, session_id: str) -> dict[str, Any] | None:
        session = queries.visible_session(self.user, session_id)
        if session is None:
            return None
        last, latency = overview.last_turns([session]), overview.last_latencies([session])
        sees_numbers = queries.sees_numbers(self.user)
        return presentation.call_json(session, last.get(session.pk), latency_ms=latency.get(session.pk), sees_numbers=sees_numbers)

    def read_beside(self, session_id: str, told: dict[str, Any]) -> dict[str, Any] | None:
        session = queries.visible_session(self.user, session_id)
        row = overview.one_beside(session, str(told.get("what")), told.get("pk")) if session else None
        return presentation.beside_json(session, row, sees_numbers=queries.sees_numbers(self.user)) if session and row else None

    def read_talk(self, session_id: str) -> dict[str, Any] | None:
        """One call's whole transcript, and what stands beside it."""
        session = queries.visible_session(self.user, session_id)
        if session is None:
            return None
        beside, sees_numbers = overview.beside(session), queries.sees_numbers(self.user)
        return presentation.talk_json(session, queries.turns(session), beside, sees_numbers=sees_numbers)

    @abstractmethod
    async def groups_to_watch(self) -> list[str] | None:
        """The groups this user may join here; None: there is nothing here for them."""

    @abstractmethod
    async def snapshot(self) -> dict[str, Any]:
        """Everything the page draws, as the rows have it now."""

    async def watch(self, session_id: str) -> None:
        """The page wants one call's whole transcript. Ignored where there is only one call."""


class LiveConsumer(DashboardConsumer):
    """`/ws/live/`: every call in progress of this user, and the whole transcript of the one being watched."""

    watched = ""

    async def groups_to_watch(self) -> list[str] | None:
        return [broadcast.EVERYTHING if self.user.is_superuser else broadcast.owner_group(self.user.pk)]

    async def watch(self, session_id: str) -> None:
        self.watched = session_id
        talk = await self.read(self.read_talk, session_id) if session_id else None
        if talk is not None:
            await self.send_json({"kind": "talk", **talk})

    async def send_beside(self, session_id: str, told: dict[str, Any]) -> None:
        if session_id == self.watched:
            await super().send_beside(session_id, told)

    async def snapshot(self) -> dict[str, Any]:
        return await self.read(self._read_snapshot)

    def _read_snapshot(self) -> dict[str, Any]:
        running, figures = overview.running_calls(self.user), overview.day_figures(self.user)
        allowed = {"sees_numbers": queries.sees_numbers(self.user), "may_listen": queries.may_listen(self.user)}
        watched = self.read_talk(self.watched) if self.watched else None
        return {**presentation.snapshot_json(running, figures, **allowed), "watched": watched}


class CallConsumer(DashboardConsumer):
    """`/ws/calls/<session_id>/`: one call."""

    async def groups_to_watch(self) -> list[str] | None:
        self.session_id = self.scope["url_route"]["kwargs"]["session_id"]
        call = await self.read(self.read_call, self.session_id)
        return None if call is None else [broadcast.call_group(self.session_id)]

    async def snapshot(self) -> dict[str, Any]:
        call, talk = await self.read(self.read_call, self.session_id), await self.read(self.read_talk, self.session_id)
        return {"kind": "snapshot", "server_now": timezone.now().isoformat(), "call": call, "watched": talk}


websocket_urlpatterns = [
    path("ws/live/", LiveConsumer.as_asgi()),
    path("ws/calls/<str:session_id>/", CallConsumer.as_asgi()),
]
