"""Which providers are left alone for a while, because they failed. Decisions only; the clock is handed in.

A breaker opens after a few failures in a row, or at once where trying again cannot help, so that not every turn of every call pays for
finding out. When it has rested, one request is let through to probe; only its success closes the breaker again.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from engine.errors import ErrorCategory, ProviderError

_HOPELESS = frozenset({ErrorCategory.AUTHENTICATION, ErrorCategory.QUOTA, ErrorCategory.NOT_FOUND})


@dataclass(slots=True)
class Breaker:
    """One provider's state. All times in seconds of the caller's clock."""

    failures_to_open: int
    rest_s: float
    probe_s: float
    failures: int = 0
    rests_until: float | None = None
    _probing_until: float = 0.0

    def may_try(self, now: float) -> bool:
        """Whether a request may go there: it is closed, or it has rested and nobody probes it yet."""
        return self.rests_until is None or (now >= self.rests_until and now >= self._probing_until)

    def tried(self, now: float) -> None:
        """A request goes there. If the breaker is open this is the probe; one that never reports back counts as lost after `probe_s`."""
        if self.rests_until is not None and now >= self.rests_until:
            self._probing_until = now + self.probe_s

    def failed(self, now: float, *, hopeless: bool = False) -> None:
        self.failures += 1
        if hopeless or self.rests_until is not None or self.failures >= self.failures_to_open:
            self.rests_until, self._probing_until = now + self.rest_s, 0.0

    def worked(self) -> None:
        self.failures, self.rests_until, self._probing_until = 0, None, 0.0


@dataclass(frozen=True, slots=True)
class Condition:
    """How one provider is: whether it is left alone now, its failures in a row, and all of them since the process began."""

    key: Hashable
    is_resting: bool
    failures_in_row: int
    failures: int


@dataclass(slots=True)
class Health:
    """The breakers of all providers that were ever tried, by key. It only orders them, so it cannot block a call.

    Meant to be shared by every call of a process: `PROCESS_HEALTH`.
    """

    failures_to_open: int = 3
    rest_ms: int = 30_000
    probe_ms: int = 10_000
    clock: Callable[[], float] = monotonic
    _breakers: dict[Hashable, Breaker] = field(default_factory=dict)
    _failures: dict[Hashable, int] = field(default_factory=dict)  # of everybody who was ever tried: as many as agents name

    def tried(self, key: Hashable) -> None:
        self._failures.setdefault(key, 0)
        if (breaker := self._breakers.get(key)) is not None:
            breaker.tried(self.clock())

    def failed(self, key: Hashable, error: ProviderError) -> None:
        """A request there ended with `error`."""
        self._failures[key] = self._failures.get(key, 0) + 1
        if key not in self._breakers:
            self._breakers[key] = Breaker(self.failures_to_open, self.rest_ms / 1000, self.probe_ms / 1000)
        self._breakers[key].failed(self.clock(), hopeless=error.category in _HOPELESS)

    def worked(self, key: Hashable) -> None:
        self._breakers.pop(key, None)

    def may_try(self, key: Hashable) -> bool:
        breaker = self._breakers.get(key)
        return breaker is None or breaker.may_try(self.clock())

    def order(self, keys: Sequence[Hashable], shunned: frozenset[int] = frozenset()) -> list[int]:
        """The places of `keys`, best first: those that may be tried, then the `shunned`, then those that rest, in case nobody is well."""
        return sorted(range(len(keys)), key=lambda place: (not self.may_try(keys[place]), place in shunned))

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Everybody who was ever tried, for whoever reports on the process."""
        told = []
        for key, failures in self._failures.items():
            breaker = self._breakers.get(key)
            told.append(
                Condition(key, breaker is not None and breaker.rests_until is not None, breaker.failures if breaker else 0, failures)
            )
        return tuple(told)

    @property
    def resting(self) -> tuple[Hashable, ...]:
        """The keys whose breakers are open, for whoever reports on the process."""
        return tuple(key for key, breaker in self._breakers.items() if breaker.rests_until is not None)

    def forget(self) -> None:
        """Everybody is well again."""
        self._breakers.clear()
        self._failures.clear()


PROCESS_HEALTH = Health()
"""The health that all chains of this process share unless they are given another."""
