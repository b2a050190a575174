"""Figures of analytics in words: shares, minutes, and how a figure differs from the period before. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext as _

NONE: Final = "–"
_LEAST_CHANGE: Final = 0.005


@dataclass(frozen=True, slots=True)
class Change:
    """How a figure differs from the one before it. `tone` says whether that is good; empty where nobody can say."""

    words: str
    tone: str


def percent_words(rate: float | None) -> str:
    """`93 %`, `4.2 %` below ten, `< 0.1 %` where rounding would make nothing of something."""
    if rate is None:
        return NONE
    percent = rate * 100
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.1f} %" if 0 < percent < 10 else f"{percent:.0f} %"


def minutes_words(seconds: int) -> str:
    """`4.2 min`, `1,204 min`: a tenth as long as it matters."""
    return _("%(minutes)s min") % {"minutes": minutes_figure(seconds)}


def minutes_figure(seconds: int) -> str:
    minutes = seconds / 60
    return f"{minutes:,.1f}" if 0 < minutes < 100 else f"{minutes:,.0f}"


def change(new: float | Decimal | None, old: float | Decimal | None, *, better: int = 0) -> Change | None:
    """In percent of what was before; None where one of the two is not known. `better`: 1 if more is better, -1 if less is, 0 if neither."""
    if new is None or old is None:
        return None
    if not old:
        return Change(_("none before"), "") if new else None
    share = float(new) / float(old) - 1
    if abs(share) < _LEAST_CHANGE:
        return Change(_("as before"), "")
    tone = "good" if share * better > 0 else "bad" if better else ""
    words = f"{share * 100:+,.0f} %" if abs(share) < 10 else _("%(n)s times") % {"n": f"{float(new) / float(old):,.0f}"}
    return Change(words.replace("-", "−"), tone)


def points(new: float | None, old: float | None, *, better: int = 0) -> Change | None:
    """For shares: in percentage points."""
    if new is None or old is None:
        return None
    difference = (new - old) * 100
    if abs(difference) < 0.05:
        return Change(_("as before"), "")
    tone = "good" if difference * better > 0 else "bad" if better else ""
    return Change(_("%(points)s points") % {"points": f"{difference:+.1f}".replace("-", "−")}, tone)


def width(value: float, largest: float) -> float:
    """The length of a bar, 0 to 100. What is more than nothing can be seen."""
    return round(max(value / largest * 100, 0.5), 1) if value and largest else 0.0
