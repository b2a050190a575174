"""The books over many calls: what nobody knows a price of, and how our tariff compares with the carrier's bill. Nothing here writes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, Count, F, Func, Max, Min, Prefetch, QuerySet, Sum

from agents.visibility import own
from calls.charges import exophone_of, tariff_amount
from calls.models import CallLog, Charge, Session, UsageLine
from calls.price_book import PriceBook, day_of, midnight, price_book
from calls.queries import User, visible_sessions
from engine.usage import UsageKind
from pricing.price_list import Price

LONGEST = timedelta(days=366)
LATELY = 2000  # calls


def sessions_between(rows: QuerySet[Session], first: date, last: date) -> QuerySet[Session]:
    """Those of `rows` whose call began on one of these days, both included, as the operator counts days."""
    return rows.filter(created_at__gte=midnight(first), created_at__lt=midnight(last + timedelta(days=1)))


@dataclass(frozen=True, slots=True)
class UnpricedUse:
    """Uses of one thing that nobody knows a price of."""

    kind: str
    provider: str
    model: str
    unit: str
    quantity: int
    calls: int
    first: datetime
    last: datetime

    @property
    def is_carriers(self) -> bool:
        """The carrier has not told its price: no list of ours can help."""
        return self.kind == UsageKind.TELEPHONY


def unpriced_uses(user: User) -> list[UnpricedUse]:
    """Everything this user's calls used that has no price now, the most frequent first."""
    mine = visible_sessions(user).select_related(None).order_by()
    names = ("usage_line__kind", "usage_line__provider", "usage_line__model", "usage_line__unit")
    rows: Iterable[dict[str, Any]] = (
        Charge.objects.filter(session__in=mine, amount=None)
        .order_by()
        .values(*names)
        .annotate(
            quantity=Sum("usage_line__quantity"),
            calls=Count("session", distinct=True),
            first=Min("usage_line__created_at"),
            last=Max("usage_line__created_at"),
        )
    )
    found = [
        UnpricedUse(
            kind=row["usage_line__kind"],
            provider=row["usage_line__provider"],
            model=row["usage_line__model"],
            unit=row["usage_line__unit"],
            quantity=row["quantity"],
            calls=row["calls"],
            first=row["first"],
            last=row["last"],
        )
        for row in rows
    ]
    return sorted(found, key=lambda use: (-use.calls, use.kind, use.provider, use.model, use.unit))


def without_price_lately(user: User | None = None) -> list[tuple[str, str, str, str]]:
    """What the latest calls (a user's, or all) used and nobody knows a price of: kind, provider, model and unit. The carrier's silence is
    not counted.

    For what is asked again and again: it looks at so many calls and no more, however many charges there are that once had no price.
    """
    calls = CallLog.objects.all() if user is None else own(CallLog.objects.all(), user)
    latest = calls.order_by("-created_at", "-session_id").values("session_id")[:LATELY]
    # As an array: of a subquery Postgres would rather read every charge without a price, and throw most of them away.
    is_latest = Func(F("session_id"), ArraySubquery(latest), template="%(expressions)s)", arg_joiner=" = ANY(", output_field=BooleanField())
    unpriced = Charge.objects.filter(is_latest, amount=None).exclude(usage_line__kind=UsageKind.TELEPHONY)
    names = ("usage_line__kind", "usage_line__provider", "usage_line__model", "usage_line__unit")
    return list(unpriced.order_by(*names).values_list(*names).distinct())


@dataclass(slots=True)
class DriftRow:
    """One day of one exophone in one currency. `theirs` and `ours` are over the same calls, tax left out."""

    day: date
    exophone: str
    currency: str
    calls: int = 0
    seconds: int = 0
    theirs: Decimal = field(default_factory=Decimal)
    ours: Decimal = field(default_factory=Decimal)
    compared: int = 0
    differing: int = 0
    without_price: int = 0
    without_tariff: int = 0

    @property
    def drift(self) -> Decimal:
        """What the carrier charged beyond our tariff."""
        return self.theirs - self.ours

    @property
    def percent(self) -> Decimal | None:
        """Of our figure; None where that is nothing."""
        return (self.drift / self.ours * 100).quantize(Decimal("0.1")) if self.ours else None


def drift(user: User, first: date, last: date) -> list[DriftRow]:
    """The carrier's prices against our tariff, by day and exophone, newest day first. Raises ValueError for a senseless range."""
    if last < first or last - first > LONGEST:
        raise ValueError("Give a first and a last day, in this order and at most a year apart.")
    book, tariffs, rows = price_book(), dict[tuple[str, str, date], Price | None](), dict[tuple[date, str, str], DriftRow]()
    for session in _billed(sessions_between(visible_sessions(user), first, last)):
        _count(session, book, tariffs, rows)
    return sorted(rows.values(), key=lambda row: (-row.day.toordinal(), row.exophone, row.currency))


def _billed(rows: QuerySet[Session]) -> Iterator[Session]:
    """Calls that the carrier has had and that are over, in portions."""
    lines = UsageLine.objects.filter(kind=UsageKind.TELEPHONY).order_by("id")
    over = _over(rows).order_by("id")
    narrow = over.select_related(None).select_related("call_log").defer("draft_spec", "customer")  # without every call's transcript
    return narrow.prefetch_related(Prefetch("usage_lines", queryset=lines)).iterator(chunk_size=500)


def _over(rows: QuerySet[Session]) -> QuerySet[Session]:
    return rows.filter(call_log__call_sid__isnull=False, state=Session.State.ENDED)


def drift_reads(user: User, first: date, last: date, *, most: int) -> bool:
    """Whether `drift` reads no more calls than these. It counts no further."""
    found = _over(sessions_between(visible_sessions(user), first, last)).select_related(None).order_by()
    return found[: most + 1].count() <= most


def _count(
    session: Session,
    book: PriceBook,
    tariffs: dict[tuple[str, str, date], Price | None],
    rows: dict[tuple[date, str, str], DriftRow],
) -> None:
    log = session.call_log
    log.session = session
    was_answered = log.answered_at is not None or session.started_at is not None
    if log.carrier_price is None and not was_answered:
        return
    day, exophone = day_of(log.started_at or log.created_at), exophone_of(log)
    asked = (exophone, log.direction, day)
    if asked not in tariffs:
        tariffs[asked] = book.tariff(*asked)
    tariff = tariffs[asked]
    currency = log.carrier_currency or (tariff.currency if tariff is not None else "")
    row = rows.setdefault((day, exophone, currency), DriftRow(day, exophone, currency))
    legs: dict[str, int] = {}
    for line in session.usage_lines.all():
        legs[line.model] = legs.get(line.model, 0) + line.quantity
    row.calls += 1
    row.seconds += sum(legs.values())
    row.without_price += log.carrier_price is None
    row.without_tariff += tariff is None or tariff.currency != currency
    if log.carrier_price is not None and tariff is not None and tariff.currency == currency:
        ours = tariff_amount(tariff, list(legs.values()))
        row.compared += 1
        row.theirs += log.carrier_price
        row.ours += ours
        row.differing += ours != log.carrier_price


CSV_HEAD = (
    "day",
    "exophone",
    "currency",
    "calls",
    "seconds",
    "compared",
    "theirs",
    "ours",
    "drift",
    "percent",
    "differing",
    "without_price",
    "without_tariff",
)


def drift_csv(rows: Iterable[DriftRow]) -> Iterator[tuple[str, ...]]:
    """As lines of a table, the head first."""
    yield CSV_HEAD
    for row in rows:
        yield tuple("" if (value := getattr(row, name)) is None else str(value) for name in CSV_HEAD)
