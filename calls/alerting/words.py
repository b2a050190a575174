"""Alerts in words, the same on the page, in mails and in webhooks. Pure: figures go in as the rows keep them.

In the language that is active: that of whoever reads the page. Mails and webhooks take the installation's (`telling`).

Never a number or a word of a caller.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext, pgettext

from calls.alerting.judging import Kind
from calls.sentences import in_readers_words
from calls.wording import latency_words, money_words

TITLES: Final[Mapping[str, str]] = {
    Kind.LATENCY: gettext_noop("Slow answers"),
    Kind.FAILURES: gettext_noop("Failed calls"),
    Kind.SPEND: gettext_noop("Spending"),
    Kind.UNCONFIRMED: gettext_noop("Ends not confirmed"),
    Kind.PROVIDER: gettext_noop("Provider fails"),
    Kind.RETIRING: gettext_noop("Model is shut down soon"),
}
KIND_CHOICES: Final = [
    (Kind.LATENCY.value, gettext_lazy("Latency: the 95th percentile of what callers wait for an answer, in ms")),
    # xgettext:no-python-format
    (Kind.FAILURES.value, gettext_lazy("Failure rate: calls that failed, in % of those that ended")),
    (Kind.SPEND.value, gettext_lazy("Spend: what the calls that began in the window cost")),
    (Kind.UNCONFIRMED.value, gettext_lazy("Unconfirmed ends: calls that we ended and the carrier does not confirm")),
    # xgettext:no-python-format
    (Kind.PROVIDER.value, gettext_lazy("Provider down: requests that failed, in % of a provider's requests")),
    (Kind.RETIRING.value, gettext_lazy("Model retiring: days until a model that agents use is shut down")),
]
ADVICE: Final[Mapping[str, str]] = {
    Kind.LATENCY: gettext_noop(
        "Open the slowest calls: their latency strips show which part is slow. A slow provider can be put behind a stand-in."
    ),
    Kind.FAILURES: gettext_noop("Open the calls below: each says who ended it and why."),
    Kind.SPEND: gettext_noop("Look at the calls below and at the page Money. A budget stops calls before they cost more."),
    Kind.UNCONFIRMED: gettext_noop(
        "The legs may still be up and cost money. Compare with the calls that are live in the carrier's dashboard."
    ),
    Kind.PROVIDER: gettext_noop("Check the provider's status page, the key and the quota. Stand-ins of an agent take over while it fails."),
    Kind.RETIRING: gettext_noop(
        "Choose another model, try it, and publish before that day: from then on the provider refuses the old one."
    ),
}
HOW_OVER: Final[Mapping[str, str]] = {
    "well": gettext_noop("Over"),
    "lapsed": gettext_noop("Lapsed: no figures for a day, so nobody knows whether it is well"),
    "rule-changed": gettext_noop("Closed: its rule was changed, switched off or removed"),
}
UNITS: Final[Mapping[str, str]] = {
    Kind.LATENCY: "ms",
    Kind.FAILURES: "percent",
    Kind.SPEND: "money",
    Kind.UNCONFIRMED: "calls",
    Kind.PROVIDER: "percent",
    Kind.RETIRING: "days",
}


def title(kind: str, subject: str = "") -> str:
    """`Provider fails: deepgram`."""
    words = _(TITLES[kind]) if kind in TITLES else kind
    return f"{words}: {subject}" if subject else words


def advice(kind: str) -> str:
    return _(ADVICE[kind]) if kind in ADVICE else ""


def how_over(how: str) -> str:
    return _(HOW_OVER[how]) if how in HOW_OVER else ""


def amount(kind: str, value: Decimal | None, currency: str = "") -> str:
    """A figure or a limit with its unit: `2.41 s`, `12.5 %`, `₹5,210.00`, `3 calls`, `53 days`."""
    if value is None:
        return _("not known")
    if kind == Kind.LATENCY:
        return latency_words(float(value))
    if kind == Kind.SPEND:
        return money_words(value, currency, at_most=2)
    if UNITS.get(kind) == "percent":
        return f"{_short(value)} %"
    number = 1 if value == 1 else 2
    words = ngettext("%(n)s day", "%(n)s days", number) if kind == Kind.RETIRING else ngettext("%(n)s call", "%(n)s calls", number)
    return words % {"n": _short(value)}


def window(minutes: int) -> str:
    """`15 minutes`, `hour`, `24 hours`: as it stands behind “the last”."""
    if minutes % 60:
        return _("%(n)d minutes") % {"n": minutes} if minutes != 1 else pgettext("the last", "minute")
    return _("%(n)d hours") % {"n": minutes // 60} if minutes != 60 else pgettext("the last", "hour")


def rule_words(kind: str, threshold: Decimal, window_minutes: int, currency: str, least_calls: int) -> str:
    """What a rule watches, as one sentence."""
    told = {"limit": amount(kind, threshold, currency), "last": window(window_minutes), "least": least_calls}
    return _rule_sentence(kind, is_rare=least_calls > 1) % told


def _rule_sentence(kind: str, *, is_rare: bool) -> str:
    """`is_rare`: nothing is judged below so many calls."""
    match kind:
        case Kind.LATENCY if is_rare:
            return _("When 5 of 100 answers of the last %(last)s took %(limit)s or longer, if there were %(least)d or more calls.")
        case Kind.LATENCY:
            return _("When 5 of 100 answers of the last %(last)s took %(limit)s or longer.")
        case Kind.FAILURES if is_rare:
            return _("When %(limit)s or more of the calls that ended in the last %(last)s failed, if there were %(least)d or more calls.")
        case Kind.FAILURES:
            return _("When %(limit)s or more of the calls that ended in the last %(last)s failed.")
        case Kind.SPEND:
            return _("When the calls that began in the last %(last)s cost %(limit)s or more.")
        case Kind.UNCONFIRMED:
            return _("When the carrier does not confirm the end of %(limit)s or more of the last %(last)s.")
        case Kind.PROVIDER if is_rare:
            return _("When %(limit)s or more of a provider's requests of the last %(last)s failed, if there were %(least)d or more calls.")
        case Kind.PROVIDER:
            return _("When %(limit)s or more of a provider's requests of the last %(last)s failed.")
        case _kind:
            return _("When a model that an active agent uses is shut down within %(limit)s.")


def sentence(kind: str, subject: str, figures: Mapping[str, Any]) -> str:
    """What is wrong, with its figures and the limit."""
    currency = str(figures.get("currency") or "")
    calls = int(figures.get("calls") or 0)
    told = {
        "value": amount(kind, _decimal(figures.get("value")), currency),
        "limit": amount(kind, _decimal(figures.get("limit")), currency),
        "last": window(int(figures.get("window_minutes") or 0)),
        "calls": ngettext("%(n)s call", "%(n)s calls", calls) % {"n": calls},
        "failed": int(figures.get("failed") or 0),
        "requests": int(figures.get("requests") or 0),
        "subject": subject,
    }
    match kind:
        case Kind.LATENCY:
            return _("5 of 100 answers of the last %(last)s took %(value)s or longer, over %(calls)s; the limit is %(limit)s.") % told
        case Kind.FAILURES:
            return _("%(failed)d of %(calls)s that ended in the last %(last)s failed: %(value)s; the limit is %(limit)s.") % told
        case Kind.SPEND:
            spent = _("%(calls)s that began in the last %(last)s cost %(value)s so far; the limit is %(limit)s.") % told
            more = (money_words(_decimal(total), name) for name, total in _uncounted(figures))
            return " ".join((spent, *(_("On top come %(money)s: no rate is known.") % {"money": money} for money in more)))
        case Kind.UNCONFIRMED:
            return _("The carrier does not confirm the end of %(value)s of the last %(last)s; the limit is %(limit)s.") % told
        case Kind.PROVIDER:
            why = ", ".join(f"{in_readers_words(name)} {count}" for name, count in dict(figures.get("categories") or {}).items())
            failed = _("%(failed)d of %(requests)d requests to %(subject)s in the last %(last)s failed: %(value)s; the limit is %(limit)s.")
            return failed % told + (" " + _("Why: %(why)s.") % {"why": why} if why else "")
        case _kind:
            return _retiring(subject, figures, told["value"])


def _retiring(model: str, figures: Mapping[str, Any], value: object) -> str:
    whom = ", ".join(f"“{name}”" for name in figures.get("agents") or ())
    if more := int(figures.get("more_agents") or 0):
        whom = ngettext("%(names)s and %(more)d more", "%(names)s and %(more)d more", more) % {"names": whom, "more": more}
    told = {"model": model, "day": figures.get("on"), "value": value, "whom": whom, "use": figures.get("use")}
    if (_decimal(figures.get("value")) or Decimal(0)) > 0:
        return _("%(model)s is shut down on %(day)s, in %(value)s. Used by %(whom)s. Move to %(use)s.") % told
    return _("%(model)s was shut down on %(day)s. Used by %(whom)s. Move to %(use)s.") % told


def _uncounted(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    return sorted((str(name), str(total)) for name, total in dict(figures.get("uncounted") or {}).items())


def _decimal(value: object) -> Decimal | None:
    return Decimal(str(value)) if value is not None else None


def _short(value: Decimal) -> str:
    text = f"{value:.1f}"
    return text.removesuffix(".0")
