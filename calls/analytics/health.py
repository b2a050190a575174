"""How each exophone does: its calls of the period, what failed, its last call, and how the bill differs from our tariff."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.apps import apps
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from agents.visibility import sees_everything
from calls import ledger, wording
from calls.analytics.asked import Period
from calls.analytics.figures import Figures
from calls.analytics.shown import Links
from calls.analytics.words import NONE, percent_words
from calls.queries import User

# The bill is compared call by call: for more than this it is a report, on the page Money.
MOST_COMPARED: Final = 1000


@dataclass(frozen=True, slots=True)
class Line:
    """One exophone. `state` and `tone` say what to look at."""

    number: str
    label: str
    calls: str
    answered: str
    answer_rate: str
    failed: str
    unconfirmed: str
    last_call: str
    state: str
    tone: str
    link: str
    failed_link: str
    unconfirmed_link: str
    drift: str


def lines(user: User, found: Mapping[str, Figures], drifts: Mapping[str, str] | None, days: Period, links: Links) -> list[Line]:
    """Every exophone that is set up or had a call, those that need a look first. `drifts` by number; None: they were not compared."""
    phones = {phone.number: phone for phone in _phones(user)}
    made = [_line(number, phones.get(number), found.get(number), drifts, days, links) for number in {*phones, *found}]
    return sorted(made, key=lambda line: (("bad", "warn", "quiet", "good").index(line.tone), line.number))


def _phones(user: User) -> Iterable[Any]:
    """The line keeps the exophones; it is asked by name, as tasks are, so that no arrow points up."""
    phones: Any = apps.get_model("telephony", "Phone").objects.select_related("agent")
    found: Iterable[Any] = phones.all() if sees_everything(user) else phones.filter(agent__owner_id=user.pk)
    return found


def _line(number: str, phone: Any, figures: Figures | None, drifts: Mapping[str, str] | None, days: Period, links: Links) -> Line:
    one = figures or Figures()
    state, tone = _state(phone, one)
    last = date_format(timezone.localtime(one.last_call_at), "j M, H:i") if one.last_call_at else _("none in these days")

    def behind(count: int, **more: object) -> str:
        return links.calls(days.first, days.last, number=number, **more) if count and number else ""

    return Line(
        number=number or _("Unknown number"),
        label=phone.label if phone is not None else "",
        calls=f"{one.calls:,}",
        answered=f"{one.answered:,}",
        answer_rate=percent_words(one.answer_rate),
        failed=f"{one.failed:,}",
        unconfirmed=f"{one.unconfirmed:,}",
        last_call=last,
        state=state,
        tone=tone,
        link=behind(one.calls),
        failed_link=behind(one.failed, failed="on"),
        unconfirmed_link=behind(one.unconfirmed, unconfirmed="on"),
        drift="" if drifts is None else drifts.get(number, NONE),
    )


def _state(phone: Any, one: Figures) -> tuple[str, str]:
    if one.calls - one.waiting > 0 and one.failed * 4 >= one.calls:
        return _("Many calls fail"), "bad"
    if phone is not None and phone.active and phone.agent is None:
        return _("No agent answers it"), "bad"
    if one.failed * 20 >= one.calls > 0:
        return _("Some calls fail"), "warn"
    if one.unconfirmed * 20 >= one.calls > 0:
        return _("Ends not confirmed"), "warn"
    if phone is not None and not phone.active:
        return _("Switched off"), "quiet"
    if phone is None:
        return _("Not set up here"), "quiet"
    return (_("Well"), "good") if one.calls else (_("No calls"), "quiet")


def drifts(user: User, first: date, last: date) -> dict[str, str] | None:
    """By number, what the carrier took beyond our tariff, in words; None for too many calls."""
    if not ledger.drift_reads(user, first, last, most=MOST_COMPARED):
        return None
    sums: dict[tuple[str, str], tuple[Decimal, int]] = {}
    for row in ledger.drift(user, first, last):
        amount, compared = sums.get((row.exophone, row.currency), (Decimal(0), 0))
        sums[row.exophone, row.currency] = amount + row.drift, compared + row.compared
    told: dict[str, list[str]] = {}
    for (number, currency), (amount, compared) in sums.items():
        if compared:
            told.setdefault(number, []).append(wording.money_words(amount, currency, at_most=2))
    return {number: ", ".join(words) for number, words in told.items()}


def money_link(days: Period) -> str:
    """The report by day, whatever the number of calls."""
    return f"{reverse('money')}?since={days.first.isoformat()}&until={days.last.isoformat()}"
