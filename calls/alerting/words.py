"""Alerts in words, the same on the page, in mails and in webhooks. Pure: figures go in as the rows keep them.

Never a number or a word of a caller.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from calls.alerting.judging import Kind
from calls.wording import latency_words, money_words

TITLES: Final[Mapping[str, str]] = {
    Kind.LATENCY: "Slow answers",
    Kind.FAILURES: "Failed calls",
    Kind.SPEND: "Spending",
    Kind.UNCONFIRMED: "Ends not confirmed",
    Kind.PROVIDER: "Provider fails",
    Kind.RETIRING: "Model is shut down soon",
}
KIND_CHOICES: Final = [
    (Kind.LATENCY.value, "Latency: the 95th percentile of what callers wait for an answer, in ms"),
    (Kind.FAILURES.value, "Failure rate: calls that failed, in % of those that ended"),
    (Kind.SPEND.value, "Spend: what the calls that began in the window cost"),
    (Kind.UNCONFIRMED.value, "Unconfirmed ends: calls that we ended and the carrier does not confirm"),
    (Kind.PROVIDER.value, "Provider down: requests that failed, in % of a provider's requests"),
    (Kind.RETIRING.value, "Model retiring: days until a model that agents use is shut down"),
]
ADVICE: Final[Mapping[str, str]] = {
    Kind.LATENCY: "Open the slowest calls: their latency strips show which part is slow. A slow provider can be put behind a stand-in.",
    Kind.FAILURES: "Open the calls below: each says who ended it and why.",
    Kind.SPEND: "Look at the calls below and at the page Money. A budget stops calls before they cost more.",
    Kind.UNCONFIRMED: "The legs may still be up and cost money. Compare with the calls that are live in the carrier's dashboard.",
    Kind.PROVIDER: "Check the provider's status page, the key and the quota. Stand-ins of an agent take over while it fails.",
    Kind.RETIRING: "Choose another model, try it, and publish before that day: from then on the provider refuses the old one.",
}
HOW_OVER: Final[Mapping[str, str]] = {
    "well": "Over",
    "lapsed": "Lapsed: no figures for a day, so nobody knows whether it is well",
    "rule-changed": "Closed: its rule was changed, switched off or removed",
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
    words = TITLES.get(kind, kind)
    return f"{words}: {subject}" if subject else words


def amount(kind: str, value: Decimal | None, currency: str = "") -> str:
    """A figure or a limit with its unit: `2.41 s`, `12.5 %`, `₹5,210.00`, `3 calls`, `53 days`."""
    if value is None:
        return "not known"
    if kind == Kind.LATENCY:
        return latency_words(float(value))
    if kind == Kind.SPEND:
        return money_words(value, currency, at_most=2)
    if UNITS.get(kind) == "percent":
        return f"{_short(value)} %"
    one, many = ("day", "days") if kind == Kind.RETIRING else ("call", "calls")
    return f"{_short(value)} {one if value == 1 else many}"


def window(minutes: int) -> str:
    """`15 minutes`, `hour`, `24 hours`: as it stands behind “the last”."""
    if minutes % 60:
        return f"{minutes} minutes" if minutes != 1 else "minute"
    return f"{minutes // 60} hours" if minutes != 60 else "hour"


def rule_words(kind: str, threshold: Decimal, window_minutes: int, currency: str, least_calls: int) -> str:
    """What a rule watches, as one sentence."""
    limit, last = amount(kind, threshold, currency), window(window_minutes)
    few = f", if there were {least_calls} or more calls" if least_calls > 1 else ""
    match kind:
        case Kind.LATENCY:
            return f"When 5 of 100 answers of the last {last} took {limit} or longer{few}."
        case Kind.FAILURES:
            return f"When {limit} or more of the calls that ended in the last {last} failed{few}."
        case Kind.SPEND:
            return f"When the calls that began in the last {last} cost {limit} or more."
        case Kind.UNCONFIRMED:
            return f"When the carrier does not confirm the end of {limit} or more of the last {last}."
        case Kind.PROVIDER:
            return f"When {limit} or more of a provider's requests of the last {last} failed{few}."
        case _:
            return f"When a model that an active agent uses is shut down within {limit}."


def sentence(kind: str, subject: str, figures: Mapping[str, Any]) -> str:
    """What is wrong, with its figures and the limit."""
    currency = str(figures.get("currency") or "")
    value, limit = amount(kind, _decimal(figures.get("value")), currency), amount(kind, _decimal(figures.get("limit")), currency)
    last, calls = window(int(figures.get("window_minutes") or 0)), int(figures.get("calls") or 0)
    match kind:
        case Kind.LATENCY:
            return f"5 of 100 answers of the last {last} took {value} or longer, over {_calls(calls)}; the limit is {limit}."
        case Kind.FAILURES:
            return (
                f"{int(figures.get('failed') or 0)} of {_calls(calls)} that ended in the last {last} failed: {value}; the limit is {limit}."
            )
        case Kind.SPEND:
            more = "".join(f" On top come {money_words(_decimal(sum_), name)}: no rate is known." for name, sum_ in _uncounted(figures))
            return f"{_calls(calls).capitalize()} that began in the last {last} cost {value} so far; the limit is {limit}.{more}"
        case Kind.UNCONFIRMED:
            return f"The carrier does not confirm the end of {value} of the last {last}; the limit is {limit}."
        case Kind.PROVIDER:
            why = ", ".join(f"{name} {count}" for name, count in dict(figures.get("categories") or {}).items())
            failed, asked = int(figures.get("failed") or 0), int(figures.get("requests") or 0)
            return f"{failed} of {asked} requests to {subject} in the last {last} failed: {value}; the limit is {limit}." + (
                f" Why: {why}." if why else ""
            )
        case _:
            return _retiring(subject, figures, value)


def _retiring(model: str, figures: Mapping[str, Any], value: str) -> str:
    names = [str(name) for name in figures.get("agents") or ()]
    more = int(figures.get("more_agents") or 0)
    whom = ", ".join(f"“{name}”" for name in names) + (f" and {more} more" if more else "")
    days = _decimal(figures.get("value")) or Decimal(0)
    when = f"is shut down on {figures.get('on')}, in {value}" if days > 0 else f"was shut down on {figures.get('on')}"
    return f"{model} {when}. Used by {whom}. Move to {figures.get('use')}."


def _uncounted(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    return sorted((str(name), str(total)) for name, total in dict(figures.get("uncounted") or {}).items())


def _calls(count: int) -> str:
    return f"{count} call" if count == 1 else f"{count} calls"


def _decimal(value: object) -> Decimal | None:
    return Decimal(str(value)) if value is not None else None


def _short(value: Decimal) -> str:
    text = f"{value:.1f}"
    return text.removesuffix(".0")
