"""Remembers the audio of short sentences within one call: what is said twice is bought once, and the second time is there at once.

Small on purpose, since it lives as long as the call: long sentences are hardly ever repeated word for word.
"""

from collections import OrderedDict

_LONGEST_MS = 4_000
_MOST_MS = 12_000


class SentenceCache:
    """Audio at the line's rate by the words spoken, the least lately used thrown away first."""

    def __init__(self, sample_rate_hz: int) -> None:
        self.longest_bytes = _LONGEST_MS * sample_rate_hz * 2 // 1000
        self._most_bytes = _MOST_MS * sample_rate_hz * 2 // 1000
        self._audio: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, words: str) -> bytes | None:
        pcm = self._audio.get(words)
        if pcm is not None:
            self._audio.move_to_end(words)
        return pcm

    def keep(self, words: str, parts: list[bytes]) -> None:
        """`parts` are the whole audio of `words`, in order. Too long a sentence is not kept."""
        size = sum(map(len, parts))
        if not 0 < size <= self.longest_bytes or words in self._audio:
            return
        self._audio[words] = b"".join(parts)
        self._bytes += size
        while self._bytes > self._most_bytes:
            self._bytes -= len(self._audio.popitem(last=False)[1])
