"""What the modules of one running simulator share: settings, faults, scripted replies, the speech back end, a scratch directory.

There is one `SimulatorState` for each server and nothing mutable outside it, so that two servers in one process (as in tests) never
meet. A module that needs more keeps it in a `part`.
"""

import tempfile
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import UnionType
from typing import Any, ClassVar, Protocol, TypeVar, cast, get_args, get_origin, get_type_hints

from simulator.faults import Faults
from simulator.replies import Replies
from simulator.speech import Speech, load

# What the vendors list in November 2026.
OPENAI_MODELS = (
    *("gpt-6-luna", "gpt-6-sol", "gpt-6.1-sol", "gpt-6.1-terra", "gpt-5.6-luna", "gpt-5.6-terra", "gpt-5.6-sol", "gpt-5.4-mini"),
    *("gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini"),
    *("gpt-4o-mini-tts", "tts-1", "tts-1-hd"),
)
DEEPGRAM_MODELS = ("nova-3", "nova-3-general", "nova-3-medical", "nova-2", "nova-2-general", "nova-2-phonecall", "enhanced", "base")
FLUX_MODELS = ("flux-general-en", "flux-general-multi")
DEEPGRAM_VOICES = ("aura-2-thalia-en", "aura-2-andromeda-en", "aura-2-apollo-en", "aura-2-helena-en", "aura-asteria-en")
ELEVENLABS_MODELS = ("eleven_flash_v2_5", "eleven_flash_v2", "eleven_turbo_v2_5", "eleven_turbo_v2", "eleven_multilingual_v2", "eleven_v3")


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T")
S = TypeVar("S", bound=_Dataclass)


class SettingRefused(ValueError):
    """A setting that does not exist or has the wrong type; the message says which."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the vendors behave. Times in ms; `tts_realtime_factor`: seconds needed to send a second of audio, 0 = at once.

    An empty key accepts any non-empty credential; an empty tuple of voices or models accepts any name. `elevenlabs_concurrency`: how
    many requests may run at once, 0 = any number.
    `stt_interim_ms`: least time between interims. `stt_delay_ms`: wait before a final once its end is known.
    `stt_segment_ms`: longest speech in one final before it is cut without `speech_final`.
    """

    speech: str = "tones"
    llm_first_token_ms: int = 0
    llm_token_gap_ms: int = 0
    tts_first_byte_ms: int = 0
    tts_realtime_factor: float = 0.0
    stt_interim_ms: int = 600
    stt_delay_ms: int = 0
    stt_segment_ms: int = 5_000
    openai_key: str = ""
    deepgram_key: str = ""
    elevenlabs_key: str = ""
    openai_models: tuple[str, ...] = OPENAI_MODELS
    deepgram_models: tuple[str, ...] = DEEPGRAM_MODELS
    flux_models: tuple[str, ...] = FLUX_MODELS
    deepgram_voices: tuple[str, ...] = DEEPGRAM_VOICES
    elevenlabs_models: tuple[str, ...] = ELEVENLABS_MODELS
    elevenlabs_voices: tuple[str, ...] = ()
    elevenlabs_concurrency: int = 0


def changed(settings: S, partial: Mapping[str, Any]) -> S:
    """`settings` (any frozen dataclass of plain values) with the named ones replaced and type-checked; raises `SettingRefused`."""
    kinds = get_type_hints(type(settings))
    names = {f.name for f in fields(settings)}
    values: dict[str, Any] = {}
    for name, value in partial.items():
        if name not in names:
            raise SettingRefused(f"there is no setting {name!r}; there are {', '.join(sorted(names))}")
        allowed = _classes(kinds[name])
        if isinstance(value, list) and tuple in allowed:
            value = tuple(value)
        if type(value) is int and float in allowed:
            value = float(value)
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            raise SettingRefused(f"setting {name!r} must be {getattr(kinds[name], '__name__', kinds[name])}, not {value!r}")
        values[name] = value
    return cast(S, replace(cast(Any, settings), **values))


def _classes(kind: Any) -> tuple[type, ...]:
    """The classes that an annotation stands for: `int | None` -> (int, NoneType), `tuple[str, ...]` -> (tuple,)."""
    options = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return tuple(get_origin(option) or option for option in options)


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that a client made, as the tests of that client want to see it."""

    target: str
    facts: Mapping[str, Any]


def _fresh_scratch() -> Path:
    """A place of its own; whoever writes there first makes the folder."""
    return Path(tempfile.gettempdir(), f"simulator-{uuid.uuid4().hex[:12]}")


@dataclass
class SimulatorState:
    """Shared by every module of one server. `scratch` is where files may be kept (objects, recordings, cached speech)."""

    settings: Settings = field(default_factory=Settings)
    scratch: Path = field(default_factory=_fresh_scratch)
    faults: Faults = field(default_factory=Faults)
    replies: Replies = field(default_factory=Replies.standard)
    open_now: Counter[str] = field(default_factory=Counter)
    seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=200))
    _speeches: dict[str, Speech] = field(default_factory=dict)
    _parts: dict[type, Any] = field(default_factory=dict)

    @property
    def speech(self) -> Speech:
        """The back end that the settings name; it is made once and kept."""
        name = self.settings.speech
        if name not in self._speeches:
            self._speeches[name] = load(name, self.scratch / "speech")
        return self._speeches[name]

    def change_settings(self, partial: Mapping[str, Any]) -> Settings:
        """Replaces the named settings for requests that begin from now on; raises `SettingRefused`."""
        settings = changed(self.settings, partial)
        if settings.speech not in ("real", "tones"):
            raise SettingRefused(f'speech must be "real" or "tones", not {settings.speech!r}')
        self.settings = settings
        return settings

    def part(self, kind: type[T], make: Callable[[], T]) -> T:
        """The one `kind` of this server, made on first use: where a module keeps state of its own."""
        if kind not in self._parts:
            self._parts[kind] = make()
        return cast(T, self._parts[kind])

    @contextmanager
    def opened(self, target: str) -> Iterator[None]:
        """Counts a request or connection as open; a count that stays above 0 is a leak of the client."""
        self.open_now[target] += 1
        try:
            yield
        finally:
            self.open_now[target] -= 1

    def note(self, target: str, **facts: Any) -> None:
        """Remembers what a client asked for, bounded; the oldest is forgotten."""
        self.seen.append(Seen(target, facts))
