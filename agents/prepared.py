"""Sentences that every call of an agent may need, spoken when the agent is published, so that they play from memory: no provider, no wait.

Three places, each the other's stand-in: this process's memory, the shared cache, object storage. None of them can hold up a call: what is
not there in time is spoken by the voice as ever.
"""

import asyncio
import hashlib
import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from time import monotonic

import structlog
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache

from agents import catalogue, prompts, variables
from agents.spec import AgentSpec, Mode
from agents.variables import CallFacts
from engine.sentence_cache import RepeatedSentences
from engine.sentences import cut
from engine.speech import for_voice
from providers.storage import ObjectStore

logger = structlog.get_logger()

LINE_RATE_HZ = 8000
CACHE_S = 30 * 24 * 3600
FETCH_LIMIT_S = 0.15
LONGEST_BYTES = 60 * LINE_RATE_HZ * 2
_MEMORY_BYTES = 64 << 20
_MOST_FETCHES = 200
_MOST_ABSENT = 10_000
ABSENT_S = 30.0  # so long storage is not asked again for what it did not have; the cache is, for each call
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="prepared")


class Memory:
    """Audio by key, the least used forgotten first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._size_bytes = 0
        self._audio: OrderedDict[str, bytes] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        audio = self._audio.get(key)
        if audio is not None:
            self._audio.move_to_end(key)
        return audio

    def put(self, key: str, audio: bytes) -> None:
        self._size_bytes += len(audio) - len(self._audio.pop(key, b""))
        self._audio[key] = audio
        while self._size_bytes > self._most_bytes and len(self._audio) > 1:
            _key, forgotten = self._audio.popitem(last=False)
            self._size_bytes -= len(forgotten)

    def clear(self) -> None:
        self._audio.clear()
        self._size_bytes = 0


memory = Memory(_MEMORY_BYTES)
repeated = RepeatedSentences()


class Prepared:
    """The engine's `PreparedAudio` for one call: a lookup in memory, by the text as it stands in the plan."""

    def __init__(self, audio: Mapping[str, bytes]) -> None:
        self._audio = audio

    def get(self, text: str) -> bytes | None:
        return self._audio.get(text)


def sentences(spec: AgentSpec) -> list[str]:
    """What the agent may say word for word in every call, the first message first; nothing that differs from call to call."""
    tongue = prompts.tongue(spec.language)
    own = [spec.first_message, spec.voicemail_message]
    # What ends a reply of the model is spoken sentence by sentence.
    if spec.mode is Mode.LIVE:
        own += [
            prompts.APOLOGY[tongue],
            prompts.GOODBYE[tongue],
            prompts.MUST_END[tongue],
            prompts.STILL_THERE[tongue],
            prompts.NOT_CAUGHT[tongue],
            prompts.REGRET[tongue],
            prompts.FILLER[tongue],
            prompts.TIME_WARNING[tongue],
        ]
        own += [*cut(prompts.GOODBYE[tongue]), *cut(prompts.MUST_END[tongue])]
        own += [piece for destination in spec.destinations for piece in cut(destination.handover or prompts.HANDOVER[tongue])]
        own += [tool.meanwhile for tool in spec.tools]
    standing = CallFacts(agent_name=spec.name, now=variables.NEVER)
    filled = (variables.fill(text, standing).strip() for text in own if variables.stands_still(text))
    return [text for text in dict.fromkeys(filled) if text and spoken(spec, text)]


def spoken(spec: AgentSpec, text: str) -> str:
    """The words that the voice is given, exactly as the engine gives them."""
    return _spoken(text, tuple((one.written, one.spoken) for one in spec.pronunciations))


# Every call of an agent asks for the same sentences, and writing them out takes longer than everything else at its start.
_spoken = lru_cache(maxsize=1024)(for_voice)


def key_of(spec: AgentSpec, text: str) -> str:
    """The fingerprint of this sentence in this voice: another voice, speed or pronunciation is other audio."""
    parts = ("1", voice_key(spec), str(LINE_RATE_HZ), spoken(spec, text))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def voice_key(spec: AgentSpec) -> str:
    """The agent's voice with all that changes its sound."""
    voice = spec.voice
    return "\0".join((catalogue.vendor(voice.provider), voice.voice_id, voice.model, f"{voice.speed:g}", spec.language))


def storage_key(key: str) -> str:
    return f"prepared/{key}.pcm"


@lru_cache(maxsize=2)
def _connected(_location: str) -> BaseCache:
    return caches.create_connection("default")


def _cache() -> BaseCache:
    """One client for every thread and call. Django's own `cache` makes one, with its own connections, in each task that uses it."""
    return _connected(str(settings.CACHES["default"]["LOCATION"]))


def _cache_key(key: str) -> str:
    return f"prepared:{key}"


async def load(spec: AgentSpec) -> Prepared:
    """The agent's prepared sentences, from memory, else from the cache within FETCH_LIMIT_S. The rest is fetched for the next call."""
    wanted = {text: key_of(spec, text) for text in sentences(spec)}
    found = {text: audio for text, key in wanted.items() if (audio := memory.get(key)) is not None}
    missing = [key for text, key in wanted.items() if text not in found]
    if missing:
        await _from_cache(missing)
        found |= {text: audio for text, key in wanted.items() if (audio := memory.get(key)) is not None}
        if still := [key for text, key in wanted.items() if text not in found]:
            _in_the_background(still)
    return Prepared(found)


async def _from_cache(keys: Iterable[str]) -> None:
    try:
        async with asyncio.timeout(FETCH_LIMIT_S):
            cached = await asyncio.get_running_loop().run_in_executor(_threads, _cache().get_many, [_cache_key(key) for key in keys])
    except Exception as error:  # noqa: BLE001 - a cache that is away costs the greeting some time, never the call
        logger.warning("prepared_audio_not_loaded", error=type(error).__name__)
        return
    for name, audio in cached.items():
        memory.put(name.removeprefix("prepared:"), audio)


_fetching: set[str] = set()
_absent: dict[str, float] = {}  # when storage did not have it


def _in_the_background(keys: Iterable[str]) -> None:
    now = monotonic()
    wanted = [key for key in keys if key not in _fetching and now - _absent.get(key, -math.inf) > ABSENT_S]
    if wanted and settings.RECORDING_STORE.bucket and len(_fetching) < _MOST_FETCHES:
        _fetching.update(wanted)
        _threads.submit(_fetch, wanted)


def _fetch(keys: list[str]) -> None:
    """From storage into cache and memory; what is not there has not been made yet."""
    try:
        store = ObjectStore(settings.RECORDING_STORE)
        for key in keys:
            if audio := store.read(storage_key(key), LONGEST_BYTES):
                memory.put(key, audio)
                _cache().set(_cache_key(key), audio, CACHE_S)
                _absent.pop(key, None)
            else:
                _absent[key] = monotonic()
                while len(_absent) > _MOST_ABSENT:
                    del _absent[next(iter(_absent))]
    except Exception as error:  # noqa: BLE001 - whatever fails here, the voice itself can still speak
        logger.warning("prepared_audio_not_fetched", error=type(error).__name__)
    finally:
        _fetching.difference_update(keys)


def keep(key: str, audio: bytes) -> None:
    """Puts new audio where every process finds it. Raises what the cache raises."""
    _cache().set(_cache_key(key), audio, CACHE_S)


def recall(key: str) -> bytes | None:
    """What the cache has. Raises what the cache raises."""
    audio: bytes | None = _cache().get(_cache_key(key))
    return audio
