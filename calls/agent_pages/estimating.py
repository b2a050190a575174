"""What a minute with an agent probably costs, by today's prices and rates, and how soon it probably answers, by what was measured here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from statistics import median
from typing import Final

from django.conf import settings
from django.utils import timezone

from agents import catalogue, prompts
from agents.assembly import facts_of, transcription_provider
from agents.models import AgentVersion
from agents.spec import AgentSpec, Mode
from agents.tokens import estimated_tokens
from calls.models import Session, Turn
from calls.price_book import PriceBook, day_of, price_book
from calls.rates import Rates
from calls.spend import countable
from engine.usage import Unit
from pricing import estimate
from pricing.cost import Priced
from pricing.estimate import Habits, Model, Staff
from providers import registry

# Each tool is a declaration that every reply reads.
_TOKENS_OF_A_TOOL: Final = 60
_RECENT_CALLS: Final = 20_000
_LATENCY_CALLS: Final = 40


@dataclass(frozen=True, slots=True)
class Item:
    """One line: what it is, who does it, and its cost a minute by currency. `counted` is in the billing currency, None without a rate.

    `unpriced` names what has no price; then `amounts` is only part of the truth, or empty.
    """

    name: str
    model: str
    amounts: dict[str, Decimal]
    counted: Decimal | None
    unpriced: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A minute of conversation. `total` is what is priced, in `currency`; `unpriced` and `without_rate` come on top."""

    items: list[Item]
    total: Decimal
    currency: str
    unpriced: list[str]
    without_rate: list[str]
    prompt_tokens: int
    instruction_tokens: int
    prompt_share: Decimal | None
    habits: Habits


def estimated(spec: AgentSpec, *, exophone: str = "", on: date | None = None, book: PriceBook | None = None) -> Estimate:
    """Reads prices and rates; calls nobody."""
    on, book, habits = on or day_of(timezone.now()), book or price_book(), Habits()
    rates = Rates(settings.BILLING_CURRENCY)
    instructions = instruction_tokens(spec)
    items = [_line_item(book, exophone, on, rates)]
    for part in estimate.minute(staff_of(spec), instructions, habits):
        amounts: dict[str, Decimal] = {}
        missing = []
        for use in part.uses:
            found = book.cost(use, language=spec.language, on=on)
            if isinstance(found, Priced):
                # By the minute, not by one use: nothing is rounded to pulses that a whole call would share.
                amount = found.price.price * use.quantity / found.price.per
                amounts[found.price.currency] = amounts.get(found.price.currency, Decimal(0)) + amount
            else:
                missing.append(use.unit.value.replace("_", " "))
        items.append(_item(part.name, part.model, amounts, rates, on, missing))
    prompt = estimated_tokens(spec.prompt) if spec.mode is Mode.LIVE else 0
    return Estimate(
        items=items,
        total=sum((item.counted for item in items if item.counted is not None), Decimal(0)),
        currency=rates.quote,
        unpriced=[item.unpriced for item in items if item.unpriced],
        without_rate=sorted({currency for item in items if item.counted is None for currency in item.amounts}),
        prompt_tokens=prompt,
        instruction_tokens=instructions,
        prompt_share=_prompt_share(spec, prompt, habits, book, rates, on),
        habits=habits,
    )


def instruction_tokens(spec: AgentSpec) -> int:
    """What every reply reads before the talk: the prompt, our manners for the phone and the tools."""
    if spec.mode is Mode.VOICEMAIL:
        return 0
    tools = len(spec.tools) + bool(spec.destinations) + spec.collects_digits + 1
    return estimated_tokens(prompts.system_prompt(spec, facts_of(spec))) + tools * _TOKENS_OF_A_TOOL


def staff_of(spec: AgentSpec) -> Staff:
    """Who is paid in a call of this agent and after it."""
    is_live = spec.mode is Mode.LIVE
    vendor = catalogue.vendor(spec.llm.provider)
    able = registry.names("completion")
    return Staff(
        listens=Model(spec.stt.provider, spec.stt.model) if is_live else None,
        thinks=Model(spec.llm.provider, spec.llm.model) if is_live else None,
        speaks=Model(spec.voice.provider, spec.voice.model),
        transcribes=Model(transcription_provider(spec), settings.TRANSCRIBE_MODEL) if spec.record_calls else None,
        reads=Model(vendor if vendor in able else able[0], spec.llm.model) if spec.analyse_calls and is_live else None,
    )


def _line_item(book: PriceBook, exophone: str, on: date, rates: Rates) -> Item:
    """The telephone line, with its tax. Without a tariff it is unpriced: the carrier will charge it all the same."""
    tariff = book.tariff(exophone, "inbound", on)
    line = Model("Exotel", "")
    if tariff is None:
        return _item("line", line, {}, rates, on, ["tariff"])
    amount = tariff.of(60).amount
    tax = book.line_tax(tariff.currency, on, tariff)
    return _item("line", line, {tariff.currency: amount + (tax.of(amount).amount if tax is not None else Decimal(0))}, rates, on, [])


def _item(name: str, model: Model, amounts: dict[str, Decimal], rates: Rates, on: date, missing: Sequence[str]) -> Item:
    counted, uncounted = countable(amounts, rates, on)
    who = f"{model.provider} {model.model}".strip()
    unpriced = f"{who} ({', '.join(missing)})" if missing else ""
    return Item(name, who, amounts, counted if amounts and not uncounted else None, unpriced)


def _prompt_share(spec: AgentSpec, prompt: int, habits: Habits, book: PriceBook, rates: Rates, on: date) -> Decimal | None:
    """What the prompt alone costs a minute, because every reply reads it; None where no price or rate is known."""
    for part in estimate.minute(staff_of(spec), 0):
        for use in part.uses:
            if part.name == "thinking" and use.unit is Unit.INPUT_TOKENS:
                found = book.cost(use, language=spec.language, on=on)
                if isinstance(found, Priced):
                    amount = found.price.price * prompt * habits.replies / found.price.per
                    counted, uncounted = countable({found.price.currency: amount}, rates, on)
                    return None if uncounted else counted
    return None


@dataclass(frozen=True, slots=True)
class Soon:
    """Medians of what was measured in calls with the same models, in ms; None where there were none. `pause_ms` is the agent's own."""

    pause_ms: int
    model_ms: int | None
    voice_ms: int | None
    turns: int

    @property
    def total_ms(self) -> int | None:
        return None if self.model_ms is None or self.voice_ms is None else self.pause_ms + self.model_ms + self.voice_ms


def answers_in(spec: AgentSpec) -> Soon:
    """How long callers probably wait, by the newest turns that these models have answered here, whoever's: a figure, no content."""
    thought = _newest("llm_ms", spec__llm__model=spec.llm.model)
    spoken = _newest("tts_ms", spec__voice__model=spec.voice.model)
    return Soon(
        pause_ms=spec.stt.endpointing_ms,
        model_ms=round(median(thought)) if thought else None,
        voice_ms=round(median(spoken)) if spoken else None,
        turns=min(len(thought), len(spoken)),
    )


def _newest(measure: str, **with_model: str) -> list[int]:
    """From the newest calls only: an old measure is none, and a table of millions is not read for a form. Tests may talk as a draft."""
    newest = Session.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    versions = AgentVersion.objects.filter(**with_model).values_list("pk", flat=True)
    recent = Session.objects.filter(pk__gt=newest - _RECENT_CALLS, agent_version__in=list(versions), call_log__is_test=False)
    sessions = list(recent.order_by("-pk").values_list("pk", flat=True)[:_LATENCY_CALLS])
    turns = Turn.objects.filter(session__in=sessions, speaker=Turn.Speaker.AGENT, **{f"{measure}__isnull": False})
    return list(turns.order_by().values_list(measure, flat=True))
