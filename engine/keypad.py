"""Lets a tool ask for keys in the middle of a conversation. While it does, keys belong to it alone and never reach the model.

One per session: whoever assembles a conversation gives the same keypad to the session and to the tool that collects digits; a session with
a keypad keeps back what is pressed while it is not known whether a collection follows (`pressed_keys`).
"""

import asyncio

from engine.digits import DigitCollection, DigitEntry, DigitRules
from engine.pressed_keys import PressedKeys


class Keypad:
    """Waits for the keys of one entry after the other."""

    def __init__(self) -> None:
        self._arrived = asyncio.Event()
        self.keys = PressedKeys(self._arrived.set)

    @property
    def is_collecting(self) -> bool:
        return self.keys.is_wanted

    async def collect(self, rules: DigitRules) -> DigitEntry:
        """Waits for one entry; the time-outs of `rules` bound the wait. Raises `RuntimeError` if another collection runs.

        Keys that were pressed before the question was out count, but no hurry follows from them: the caller may still listen to it.
        """
        if self.keys.is_wanted:
            raise RuntimeError("keys are being collected already; one collection at a time")
        early = self.keys.begin(rules)
        collection = DigitCollection(rules)
        entry: DigitEntry | None = None
        try:
            while entry is None:
                patience_ms = collection.patience_ms if early < 0 else rules.first_timeout_ms
                entry = collection.press(await self._next(patience_ms))
                early -= 1
        except TimeoutError:
            entry = collection.give_up()
        finally:
            self.keys.end(rules, entry)
        return entry

    async def _next(self, patience_ms: int) -> str:
        async with asyncio.timeout(patience_ms / 1000):
            while (key := self.keys.take()) is None:
                self._arrived.clear()
                await self._arrived.wait()
        return key
