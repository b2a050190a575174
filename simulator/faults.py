"""Faults on demand: which misbehaviour is ordered for which door of the simulator, and how often.

Only the decision lives here. Every module asks `take(target)` once for each request or connection and plays the fault that it gets.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

TARGETS = frozenset(
    {
        "openai.chat",
        "openai.speech",
        "deepgram.live",
        "deepgram.batch",
        "deepgram.speech",
        "elevenlabs.speech",
        "s3.put",
        "s3.get",
        "s3.delete",
        "exotel.connect",
        "exotel.details",
        "exotel.recording",
        "exotel.callback",
        "exotel.media",
    }
)
KINDS = frozenset({"status", "hang", "drop", "drip", "delay", "error", "truncate", "duplicate", "reorder", "lose"})
ONLY_FOR = {
    "duplicate": frozenset({"exotel.callback"}),
    "reorder": frozenset({"exotel.callback"}),
    "lose": frozenset({"exotel.callback"}),
    "error": frozenset({"openai.chat", "deepgram.live"}),
    "truncate": frozenset({"openai.chat", "openai.speech", "deepgram.speech", "elevenlabs.speech", "s3.get", "exotel.recording"}),
}


class FaultRefused(ValueError):
    """The order for a fault makes no sense; the message says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One ordered misbehaviour.

    `status` answers with that HTTP status; `hang` accepts and says nothing; `drop` cuts the connection after `after` bytes (audio,
    files) or events (SSE, WebSocket); `truncate` ends there as if all were said; `error` says the vendor's own error there; `drip`
    sends one byte or event per `every_ms`; `delay` waits `ms` first. `times`: how many requests are hit, None until cleared.
    `code` picks one of the errors that a vendor sends with the same status (OpenAI's 429: `insufficient_quota`).
    """

    target: str
    fault: str
    times: int | None = None
    status: int = 500
    after: int = 0
    ms: int = 1_000
    every_ms: int = 1_000
    retry_after_s: int | None = None
    code: str = ""


class Faults:
    """The orders in force. The oldest order for a target is served first."""

    def __init__(self) -> None:
        self._orders: list[Fault] = []
        self.taken: Counter[str] = Counter()

    def add(self, order: Mapping[str, Any]) -> Fault:
        """Puts an order in force; raises `FaultRefused`."""
        fault = _checked(order)
        self._orders.append(fault)
        return fault

    def clear(self, target: str | None = None) -> None:
        """Withdraws every order, or those for one target."""
        self._orders = [] if target is None else [fault for fault in self._orders if fault.target != target]

    def next(self, target: str) -> Fault | None:
        """The fault that the next request would suffer; nothing is used up."""
        return next((fault for fault in self._orders if fault.target == target), None)

    def take(self, target: str) -> Fault | None:
        """The fault that this one request must suffer, counted as used; None: behave."""
        for place, fault in enumerate(self._orders):
            if fault.target != target:
                continue
            self.taken[f"{target} {fault.fault}"] += 1
            if fault.times is not None:
                if fault.times > 1:
                    self._orders[place] = replace(fault, times=fault.times - 1)
                else:
                    del self._orders[place]
            return fault
        return None

    @property
    def in_force(self) -> tuple[Fault, ...]:
        return tuple(self._orders)


def _checked(order: Mapping[str, Any]) -> Fault:
    known = {f.name: str if f.name in ("target", "fault", "code") else int for f in fields(Fault)}
    unknown = sorted(set(order) - set(known))
    if unknown:
        raise FaultRefused(f"a fault has no {', '.join(unknown)}; it has {', '.join(known)}")
    for name, kind in known.items():
        if name in order and order[name] is not None and (not isinstance(order[name], kind) or isinstance(order[name], bool)):
            raise FaultRefused(f"{name} must be {'a text' if kind is str else 'a whole number'}, not {order[name]!r}")
    given = {name: value for name, value in order.items() if value is not None}
    if given.get("target") not in TARGETS:
        raise FaultRefused(f"target must be one of {', '.join(sorted(TARGETS))}")
    if given.get("fault") not in KINDS:
        raise FaultRefused(f"fault must be one of {', '.join(sorted(KINDS))}")
    if given["target"] not in ONLY_FOR.get(given["fault"], TARGETS):
        raise FaultRefused(f"{given['fault']} only makes sense for {', '.join(sorted(ONLY_FOR[given['fault']]))}")
    for name, least in {"times": 1, "status": 300, "after": 0, "ms": 0, "every_ms": 1, "retry_after_s": 0}.items():
        if given.get(name, least) < least:
            raise FaultRefused(f"{name} must be at least {least}")
    if given.get("status", 300) > 599:
        raise FaultRefused("status must be at most 599")
    return Fault(**given)
