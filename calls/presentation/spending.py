"""What calls cost by the minute, and what they cost so far, in words for pages. Reads rows that are already loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from calls import wording
from calls.budgeting import per_minute
from calls.models import CallSpend, Session
from calls.spend import talk_s


def minute_words(amounts: Mapping[str, Decimal]) -> str:
    """`₹1.20 + $0.0134 a minute`; empty where nobody knows."""
    parts = [wording.money_words(amount, currency, at_most=4) for currency, amount in sorted(amounts.items())]
    return _("%(cost)s a minute") % {"cost": " + ".join(parts)} if parts else ""


def call_minute_words(session: Session, totals: Mapping[str, Decimal], unpriced: int) -> str:
    """What a minute of this call cost; what is unpriced comes on top and is said so."""
    words = minute_words(per_minute(totals, talk_s(session.call_log, session)))
    return _("%(cost)s, without what is unpriced") % {"cost": words} if words and unpriced else words


@dataclass(frozen=True, slots=True)
class SoFar:
    """What a call costs before it is accounted, by the meter: an estimate."""

    cost: str
    minute: str
    unpriced: str


def so_far(session: Session) -> SoFar:
    """Needs `spends` prefetched. Empty words while nothing is known; what is only reserved is not spent."""
    rows: list[CallSpend] = list(session.spends.all())
    amounts = {row.currency: row.used for row in rows if row.used}
    parts = [wording.money_words(amount, currency, at_most=4) for currency, amount in sorted(amounts.items())]
    unpriced = next((row.unpriced for row in rows if row.unpriced), "")
    seconds = max((row.seconds for row in rows), default=0)
    return SoFar(
        " + ".join(parts),
        minute_words(per_minute(amounts, seconds)),
        _("%(what)s unpriced") % {"what": _("a line") if unpriced == "a line" else unpriced} if unpriced else "",
    )
