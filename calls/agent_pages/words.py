"""Estimates, records and versions of agents in words, for the pages. Nothing here reads or decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from agents import comparison
from calls import wording
from calls.agent_pages.estimating import Estimate, Item, Soon
from calls.agent_pages.record import achieved_percent
from calls.analytics.figures import Figures
from calls.analytics.shown import per_minute_words
from calls.models import Analysis
from calls.sentences import in_readers_words

_PARTS = {
    "line": gettext_lazy("The telephone line, with tax"),
    "listening": gettext_lazy("Listening"),
    "thinking": gettext_lazy("Thinking"),
    "speaking": gettext_lazy("Speaking"),
    "transcription": gettext_lazy("Transcription of the recording"),
    "analysis": gettext_lazy("Summary after the call"),
}
_PAISA = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class ItemWords:
    what: Any
    who: str
    own: str
    counted: str
    unpriced: str


@dataclass(frozen=True, slots=True)
class EstimateWords:
    """The whole panel. `total` is only of what is priced; `missing` says what comes on top of it."""

    items: list[ItemWords]
    total: str
    missing: str
    habits: str
    tokens: str
    prompt: str
    instructions: str
    latency: str
    latency_tone: str
    latency_parts: str


def estimate_words(found: Estimate, soon: Soon) -> EstimateWords:
    missing = [_("no price for %(what)s") % {"what": in_readers_words(what)} for what in found.unpriced]
    missing += [_("no exchange rate from %(currency)s") % {"currency": currency} for currency in found.without_rate]
    habits = _(
        "A minute with %(replies)d replies in a call of %(minutes)d minutes, %(characters)d characters spoken. "
        "Cheaper input from the provider's cache and answers begun ahead are not counted."
    )
    prompt = _("About %(tokens)s tokens") % {"tokens": f"{found.prompt_tokens:,}"}
    if found.prompt_share is not None:
        prompt += _(", which cost %(money)s a minute") % {"money": _rounded(found.prompt_share, found.currency)}
    return EstimateWords(
        items=[_item_words(item, found.currency) for item in found.items],
        total=_rounded(found.total, found.currency),
        missing="; ".join(missing),
        habits=habits
        % {"replies": found.habits.replies, "minutes": found.habits.call_minutes, "characters": found.habits.spoken_characters},
        tokens=f"{found.prompt_tokens:,}",
        prompt=prompt,
        instructions=_("Every reply reads about %(tokens)s tokens before the talk itself: the prompt, manners for the phone, tools.")
        % {"tokens": f"{found.instruction_tokens:,}"},
        latency=wording.latency_words(soon.total_ms) if soon.total_ms is not None else _("not measured yet"),
        latency_tone=wording.latency_tone(soon.total_ms),
        latency_parts=_latency_parts(soon),
    )


def _rounded(amount: Decimal, currency: str) -> str:
    """To the paisa; what is less than one is not 0."""
    if 0 < amount < _PAISA:
        return _("less than %(least)s") % {"least": wording.money_words(_PAISA, currency)}
    return wording.money_words(amount.quantize(_PAISA), currency)


def _item_words(item: Item, currency: str) -> ItemWords:
    own = " + ".join(wording.money_words(amount, other, at_most=5) for other, amount in item.amounts.items() if other != currency)
    counted = _rounded(item.counted, currency) if item.counted is not None else "–" if item.amounts else ""
    return ItemWords(_PARTS[item.name], item.model, own, counted, _("unpriced") if item.unpriced else "")


def _latency_parts(soon: Soon) -> str:
    parts = [_("%(ms)d ms pause") % {"ms": soon.pause_ms}]
    parts.append(_("model %(ms)d ms") % {"ms": soon.model_ms} if soon.model_ms is not None else _("model: no calls with it here yet"))
    parts.append(_("voice %(ms)d ms") % {"ms": soon.voice_ms} if soon.voice_ms is not None else _("voice: no calls with it here yet"))
    if soon.total_ms is not None:
        parts.append(_("medians of the newest calls with these models"))
    return ", ".join(parts)


_OUTCOMES = {choice.value: choice.label for choice in Analysis.Outcome}


@dataclass(frozen=True, slots=True)
class RecordWords:
    calls: str
    talk: str
    achieved: str
    outcomes: str
    cost: str
    unpriced: str


def record_words(record: Figures) -> RecordWords:
    told = sorted(record.outcomes.items(), key=lambda item: -item[1])
    achieved, unpriced = achieved_percent(record), sum(cost.unpriced for cost in record.costs)
    return RecordWords(
        calls=f"{record.calls:,}",
        talk=wording.duration_words(record.seconds) if record.calls else "–",
        achieved=f"{achieved} %" if achieved is not None else "–",
        outcomes=", ".join(f"{_OUTCOMES.get(outcome, outcome)} {count}" for outcome, count in told),
        cost=per_minute_words(record),
        unpriced=_("without %(count)d unpriced uses") % {"count": unpriced} if unpriced else "",
    )


def change_words(names: Sequence[str]) -> str:
    """What a draft touches, as a short list."""
    shown = [comparison.field_words(name) for name in names[:6]]
    if (more := len(names) - 6) <= 0:
        return ", ".join(shown)
    told = {"names": ", ".join(shown), "more": more}
    return ngettext("%(names)s and %(more)d more", "%(names)s and %(more)d more", more) % told
