"""Remembers the audio of short sentences: what is said twice is bought once, and the second time it is there at once.

Two memories. A call's own is small and keeps every short sentence. The process's is shared by all calls and takes a sentence in when it
is said in a second call, so that what is said in one call alone (a name, an amount) never stays behind.
"""

from collections import OrderedDict

_LONGEST_MS = 4_000
_MOST_MS = 12_000
_PROCESS_BYTES = 4 << 20
_MOST_SAID_ONCE = 2_048


class Sentences:
    """Audio by key within `most_bytes`, the least lately used thrown away first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._audio: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> bytes | None:
        pcm = self._audio.get(key)
        if pcm is not None:
            self._audio.move_to_end(key)
        return pcm

    def keep(self, key: str, pcm: bytes) -> None:
        if not pcm or key in self._audio:
            return
        self._audio[key] = pcm
        self._bytes += len(pcm)
        while self._bytes > self._most_bytes:
            self._bytes -= len(self._audio.popitem(last=False)[1])

    def clear(self) -> None:
        self._audio.clear()
        self._bytes = 0


class RepeatedSentences:
    """The process's memory. A key names the voice, its pace, the rate and the words: anything else is other audio."""

    def __init__(self, most_bytes: int = _PROCESS_BYTES) -> None:
        self._sentences = Sentences(most_bytes)
        self._said_once: OrderedDict[int, None] = OrderedDict()  # by hash: the words themselves are not kept

    def get(self, key: str) -> bytes | None:
        return self._sentences.get(key)

    def clear(self) -> None:
        self._sentences.clear()
        self._said_once.clear()

    def said(self, key: str, pcm: bytes) -> None:
        """`pcm` was just bought for `key`: it is kept if that has happened before."""
        fingerprint = hash(key)
        if fingerprint in self._said_once:
            del self._said_once[fingerprint]
            self._sentences.keep(key, pcm)
            return
        self._said_once[fingerprint] = None
        if len(self._said_once) > _MOST_SAID_ONCE:
            self._said_once.popitem(last=False)


class SentenceCache:
    """One call's memory, by the words spoken, and behind it the process's where the call has one.

    `voice` names whoever speaks in the process's memory: "" where nothing may be shared.
    """

    def __init__(self, sample_rate_hz: int, repeated: RepeatedSentences | None = None, voice: str = "") -> None:
        self.longest_bytes = _LONGEST_MS * sample_rate_hz * 2 // 1000
        self._own = Sentences(_MOST_MS * sample_rate_hz * 2 // 1000)
        self._repeated = repeated if voice else None
        self._prefix = f"{voice}\0{sample_rate_hz}\0"
        self._told: set[int] = set()  # by hash: what this call has bought already, and says again to the same person

    def get(self, words: str) -> bytes | None:
        pcm = self._own.get(words)
        return self._repeated.get(self._prefix + words) if pcm is None and self._repeated is not None else pcm

    def keep(self, words: str, parts: list[bytes], *, own_voice: bool = True) -> None:
        """`parts` are the whole audio of `words`, in order. Too long a sentence is not kept. A stand-in's voice stays in this call."""
        size = sum(map(len, parts))
        if not 0 < size <= self.longest_bytes:
            return
        pcm = b"".join(parts)
        self._own.keep(words, pcm)
        fingerprint = hash(words)
        if self._repeated is not None and own_voice and fingerprint not in self._told:
            self._told.add(fingerprint)
            self._repeated.said(self._prefix + words, pcm)
