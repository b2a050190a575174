"""Lets a tool ask for keys in the middle of a conversation. While it does, keys belong to it alone and never reach the model.

What comes behind an entry belongs to it too: the # that people press out of habit, and after a secret one every key, for the rest of a PIN
that was longer or slower than expected is still a secret.

One per session: whoever assembles a conversation gives the same keypad to the session and to the tool that collects digits.
"""

import asyncio

from engine.digits import DigitCollection, DigitEntry, DigitRules

_MOST_WAITING_KEYS = 128


class Keypad:
    """Hands keys to the collection that runs, if one does."""

    def __init__(self) -> None:
        self._keys: asyncio.Queue[str] | None = None
        self._is_secret = False  # the last entry that was asked for
        self._habit = ""  # the terminator of an entry that was complete without it
        self.dropped_keys = 0

    @property
    def is_collecting(self) -> bool:
        return self._keys is not None

    async def collect(self, rules: DigitRules) -> DigitEntry:
        """Waits for one entry; the time-outs of `rules` bound the wait. Raises `RuntimeError` if another collection runs."""
        if self._keys is not None:
            raise RuntimeError("keys are being collected already; one collection at a time")
        self._keys = keys = asyncio.Queue[str](_MOST_WAITING_KEYS)
        self._is_secret, self._habit = rules.secret, ""
        collection = DigitCollection(rules)
        try:
            while True:
                async with asyncio.timeout(collection.patience_ms / 1000):
                    key = await keys.get()
                entry = collection.press(key)
                if entry is not None:
                    self._habit = rules.terminator if entry.outcome == "length" else ""
                    return entry
        except TimeoutError:
            return collection.give_up()
        finally:
            self._keys = None

    def press(self, key: str) -> bool:
        """Takes a key if one is wanted, or belongs behind the last entry; False if it is for the conversation."""
        if self._keys is None:
            habit, self._habit = self._habit, ""
            return self._is_secret or (bool(habit) and key == habit)
        try:
            self._keys.put_nowait(key)
        except asyncio.QueueFull:
            self.dropped_keys += 1  # nobody types so fast: a stuck key must not fill the memory
        return True
