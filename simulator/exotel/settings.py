"""How this Exotel behaves: the account, its exophones and their flows, the people who can be called, and each doubtful point as a switch.

Read from TOML or JSON, checked strictly: a misspelt setting is refused, not ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from simulator.exotel.numbers import last_ten

APPLETS = ("passthru", "connect", "greeting", "gather", "hangup")
OUTCOMES = ("answer", "busy", "no-answer", "failed")


class ExotelSettingRefused(ValueError):
    """A setting that does not exist or makes no sense; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Applet:
    """One step of a flow behind the Voicebot applet. `numbers` (connect) or `url` (the others, and a dynamic connect).

    `wait`: a Passthru that holds the caller until it is answered; without it the flow goes on at once.
    """

    kind: str
    url: str = ""
    numbers: tuple[str, ...] = ()
    wait: bool = True


@dataclass(frozen=True, slots=True)
class Exophone:
    """A number of the account and its flow: Voicebot, then `passthru_url` (200: `branch_a`, 302: `branch_b`), then `after_stream_url`.

    `voicebot_url`: `ws(s)://…` used as it is, or `http(s)://…` that answers `{"url": "wss://…"}`. Credentials in a URL become Basic.
    `app_id` is the flow's id in `Url` of an API call. `custom_params` are the applet's own (at most three).
    """

    number: str
    voicebot_url: str = ""
    passthru_url: str = ""
    after_stream_url: str = ""
    branch_a: tuple[Applet, ...] = ()
    branch_b: tuple[Applet, ...] = ()
    app_id: str = "1"
    friendly_name: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be called. `scenario`: a name in `simulator/scenarios`, a file, or the scenario itself; empty: listens only."""

    number: str
    outcome: str = "answer"
    ring_s: float = 0.2
    dnd: bool = False
    scenario: str | Mapping[str, Any] = ""


@dataclass(frozen=True, slots=True)
class ExotelSettings:
    """The account and its switches. Every `*_s` is seconds, `*_ms` milliseconds.

    Doubtful points of Exotel's behaviour, default as its best source has it: `echo_marks_on_clear`, `stop_event_on_hangup`,
    `numbers_format` ("0" | "+91"), `ints_as_strings`, `camel_case`, `send_method` (of the Voicebot's dynamic URL), `custom_field_in_start`
    and `sample_rate_in_custom` (what else is in custom_parameters), `hangup_reason` and `close_code` (how a hang-up is told),
    `ping_interval_s` (0: no pings), `stream_as_json` (the `Stream` parameters as one JSON text), `passthru_other_is_a` (an answer neither
    200 nor 302 takes branch A), `events_in_flow_mode` (StatusCallbackEvents count when a flow was asked for), `flow_to_is_null` (`To` in
    the answer of such a call), `callback_retries`, `bare_connect_is_json`, `accept_json_body`, `frame_ms` (20 | 100), `jitter_ms` and
    `burst_frames` (how unevenly the caller's audio arrives), `reconnect_once` (a stream whose socket died without a farewell is opened
    anew at the same address, with a stream id of its own, while the caller stays on the line). `keeps_recordings`: without them the report
    does not say what was heard of the agent either; for hundreds of calls at once, whose reading back would hold up the others.
    """

    api_key: str = "sim-key"
    api_token: str = "sim-token"  # noqa: S105 - the documented default of a fake account
    sid: str = "simulated1"
    public_url: str = "http://127.0.0.1:9000"
    exophones: tuple[Exophone, ...] = ()
    people: tuple[Person, ...] = ()
    unknown_people: str = "answer"

    connects_per_minute: int = 200
    max_streams: int = 100
    connect_ai_enabled: bool = True
    connect_delay_s: float = 0.0
    handshake_timeout_s: float = 10.0
    handshake_retries: int = 1
    reconnect_once: bool = False
    session_cap_s: float = 3_600.0
    time_limit_cap_s: int = 14_400
    webhook_timeout_s: float = 15.0
    callback_delay_s: float = 0.0
    details_delay_s: float = 1.0
    recording_delay_s: float = 1.0
    recording_format: str = "wav"
    price_per_minute: str = "0.60"

    sample_rate_hz: int = 8_000
    frame_ms: int = 20
    jitter_ms: int = 0
    burst_frames: int = 1
    max_ahead_ms: int = 2_000
    no_answer_s: float = 10.0

    echo_marks_on_clear: bool = False
    stop_event_on_hangup: bool = True
    numbers_format: Literal["0", "+91"] = "0"
    ints_as_strings: bool = True
    camel_case: bool = False
    send_method: Literal["GET", "POST"] = "GET"
    custom_field_in_start: bool = False
    sample_rate_in_custom: bool = False
    hangup_reason: str = "callended"
    close_code: int = 1_000
    ping_interval_s: float = 0.0
    stream_as_json: bool = False
    passthru_other_is_a: bool = False
    events_in_flow_mode: bool = True
    flow_to_is_null: bool = False
    callback_retries: int = 0
    callback_retry_s: float = 300.0
    bare_connect_is_json: bool = False
    accept_json_body: bool = False
    keeps_recordings: bool = True

    @property
    def rate(self) -> Decimal:
        """INR for each started minute of each leg."""
        return Decimal(self.price_per_minute)

    def exophone(self, number: str) -> Exophone | None:
        return next((phone for phone in self.exophones if last_ten(phone.number) == last_ten(number)), None)

    def flow(self, app_id: str, caller_id: str) -> Exophone | None:
        """The flow that an API call's `Url` names; two exophones may share a flow id, then the one shown to the person counts."""
        matches = [phone for phone in self.exophones if phone.app_id == app_id]
        return next((phone for phone in matches if last_ten(phone.number) == last_ten(caller_id)), matches[0] if matches else None)

    def person(self, number: str) -> Person:
        known = next((person for person in self.people if last_ten(person.number) == last_ten(number)), None)
        return known or Person(number, outcome=self.unknown_people)


@dataclass(frozen=True, slots=True)
class _Rule:
    allowed: tuple[Any, ...] = field(default=())
    least: float | None = None


_RULES = {
    "numbers_format": _Rule(("0", "+91")),
    "send_method": _Rule(("GET", "POST")),
    "frame_ms": _Rule((20, 100)),
    "sample_rate_hz": _Rule((8_000, 16_000, 24_000)),
    "recording_format": _Rule(("wav", "mp3")),
    "unknown_people": _Rule(OUTCOMES),
    "burst_frames": _Rule(least=1),
    "jitter_ms": _Rule(least=0),
    "close_code": _Rule((1_000, 1_001, 1_005, 1_006)),
}


def changed(settings: ExotelSettings, partial: Mapping[str, Any]) -> ExotelSettings:
    """`settings` with the named ones replaced; `exophones` and `people` are replaced as whole lists. Raises `ExotelSettingRefused`."""
    values: dict[str, Any] = {}
    for name, value in partial.items():
        if name == "exophones":
            values[name] = tuple(_exophone(entry) for entry in _list(name, value))
        elif name == "people":
            values[name] = tuple(_person(entry) for entry in _list(name, value))
        else:
            values[name] = _plain(ExotelSettings, name, value, getattr(settings, name, None))
            _obey(name, values[name])
    return replace(settings, **values)


def _obey(name: str, value: Any) -> None:
    rule = _RULES.get(name, _Rule(least=0) if isinstance(value, int | float) and not isinstance(value, bool) else _Rule())
    if rule.allowed and value not in rule.allowed:
        raise ExotelSettingRefused(f"{name} must be one of {', '.join(map(str, rule.allowed))}, not {value!r}")
    if rule.least is not None and value < rule.least:
        raise ExotelSettingRefused(f"{name} must be at least {rule.least:g}, not {value!r}")
    if name == "price_per_minute":
        try:
            Decimal(value)
        except InvalidOperation:
            raise ExotelSettingRefused(f'price_per_minute must be a decimal number as text, as in "0.60", not {value!r}') from None


def _list(name: str, value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise ExotelSettingRefused(f"{name} must be a list of tables")
    return value


def _plain(kind: type[Any], name: str, value: Any, default: Any) -> Any:
    if name not in {f.name for f in fields(kind)}:
        raise ExotelSettingRefused(
            f"there is no {kind.__name__} setting {name!r}; there are {', '.join(sorted(f.name for f in fields(kind)))}"
        )
    expected = type(default)
    if expected is float and type(value) is int:
        return float(value)
    if type(value) is not expected:
        raise ExotelSettingRefused(f"{name} must be {expected.__name__}, not {value!r}")
    return value


_PHONE = Exophone("")
_PERSON = Person("")
_APPLET = Applet("")


def _exophone(entry: Mapping[str, Any]) -> Exophone:
    values: dict[str, Any] = {}
    for name, value in entry.items():
        if name in ("branch_a", "branch_b"):
            values[name] = tuple(_applet(applet) for applet in _list(name, value))
        else:
            values[name] = _plain(Exophone, name, value, getattr(_PHONE, name, None))
    if len(last_ten(values.get("number", ""))) != 10:
        raise ExotelSettingRefused(f"an exophone needs a number of at least ten digits, not {values.get('number')!r}")
    return Exophone(**values)


def _person(entry: Mapping[str, Any]) -> Person:
    values: dict[str, Any] = {
        name: value
        if name == "scenario" and isinstance(value, str | Mapping)
        else _plain(Person, name, value, getattr(_PERSON, name, None))
        for name, value in entry.items()
    }
    if len(last_ten(values.get("number", ""))) != 10:
        raise ExotelSettingRefused(f"a person needs a number of at least ten digits, not {values.get('number')!r}")
    if values.get("outcome", "answer") not in OUTCOMES:
        raise ExotelSettingRefused(f"a person's outcome must be one of {', '.join(OUTCOMES)}, not {values['outcome']!r}")
    return Person(**values)


def _applet(entry: Mapping[str, Any]) -> Applet:
    values: dict[str, Any] = {
        name: tuple(value) if name == "numbers" and isinstance(value, list) else _plain(Applet, name, value, getattr(_APPLET, name, None))
        for name, value in entry.items()
    }
    if values.get("kind") not in APPLETS:
        raise ExotelSettingRefused(f"an applet's kind must be one of {', '.join(APPLETS)}, not {values.get('kind')!r}")
    return Applet(**values)
