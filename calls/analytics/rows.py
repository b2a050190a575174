"""Calls counted by the hour, and which hours must be counted anew. Parts of `calls.models`; only `calls.analytics.keeping` writes them.

An hour is one of the operator's time zone, so that days are theirs too (India's begin at half past an hour of UTC). Days are sums of their
hours: a page of ninety days reads ninety rows where it would read two thousand.
"""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

# Whatever of a call's row counts. Turns and charges are written before one of these: the end, or the accounting.
COUNTED: Final = (
    "status", "direction", "from_phone", "to_phone", "owner_id", "agent_id", "answered_at", "ended_at", "duration_s", "ended_by",
    "confirmation", "is_test", "outcome", "cost", "unpriced", "settled_at", "created_at",
)  # fmt: skip

# Marks are only ever added, never updated: calls of the same hour do not wait for each other.
MARK_HOUR = pgtrigger.Trigger(
    name="call_counts_anew",
    operation=pgtrigger.Insert | pgtrigger.Delete | pgtrigger.UpdateOf(*COUNTED),  # type: ignore[no-untyped-call]  # without annotations
    when=pgtrigger.After,
    func="""
IF TG_OP <> 'INSERT' THEN
    INSERT INTO calls_rollupmark (moment) VALUES (OLD.created_at);
END IF;
IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.created_at <> OLD.created_at) THEN
    INSERT INTO calls_rollupmark (moment) VALUES (NEW.created_at);
END IF;
RETURN NULL;
""",
)

# Talks, silent ones and failed ones are told by the conversation's own row: its end may be written when the call's row changes no more.
MARK_TALK: Final = pgtrigger.Trigger(
    name="talk_counts_anew",
    operation=pgtrigger.UpdateOf("state", "end_reason"),  # type: ignore[no-untyped-call]  # without annotations
    when=pgtrigger.After,
    condition=pgtrigger.Condition("OLD.state = 'ended' OR NEW.state = 'ended'"),
    func="INSERT INTO calls_rollupmark (moment) SELECT created_at FROM calls_calllog WHERE session_id = NEW.id; RETURN NULL;",
)


def midnight_of(moment: datetime) -> datetime:
    """When the operator's day of this moment begins."""
    return moment.astimezone(ZoneInfo(settings.TIME_ZONE)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


class RollupMark(models.Model):
    """The hour of this moment must be counted anew. Written by Postgres itself with the change of a call, in its transaction."""

    moment = models.DateTimeField(db_index=True, help_text="When a call began that has changed.")

    def __str__(self) -> str:
        return f"{self.moment:%Y-%m-%d %H:%M}"


class Counted(models.Model):
    """Whose calls of which hour, agent, version, exophone and direction a row counts. Tests are never among them."""

    hour = models.DateTimeField(help_text="When it begins.")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    agent = models.ForeignKey("agents.Agent", on_delete=models.CASCADE, related_name="+", db_index=False)
    version = models.ForeignKey("agents.AgentVersion", on_delete=models.CASCADE, related_name="+", db_index=False)
    exophone = models.CharField(max_length=20, blank=True, help_text="Our own number; empty if it is not known.")
    direction = models.CharField(max_length=16)

    class Meta:
        abstract = True


DIMENSIONS: Final = ("hour", "owner", "agent", "version", "exophone", "direction")


class CountedCalls(Counted):
    """How many calls, and how they went."""

    calls = models.PositiveIntegerField()
    answered = models.PositiveIntegerField()
    waiting = models.PositiveIntegerField(help_text="Neither answered nor over.")
    failed = models.PositiveIntegerField()
    unconfirmed = models.PositiveIntegerField(help_text="The carrier has not said that the line is down.")
    seconds = models.PositiveBigIntegerField(help_text="How long all answered calls lasted.")
    charged_seconds = models.PositiveBigIntegerField(help_text="The same of those that are accounted: what costs per minute count by.")
    talks = models.PositiveIntegerField(help_text="Conversations that are over; left messages are none.")
    silent = models.PositiveIntegerField(help_text="Talks in which no word of the caller was heard.")
    answers = models.PositiveIntegerField(help_text="Turns of agents.")
    interruptions = models.PositiveIntegerField(help_text="Turns of agents that the caller cut off.")
    unpriced = models.PositiveIntegerField(help_text="Calls that used something of unknown price.")
    unsettled = models.PositiveIntegerField(help_text="Answered calls that are over and not yet accounted.")
    last_call_at = models.DateTimeField()
    outcomes = models.JSONField(default=dict, help_text="How many calls have which; those that nobody has read are in none.")
    latency_buckets = ArrayField(models.PositiveSmallIntegerField(), default=list, help_text="See `calls.analytics.buckets`.")
    latency_counts = ArrayField(models.PositiveIntegerField(), default=list, help_text="How many turns are in each.")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.calls} calls from {self.hour:%Y-%m-%d %H:%M}"


class Rollup(CountedCalls):
    """Of an hour."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=DIMENSIONS, name="rollup_once")]
        indexes = [models.Index(fields=["owner", "hour"], name="rollup_of_owner")]


class RollupDay(CountedCalls):
    """Of a day; `hour` is its first."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=DIMENSIONS, name="rollup_day_once")]
        indexes = [models.Index(fields=["owner", "hour"], name="rollup_day_of_owner")]


class CountedCosts(Counted):
    """What these calls cost, by provider and currency, taxes included. Currencies are never added up.

    `converted` is in the billing currency by the rates that were frozen with the charges; `unconverted` is what had no rate.
    """

    kind = models.CharField(max_length=16)
    provider = models.CharField(max_length=32)
    currency = models.CharField(max_length=3, blank=True, help_text="Empty: nobody knows the price.")
    amount = models.DecimalField(max_digits=30, decimal_places=9)
    converted = models.DecimalField(max_digits=40, decimal_places=19)
    unconverted = models.DecimalField(max_digits=30, decimal_places=9)
    unpriced = models.PositiveIntegerField(help_text="Charges without an amount: they come on top.")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.provider} {self.currency} from {self.hour:%Y-%m-%d %H:%M}"


class RollupCost(CountedCosts):
    """Of an hour."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=[*DIMENSIONS, "kind", "provider", "currency"], name="rollup_cost_once")]
        indexes = [models.Index(fields=["owner", "hour"], name="rollup_cost_of_owner")]


class RollupCostDay(CountedCosts):
    """Of a day; `hour` is its first."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=[*DIMENSIONS, "kind", "provider", "currency"], name="rollup_cost_day_once")]
        indexes = [models.Index(fields=["owner", "hour"], name="rollup_cost_day_of_owner")]


class RollupState(models.Model):
    """How far counting is: one row. Another time zone or billing currency means that everything is counted anew."""

    zone = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    counted_at = models.DateTimeField(help_text="What happened up to then is counted, but for the hours that are left.")
    hours_left = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"counted at {self.counted_at:%Y-%m-%d %H:%M}"
