"""Lets a tool ask for keys in the middle of a conversation. While it does, keys belong to it alone and never reach the model.

One per session: whoever assembles a conversation gives the same keypad to the session and to the tool that collects digits.
"""

import asyncio

from engine.digits import DigitCollection, DigitEntry, DigitRules

_MOST_WAITING_KEYS = 128


class Keypad:
    """Hands keys to the collection that runs, if one does."""

    def __init__(self) -> None:
        self._keys: asyncio.Queue[str] | None = None
        self.dropped_keys = 0

    @property
    def is_collecting(self) -> bool:
        return self._keys is not None

    async def collect(self, rules: DigitRules) -> DigitEntry:
        """Waits for one entry; the time-outs of `rules` bound the wait. Raises `RuntimeError` if another collection runs."""
        if self._keys is not None:
            raise RuntimeError("keys are being collected already; one collection at a time")
        self._keys = keys = asyncio.Queue[str](_MOST_WAITING_KEYS)
        collection = DigitCollection(rules)
        try:
            while True:
                async with asyncio.timeout(collection.patience_ms / 1000):
                    key = await keys.get()
                entry = collection.press(key)
                if entry is not None:
                    return entry
        except TimeoutError:
            return collection.give_up()
        finally:
            self._keys = None

    def press(self, key: str) -> bool:
        """Takes a key if one is wanted; False if it is for the conversation."""
        if self._keys is None:
            return False
        try:
            self._keys.put_nowait(key)
        except asyncio.QueueFull:
            self.dropped_keys += 1  # nobody types so fast: a stuck key must not fill the memory
        return True
