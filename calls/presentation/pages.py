"""What pages render on the server: one frozen value for each line, already in words."""

from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import NamedTuple

from calls import wording
from calls.alignment import voice_of
from calls.models import CallLog, Charge, Job, Recording, Session
from calls.presentation.live import duration_s, is_live, why
from calls.presentation.reading import voice_names
from calls.queries import ChargesSummary
from calls.status import CallStatus

# Nobody hangs up a call that was never answered.
_SAYS_IT_ALL = frozenset({CallStatus.BUSY, CallStatus.NO_ANSWER, CallStatus.FAILED})


@dataclass(frozen=True, slots=True)
class CallRow:
    """One line of the list of calls, in words."""

    session: Session
    log: CallLog
    number: str
    status: str
    tone: str
    ended_by: str
    why: str
    live: bool
    duration: str
    latency: str
    latency_tone: str
    costs: list[str]
    unpriced: int
    accounted: bool


def call_row(session: Session) -> CallRow:
    """Needs turns and charges prefetched."""
    log = session.call_log
    latencies = [turn.latency_ms for turn in session.turns.all() if turn.latency_ms is not None]
    middle = median(latencies) if latencies else None
    totals: dict[str, Decimal] = {}
    charges = list(session.charges.all())
    for charge in charges:
        if charge.amount is not None:
            totals[charge.currency] = totals.get(charge.currency, Decimal(0)) + charge.amount
    return CallRow(
        session=session,
        log=log,
        number=wording.mask_number(session.user_phone),
        status=wording.status_words(log.status),
        tone=wording.status_tone(log.status),
        ended_by="" if is_live(session) or log.status in _SAYS_IT_ALL else wording.ENDER.get(log.ended_by, ""),
        why=why(session),
        live=is_live(session),
        duration=wording.duration_words(duration_s(session)),
        latency=wording.latency_words(middle),
        latency_tone=wording.latency_tone(middle),
        costs=[wording.money_words(amount, currency, at_most=4) for currency, amount in sorted(totals.items())],
        unpriced=sum(charge.amount is None for charge in charges),
        accounted=bool(charges) or log.settled_at is not None,
    )


@dataclass(frozen=True, slots=True)
class CostLine:
    """What one provider's model used in one unit during the call, at one price."""

    what: str
    detail: str
    quantity: str
    unit_price: str
    amount: str
    state: str  # priced, unpriced, or pending until the call is accounted
    source: str


def cost_lines(summary: ChargesSummary) -> list[CostLine]:
    """Uses of the same thing at the same price are added up: a long call has hundreds, and five prices."""
    groups: dict[_Use, tuple[int, Decimal | None]] = {}
    for line in summary.lines:
        charge = line.charge
        use = _Use(line.usage.kind, line.usage.provider, line.usage.model, line.usage.unit, line.usage.purpose, *_price(charge))
        quantity, amount = groups.get(use, (0, None))
        if charge is not None and charge.amount is not None:
            amount = (amount or Decimal(0)) + charge.amount
        groups[use] = (quantity + line.usage.quantity, amount)
    return [_cost_line(use, quantity, amount) for use, (quantity, amount) in groups.items()]


class _Use(NamedTuple):
    """What makes two uses the same line."""

    kind: str
    provider: str
    model: str
    unit: str
    purpose: str
    state: str
    unit_price: Decimal | None
    price_per: int | None
    currency: str
    source: str


def _price(charge: Charge | None) -> tuple[str, Decimal | None, int | None, str, str]:
    if charge is None:
        return "pending", None, None, "", ""
    state = "unpriced" if charge.amount is None else "priced"
    return state, charge.unit_price, charge.price_per, charge.currency, charge.price_source


def _cost_line(use: _Use, quantity: int, amount: Decimal | None) -> CostLine:
    per = wording.per_words(use.price_per, use.unit)
    return CostLine(
        what=wording.usage_words(use.kind, use.purpose),
        detail=" ".join(part for part in (use.provider, use.model) if part),
        quantity=wording.quantity_words(quantity, use.unit),
        unit_price=f"{wording.money_words(use.unit_price, use.currency)} / {per}" if use.unit_price is not None else "–",
        amount="not accounted yet" if use.state == "pending" else wording.money_words(amount, use.currency),
        state=use.state,
        source=use.source,
    )


@dataclass(frozen=True, slots=True)
class JobLine:
    """One post-call step."""

    what: str
    state: str
    tone: str
    problem: str


_JOB_TONE = {Job.State.QUEUED: "wait", Job.State.RUNNING: "wait", Job.State.DONE: "good", Job.State.PARKED: "bad"}


def job_line(job: Job) -> JobLine:
    words = {Job.State.QUEUED: "Waiting", Job.State.RUNNING: "Running", Job.State.DONE: "Done", Job.State.PARKED: "Needs a person"}
    state = Job.State(job.state)
    problem = job.last_error if state in (Job.State.PARKED, Job.State.QUEUED) else ""
    return JobLine(wording.JOB.get(job.kind, job.kind), words[state], _JOB_TONE[state], problem)


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of the transcript made from the recording."""

    at_ms: int
    at: str
    channel: str
    text: str


def utterances(recording: Recording | None) -> list[Utterance]:
    lines = recording.transcript if recording and isinstance(recording.transcript, list) else []
    names, several = voice_names(recording), len({voice_of(line) for line in lines}) > 1
    return [
        Utterance(
            int(line.get("start_ms") or 0),
            wording.duration_words(int(line.get("start_ms") or 0) / 1000),
            names.get(voice_of(line)) or (f"Voice {voice_of(line)[1:]}" if several else ""),
            str(line.get("text", "")),
        )
        for line in lines
    ]
