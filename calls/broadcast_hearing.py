"""What one open page hears of the updates that `calls.broadcast` tells; with it the only user of the channel layer.

A page must work without the broker: it then asks for snapshots more often, and hears again once the broker is back.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from channels.layers import get_channel_layer

from calls import broadcast

logger = structlog.get_logger()

HEAR_AGAIN_S = 2.0


class Listener:
    """What one page hears of its groups. While the broker is away it hears nothing and says so; it comes back by itself.

    `take` is called on the loop with each update and must not wait; None says that what was told until now may have been lost.
    """

    def __init__(self, groups: Sequence[str], take: Callable[[dict[str, Any] | None], None]) -> None:
        self._groups = tuple(groups)
        self._take = take
        self._has_tried = asyncio.Event()
        self.hears = False

    async def tried(self) -> None:
        """Returns once it is known whether the broker is there."""
        await self._has_tried.wait()

    async def check(self) -> bool:
        """Whether updates arrive now, asked of the broker: a connection that broke comes back without a word of what it missed."""
        if self.hears:
            try:
                async with asyncio.timeout(broadcast.LIMIT_S):
                    layer = get_channel_layer()  # type: ignore[no-untyped-call]  # channels has no types
                    return bool(await broadcast.listened_to(layer, self._groups))
            except Exception:  # noqa: BLE001 - whatever it is, nothing can be heard
                return False
        return False

    async def run(self) -> None:
        """Hears until it is cancelled."""
        while True:
            try:
                await self._hear()
            except Exception as error:  # noqa: BLE001 - a page without updates still has its snapshots
                logger.warning("live_updates_away", error=type(error).__name__)
            self.hears = False
            self._has_tried.set()
            await asyncio.sleep(HEAR_AGAIN_S)

    async def _hear(self) -> None:
        layer = get_channel_layer()  # type: ignore[no-untyped-call]  # channels has no types
        joined: list[str] = []
        channel = ""
        try:
            async with asyncio.timeout(broadcast.LIMIT_S):
                await broadcast.listened_to(
                    layer, self._groups
                )  # raises while the broker is away; a channel that cannot be opened is never freed
                channel = await layer.new_channel()
                for group in self._groups:
                    joined.append(group)
                    await layer.group_add(group, channel)
            self.hears = True
            if self._has_tried.is_set():
                self._take(None)
            self._has_tried.set()
            while True:
                self._take(await layer.receive(channel))
        finally:
            await self._leave(layer, channel, joined)

    async def _leave(self, layer: Any, channel: str, joined: list[str]) -> None:
        try:
            async with asyncio.timeout(broadcast.LIMIT_S):
                for group in joined:
                    await layer.group_discard(group, channel)
                if channel and channel in getattr(layer, "channels", ()):
                    async with asyncio.timeout(0):
                        await layer.receive(channel)  # a channel is freed by whoever stops to receive from it
        except Exception as error:  # noqa: BLE001 - what the broker does not know any more needs no leaving
            logger.debug("live_updates_not_left", error=type(error).__name__)
