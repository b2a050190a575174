"""What a simulated person says and does on the phone: the format of `simulator/scenarios/*.toml`, read strictly.

A scenario is a list of `[[step]]` tables, each with one action; `[[reply]]` tables for the scripted language model; and `[expect]`,
what must be true of the finished call. A misspelt key is refused with the place where it stands.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("scenarios")


class ScenarioRefused(ValueError):
    """A scenario that cannot be played; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Say:
    """Speaks `text` from beginning to end."""

    text: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Speaks `text` once the agent has been audible for `after_ms` in this turn. `stops`: the agent is meant to fall silent."""

    text: str
    after_ms: int = 1_000
    stops: bool = True
    deadline_s: float = 20.0


@dataclass(frozen=True, slots=True)
class WaitForAgent:
    """Until the agent has spoken since the caller's last sound and was then quiet for `quiet_ms`."""

    quiet_ms: int = 700
    deadline_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Press:
    """Presses keys one after the other, `gap_ms` apart."""

    digits: str
    gap_ms: int = 250


@dataclass(frozen=True, slots=True)
class Pause:
    """Stays silent for `ms`."""

    ms: int


@dataclass(frozen=True, slots=True)
class Noise:
    """Room noise for `ms`, `level_db` below full scale."""

    ms: int
    level_db: float = -40.0


@dataclass(frozen=True, slots=True)
class Beep:
    """The tone of an answering machine."""

    ms: int
    hz: int = 1_000


@dataclass(frozen=True, slots=True)
class HangUp:
    """The caller ends the call."""


@dataclass(frozen=True, slots=True)
class WaitForClose:
    """Until the other side ends the call."""

    deadline_s: float = 30.0


Step = Say | Interrupt | WaitForAgent | Press | Pause | Noise | Beep | HangUp | WaitForClose

_KEYS: dict[str, tuple[type[Any], str | None]] = {
    "say": (Say, "text"),
    "interrupt": (Interrupt, "text"),
    "wait_for_agent": (WaitForAgent, None),
    "press": (Press, "digits"),
    "pause_ms": (Pause, "ms"),
    "noise": (Noise, "ms"),
    "beep": (Beep, "ms"),
    "hangup": (HangUp, None),
    "wait_for_close": (WaitForClose, None),
}
_KINDS: dict[str, type[Any]] = {
    "text": str,
    "digits": str,
    "after_ms": int,
    "quiet_ms": int,
    "gap_ms": int,
    "ms": int,
    "hz": int,
    "deadline_s": float,
    "level_db": float,
    "stops": bool,
}


@dataclass(frozen=True, slots=True)
class Expect:
    """What must be true in the end; None asks for nothing. `closed_by`: agent or caller."""

    closed_by: str | None = None
    interruption_within_ms: int | None = None
    voice_to_voice_within_ms: int | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One person's part. `voice` is the speech back end's voice for it."""

    name: str
    steps: tuple[Step, ...]
    description: str = ""
    voice: str = "caller"
    speed: float = 1.0
    expect: Expect = Expect()
    replies: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that will be spoken, to be synthesised before the call."""
        return tuple(step.text for step in self.steps if isinstance(step, Say | Interrupt))


LISTENER = Scenario("listener", (WaitForClose(deadline_s=3_600),), "Answers and only listens.")


def parse(table: Mapping[str, Any], name: str = "scenario") -> Scenario:
    """A scenario from its TOML or JSON table; raises `ScenarioRefused`."""
    _known(table, {"name", "description", "voice", "speed", "step", "reply", "expect"}, name)
    steps = table.get("step", [])
    if not isinstance(steps, list) or not steps:
        raise ScenarioRefused(f"{name}: there is no [[step]], so the caller would do nothing")
    replies = table.get("reply", [])
    if not isinstance(replies, list) or not all(isinstance(reply, Mapping) for reply in replies):
        raise ScenarioRefused(f"{name}: reply must be a list of tables, [[reply]]")
    return Scenario(
        name=str(table.get("name", name)),
        steps=tuple(_step(step, f"{name}: step {place}") for place, step in enumerate(steps, start=1)),
        description=str(table.get("description", "")),
        voice=str(table.get("voice", "caller")),
        speed=float(table.get("speed", 1.0)),
        expect=_expect(table.get("expect", {}), name),
        replies=tuple(replies),
    )


def load_table(source: str | Path) -> dict[str, Any]:
    """The raw table of a scenario file, or of the one of that name in `simulator/scenarios`; raises `ScenarioRefused`."""
    path = Path(source)
    if not path.is_file():
        path = FOLDER / f"{path.name.removesuffix('.toml')}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.toml")))
        raise ScenarioRefused(f"there is no scenario {str(source)!r}: neither such a file nor one of {known}")
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioRefused(f"{path.name} is not TOML: {error}") from error
    return {"name": path.stem, **table}


def load(source: str | Mapping[str, Any]) -> Scenario:
    """The scenario that a file, a name or a table holds; an empty name is a person who only listens."""
    if isinstance(source, Mapping):
        return parse(source, str(source.get("name", "scenario")))
    if not source:
        return LISTENER
    table = load_table(source)
    return parse(table, table["name"])


def _step(table: Any, where: str) -> Step:
    if not isinstance(table, Mapping):
        raise ScenarioRefused(f"{where} must be a table")
    actions = [key for key in table if key in _KEYS]
    if len(actions) != 1:
        raise ScenarioRefused(f"{where} needs exactly one of {', '.join(_KEYS)}; it has {', '.join(actions) or 'none'}")
    action = actions[0]
    kind, positional = _KEYS[action]
    values = {key: value for key, value in table.items() if key != action}
    given = table[action]
    if isinstance(given, Mapping):
        values.update(given)
    elif positional is not None:
        values[positional] = given
    elif given is not True:
        raise ScenarioRefused(f"{where}: {action} must be true or a table of options, not {given!r}")
    _known(values, set(kind.__dataclass_fields__), where)
    for key, value in values.items():
        values[key] = _checked(key, value, where)
    if positional is not None and not values.get(positional):
        raise ScenarioRefused(f"{where}: {action} is empty")
    if kind is Press and not set(values["digits"]) <= set("0123456789*#"):
        raise ScenarioRefused(f"{where}: press takes the keys 0-9, * and #")
    step: Step = kind(**values)
    return step


def _expect(table: Any, name: str) -> Expect:
    if not isinstance(table, Mapping):
        raise ScenarioRefused(f"{name}: expect must be a table, [expect]")
    _known(table, set(Expect.__dataclass_fields__), f"{name}: expect")
    if table.get("closed_by", "agent") not in ("agent", "caller"):
        raise ScenarioRefused(f'{name}: expect.closed_by must be "agent" or "caller"')
    return Expect(**table)


def _checked(key: str, value: Any, where: str) -> Any:
    kind = _KINDS[key]
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ScenarioRefused(f"{where}: {key} must be {kind.__name__}, not {value!r}")
    if kind in (int, float) and key != "level_db" and value < 0:
        raise ScenarioRefused(f"{where}: {key} must not be negative")
    return value


def _known(table: Mapping[str, Any], allowed: set[str], where: str) -> None:
    unknown = sorted(set(table) - allowed)
    if unknown:
        raise ScenarioRefused(f"{where} has no {', '.join(unknown)}; it has {', '.join(sorted(allowed))}")
