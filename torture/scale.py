"""How much of everything one run does."""

from dataclasses import dataclass, replace

_OF_PARTS = {
    "crash": ("trials",),
    "poison": ("good_calls",),
    "properties": ("interleavings", "orders", "through_database"),
    "outages": ("calls", "away_s", "outages"),
    "flood": ("calls", "webhooks", "webhooks_over_s", "copies"),
}


@dataclass(frozen=True)
class Scale:
    """`trials`: processes killed at each crash point. `calls`: live calls beside each outage. `away_s`: how long Postgres stays away.

    `interleavings` of a call's events are folded, `through_database` of them go through the inbox to the charges.
    """

    trials: int = 25
    calls: int = 20
    away_s: float = 60.0
    good_calls: int = 200
    webhooks: int = 6_000
    webhooks_over_s: float = 60.0
    copies: int = 10_000
    interleavings: int = 10_000
    orders: int = 720
    through_database: int = 10_000
    outages: tuple[str, ...] = ("nothing", "valkey", "postgres-restart", "postgres-away", "disk", "clock-forth", "clock-back")

    def of(self, part: str) -> str:
        """As much of it as this part does."""
        return ", ".join(f"{name} {getattr(self, name)}" for name in _OF_PARTS[part])

    def with_trials(self, trials: int) -> "Scale":
        return replace(self, trials=trials)


FULL = Scale()
QUICK = Scale(
    trials=2,
    calls=4,
    away_s=8.0,
    good_calls=10,
    webhooks=600,
    webhooks_over_s=10.0,
    copies=300,
    interleavings=500,
    orders=60,
    through_database=60,
    outages=("nothing", "valkey", "postgres-away"),
)
