"""Figures as the page shows them: tiles, charts and tables, each with the address of the calls behind it. Nothing is counted here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents.models import Agent, AgentVersion
from calls import wording
from calls.analytics.asked import HOURLY_DAYS, Period
from calls.analytics.figures import By, Figures
from calls.analytics.words import NONE, Change, change, minutes_figure, minutes_words, percent_words, points, width
from calls.models import Analysis
from calls.price_book import midnight

MOST_ROWS: Final = 50
_OUTCOME_TONE: Final = {"achieved": "good", "partly-achieved": "warn", "not-achieved": "bad"}


@dataclass(frozen=True, slots=True)
class Tile:
    title: str
    value: str
    detail: str = ""
    change: Change | None = None
    link: str = ""
    explained: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table of calls. `bar` and `bar_answered` are 0 to 100 of the longest."""

    name: str
    link: str
    figures: Figures
    bar: float
    bar_answered: float
    change: Change | None
    answer_rate: str
    minutes: str
    p50: str
    p95: str
    p99: str
    tone: str
    interruptions: str
    silent: str
    silent_link: str
    per_minute: str


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of the list of calls, narrowed as the page is."""

    narrowed: Mapping[str, str]

    def calls(self, first: date, last: date, **more: object) -> str:
        asked = {**self.narrowed, "since": first.isoformat(), "until": last.isoformat(), **more}
        return f"{reverse('call-list')}?{urlencode({name: value for name, value in asked.items() if value not in ('', None)})}"


def money(amount: Any, currency: str = "", *, at_most: int = 2) -> str:
    return wording.money_words(amount, currency or settings.BILLING_CURRENCY, at_most=at_most) if amount is not None else NONE


def cost_words(figures: Figures) -> str:
    """In the billing currency, and beside it what has no rate."""
    known = [money(figures.cost)] if figures.cost is not None else []
    known += [money(amount, currency, at_most=4) for currency, amount in sorted(figures.without_rate.items())]
    return " + ".join(known) or NONE


def per_minute_words(figures: Figures) -> str:
    minute = figures.per_minute
    known = [money(minute(figures.cost))] if minute(figures.cost) is not None else []
    rest = sorted(figures.without_rate.items())
    known += [money(minute(amount), currency, at_most=4) for currency, amount in rest if minute(amount) is not None]
    return " + ".join(known) or NONE


def cost_caveats(figures: Figures) -> str:
    """What the costs do not contain."""
    told = []
    if count := figures.unpriced:
        words = ngettext("%(n)s call used something of unknown price", "%(n)s calls used something of unknown price", count)
        told.append(words % {"n": f"{count:,}"})
    if count := figures.unsettled:
        told.append(ngettext("%(n)s call not accounted yet", "%(n)s calls not accounted yet", count) % {"n": f"{count:,}"})
    if figures.without_rate:
        told.append(_("without a rate: %(currencies)s") % {"currencies": ", ".join(sorted(figures.without_rate))})
    return "; ".join(told)


def tiles(now: Figures, before: Figures | None, days: Period, links: Links) -> list[Tile]:
    """The period at a glance."""
    was = before or Figures()

    def behind(**more: object) -> str:
        return links.calls(days.first, days.last, **more)

    def compared(found: Change | None) -> Change | None:
        return found if before is not None else None

    latency, waiting = now.latency, _("%(n)s not answered yet") % {"n": f"{now.waiting:,}"} if now.waiting else ""
    return [
        Tile(_("Calls"), f"{now.calls:,}", waiting, compared(change(now.calls, was.calls)), behind()),
        Tile(
            _("Answered"), percent_words(now.answer_rate),
            ngettext("%(n)s call", "%(n)s calls", now.answered) % {"n": f"{now.answered:,}"} if now.calls else "",
            compared(points(now.answer_rate, was.answer_rate, better=1)), behind(answered="no"),
            _("Of all calls that do not ring any more. Behind it are those that were not answered."),
        ),
        Tile(
            _("Minutes"), minutes_figure(now.seconds),
            _("%(duration)s each") % {"duration": wording.duration_words(now.seconds / now.answered)} if now.answered else "",
            compared(change(now.seconds, was.seconds)), behind(answered="yes", sort="longest"),
        ),
        Tile(
            _("Turn latency"), wording.latency_words(latency.p50),
            f"p95 {wording.latency_words(latency.p95)} · p99 {wording.latency_words(latency.p99)}" if latency.turns else "",
            compared(change(latency.p50, was.latency.p50, better=-1)), behind(sort="slowest"),
            _("The median from the caller's last word to the agent's first audio."),
        ),
        Tile(
            _("Interruptions"), percent_words(now.interruption_rate),
            _("%(n)s of %(all)s answers") % {"n": f"{now.interruptions:,}", "all": f"{now.answers:,}"} if now.answers else "",
            compared(points(now.interruption_rate, was.interruption_rate, better=-1)), "", _("How often callers cut the agent off."),
        ),
        Tile(
            _("Silent calls"), f"{now.silent:,}",
            _("%(percent)s of the talks") % {"percent": percent_words(now.silent_rate)} if now.talks else "",
            compared(points(now.silent_rate, was.silent_rate, better=-1)), behind(silent="on"),
            _("Conversations in which no word of the caller was heard."),
        ),
        Tile(_("Cost"), cost_words(now), cost_caveats(now), compared(change(now.cost, was.cost)), behind(sort="costliest")),
        Tile(
            _("Cost per minute"), per_minute_words(now), _("of calls that are accounted") if now.unsettled else "",
            compared(change(now.per_minute(now.cost), was.per_minute(was.cost), better=-1)), behind(sort="costliest"),
        ),
    ]  # fmt: skip


def row(name: str, one: Figures, before: Figures | None, largest: int, link: str, silent_link: str) -> Row:
    return Row(
        name=name,
        link=link if one.calls else "",
        figures=one,
        bar=width(one.calls, largest),
        bar_answered=width(one.answered, largest),
        change=change(one.calls, before.calls) if before is not None else None,
        answer_rate=percent_words(one.answer_rate),
        minutes=minutes_words(one.seconds),
        p50=wording.latency_words(one.latency.p50),
        p95=wording.latency_words(one.latency.p95),
        p99=wording.latency_words(one.latency.p99),
        tone=wording.latency_tone(one.latency.p50),
        interruptions=percent_words(one.interruption_rate),
        silent=f"{one.silent:,}" if one.talks else NONE,
        silent_link=silent_link if one.silent else "",
        per_minute=per_minute_words(one),
    )


# --- over time --------------------------------------------------------------------------------------------------------------


def is_hourly(days: Period) -> bool:
    return days.days <= HOURLY_DAYS


def slots(days: Period) -> list[Any]:
    """The days, or beginnings of hours, that a chart of the period has, those without calls too."""
    if not is_hourly(days):
        return [days.first + timedelta(days=number) for number in range(days.days)]
    end = midnight(days.last + timedelta(days=1))
    hours = int((end - days.since) / timedelta(hours=1))
    return [days.since.astimezone(timezone.get_fixed_timezone(0)) + timedelta(hours=number) for number in range(hours)]


def over_time(
    found: Mapping[Any, Figures], before: Mapping[Any, Figures] | None, days: Period, links: Links
) -> tuple[list[Row], dict[str, Any]]:
    """The table, and what the charts draw of it. A chart has nothing that the table does not have."""
    now, was = slots(days), slots(days.before())
    largest = max((one.calls for one in found.values()), default=0)
    rows: list[Row] = []
    drawn: list[tuple[str, str, Figures, Figures | None]] = []
    for number, slot in enumerate(now):
        one = found.get(slot, Figures())
        earlier = before.get(was[number], Figures()) if before is not None and number < len(was) else None
        first, name, more = _slot(slot, days)
        link = links.calls(first, first, **more)
        rows.append(row(name, one, earlier, largest, link, links.calls(first, first, silent="on", **more)))
        drawn.append((name, rows[-1].link, one, earlier))
    series = {
        "labels": [name for name, *_ in drawn],
        "links": [link for _name, link, *_ in drawn],
        "answered": [one.answered for *_, one, _earlier in drawn],
        "calls": [one.calls for *_, one, _earlier in drawn],
        "before": [earlier.calls if earlier is not None else None for *_, earlier in drawn] if before is not None else None,
        **{name: [getattr(one.latency, name) for *_, one, _earlier in drawn] for name in ("p50", "p95", "p99")},
    }
    return rows, series


def _slot(slot: date | datetime, days: Period) -> tuple[date, str, dict[str, object]]:
    """Its day, its name, and what narrows the list to it beside the day."""
    if not isinstance(slot, datetime):
        return slot, date_format(slot, "j M"), {}
    local = timezone.localtime(slot)
    return local.date(), date_format(local, "H:i" if days.days == 1 else "j M H:i"), {"hour": local.hour}


# --- put together by something ---------------------------------------------------------------------------------------------


def grouped(
    by: By, found: Mapping[Any, Figures], before: Mapping[Any, Figures] | None, days: Period, links: Links
) -> tuple[list[Row], int]:
    """The rows, most calls first (hours of the day in their order), and how many were left out."""
    keys = sorted(range(24)) if by == By.CLOCK else sorted(found, key=lambda key: (-found[key].calls, str(key)))
    names = _names(by, keys[:MOST_ROWS])
    largest = max((one.calls for one in found.values()), default=0)
    rows = []
    for key in keys[:MOST_ROWS]:
        name, more = names[key]
        was = before.get(key, Figures()) if before is not None else None
        link, silent = links.calls(days.first, days.last, **more), links.calls(days.first, days.last, silent="on", **more)
        if key == "":  # the list cannot be narrowed to calls of which nobody knows our number
            link = silent = ""
        rows.append(row(name, found.get(key, Figures()), was, largest, link, silent))
    return rows, max(len(keys) - MOST_ROWS, 0)


def _names(by: By, keys: list[Any]) -> dict[Any, tuple[str, dict[str, object]]]:
    if by == By.AGENT:
        return {agent.pk: (agent.name, {"agent": agent.pk}) for agent in Agent.objects.filter(pk__in=keys)}
    if by == By.VERSION:
        versions = AgentVersion.objects.filter(pk__in=keys).select_related("agent")
        return {one.pk: (str(one), {"agent": one.agent_id, "version": one.pk}) for one in versions}
    if by == By.CLOCK:
        return {hour: (f"{hour:02}:00", {"hour": str(hour)}) for hour in keys}
    return {number: (number or _("Unknown number"), {"number": number}) for number in keys}


@dataclass(frozen=True, slots=True)
class Share:
    """One part of a whole, as a bar."""

    name: str
    words: str
    bar: float
    link: str = ""
    detail: str = ""
    tone: str = ""


def outcomes(one: Figures, days: Period, links: Links) -> list[Share]:
    """What the calls achieved that somebody has read, and how many nobody has."""
    read = sum(one.outcomes.values())
    largest = max(one.outcomes.values(), default=0)
    return [
        Share(
            str(label), f"{count:,}", width(count, largest), links.calls(days.first, days.last, outcome=value),
            percent_words(count / read), _OUTCOME_TONE.get(value, "quiet"),
        )
        for value, label in Analysis.Outcome.choices
        if (count := one.outcomes.get(value, 0))
    ]  # fmt: skip


def providers(one: Figures) -> list[Share]:
    """What each provider costs in a minute of a call."""
    found: dict[tuple[str, str], list[Any]] = {}
    for cost in one.costs:
        found.setdefault((cost.kind, cost.provider), []).append(cost)
    parts = [(key, Figures(charged_seconds=one.charged_seconds, costs=tuple(costs))) for key, costs in found.items()]
    largest = float(max((part.cost or 0 for _key, part in parts), default=0))
    parts.sort(key=lambda part: -(part[1].cost or 0))
    shown = []
    for (kind, provider), part in parts:
        unpriced = sum(cost.unpriced for cost in part.costs)
        details = [_("%(cost)s in all") % {"cost": cost_words(part)}] if any(cost.currency for cost in part.costs) else []
        if unpriced:
            without = ngettext("%(n)s use without a price", "%(n)s uses without a price", unpriced)
            details.append(without % {"n": f"{unpriced:,}"})
        detail = "; ".join(details)
        words = per_minute_words(part) if any(cost.currency for cost in part.costs) else _("unpriced")
        shown.append(Share(f"{wording.usage_words(kind, '')}: {provider}", words, width(float(part.cost or 0), largest), "", detail))
    return shown
