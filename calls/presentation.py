"""What pages and live sockets show of a call, computed once for both. Reads rows that are already loaded; decides nothing about calls."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import median
from typing import Any

from django.urls import reverse
from django.utils import timezone

from calls import wording
from calls.models import CallEvent, CallLog, Job, Recording, Session, Turn
from calls.overview import DayFigures, RunningCalls
from calls.queries import ChargesSummary
from calls.status import TERMINAL

TURN_FACTS = ("number", "speaker", "text", "generated_text", "interrupted", "started_ms")
TURN_TIMES = ("endpointing_ms", "llm_ms", "tts_ms", "latency_ms", "silence_after_ms")
LAST_WORDS_LIMIT = 240


def is_live(session: Session) -> bool:
    """Queued, ringing or talking: the rule of `queries.calls_in_progress` for one loaded row."""
    return session.state != Session.State.ENDED and session.call_log.status not in TERMINAL


def running_since(session: Session) -> datetime:
    """What the running timer counts from: the best-known beginning of the call."""
    log = session.call_log
    return log.answered_at or session.started_at or log.started_at or session.created_at


def duration_s(session: Session) -> float | None:
    """The carrier's figure, else what our own stamps say; None while unknown."""
    log = session.call_log
    if log.duration_s is not None:
        return log.duration_s
    ended = log.ended_at or session.ended_at
    began = log.answered_at or session.started_at
    return (ended - began).total_seconds() if ended and began else None


def why(session: Session) -> str:
    """Who ended the call and why, in words; empty while it runs."""
    if is_live(session):
        return ""
    failure, ended = session.call_log.failure, wording.end_words(session.end_reason)
    return f"{ended}. {failure}" if ended and failure else ended or failure


def version(session: Session) -> str:
    """Changes whenever what the server renders beside the conversation may have changed."""
    recording: Recording | None = getattr(session, "recording", None)
    parts = (
        session.call_log.status,
        session.state,
        session.hangup_requested_at,
        recording and recording.state,
        session.call_log.settled_at,
    )
    return "/".join(str(part or "") for part in parts)


# --- JSON for the browser ---------------------------------------------------------------------------------------------------


def call_json(session: Session, last: Turn | None = None) -> dict[str, Any]:
    """One call as the live page and the call page draw it. Needs `call_log` and `agent` loaded."""
    log = session.call_log
    return {
        "session_id": session.session_id,
        "agent": session.agent.name,
        "number": wording.mask_number(session.user_phone),
        "direction": log.direction,
        "status_words": wording.status_words(log.status),
        "tone": wording.status_tone(log.status),
        "live": is_live(session),
        "since": running_since(session).isoformat(),
        "duration_words": wording.duration_words(duration_s(session)),
        "end_words": why(session),
        "hangup_requested": session.hangup_requested_at is not None,
        "last": {"speaker": last.speaker, "text": last.text[:LAST_WORDS_LIMIT]} if last else None,
        "url": reverse("call-page", args=[session.session_id]),
        "hangup_url": reverse("call-hangup", args=[session.session_id]),
        "version": version(session),
    }


def turn_json(facts: Mapping[str, Any]) -> dict[str, Any]:
    """One turn, from a row's columns or from the payload of a `turn.ended` update: templates and scripts draw the same fields."""
    latency = facts["latency_ms"]
    parts = wording.latency_parts(total_ms=latency, endpointing_ms=facts["endpointing_ms"], llm_ms=facts["llm_ms"], tts_ms=facts["tts_ms"])
    return {
        "number": facts["number"],
        "speaker": facts["speaker"],
        "text": facts["text"],
        "unheard": wording.unheard(facts["text"], facts["generated_text"]) if facts["interrupted"] else "",
        "interrupted": facts["interrupted"],
        "at_ms": facts["started_ms"],
        "at_words": wording.duration_words(facts["started_ms"] / 1000),
        "latency_ms": latency,
        "latency_words": wording.latency_words(latency),
        "latency_tone": wording.latency_tone(latency),
        "silence_after_ms": facts["silence_after_ms"],
        "parts": [{"name": part.name, "start_ms": part.start_ms, "length_ms": part.length_ms} for part in parts],
    }


def turns_json(turns: Iterable[Turn]) -> list[dict[str, Any]]:
    return [turn_json({name: getattr(turn, name) for name in (*TURN_FACTS, *TURN_TIMES)}) for turn in turns]


def snapshot_json(running: RunningCalls, figures: DayFigures) -> dict[str, Any]:
    """The live page as it stands now."""
    return {
        "kind": "snapshot",
        "server_now": timezone.now().isoformat(),
        "calls": [call_json(session, running.last_turns.get(session.pk)) for session in running.sessions],
        "more": running.more,
        "figures": figures_json(figures, len(running.sessions) + running.more),
        "watched": None,
    }


def figures_json(figures: DayFigures, running: int) -> dict[str, str]:
    costs = [wording.money_words(amount, currency, at_most=2) for currency, amount in figures.costs.items()]
    return {
        "running": str(running),
        "calls": f"{figures.calls:,}",
        "answered": f"{figures.answered:,} answered",
        "latency": wording.latency_words(figures.median_latency_ms),
        "cost": " + ".join(costs) or "–",
        "unpriced": f"and {figures.unpriced:,} unpriced" if figures.unpriced else "",
    }


# --- rows of the pages --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallRow:
    """One line of the list of calls, in words."""

    session: Session
    log: CallLog
    number: str
    status: str
    tone: str
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
    groups: dict[tuple[Any, ...], tuple[int, Decimal | None]] = {}
    for line in summary.lines:
        usage, charge = line.usage, line.charge
        state = "pending" if charge is None else "unpriced" if charge.amount is None else "priced"
        key = (usage.kind, usage.provider, usage.model, usage.unit, state, charge and charge.unit_price, charge and charge.price_per)
        key += (charge.currency if charge else "", charge.price_source if charge else "")
        quantity, amount = groups.get(key, (0, None))
        if charge is not None and charge.amount is not None:
            amount = (amount or Decimal(0)) + charge.amount
        groups[key] = (quantity + usage.quantity, amount)
    return [_cost_line(key, quantity, amount) for key, (quantity, amount) in groups.items()]


def _cost_line(key: tuple[Any, ...], quantity: int, amount: Decimal | None) -> CostLine:
    kind, provider, model, unit, state, price, per, currency, source = key
    return CostLine(
        what=wording.USAGE.get(kind, kind),
        detail=" ".join(part for part in (provider, model) if part),
        quantity=wording.quantity_words(quantity, unit),
        unit_price=f"{wording.money_words(price, currency)} / {wording.per_words(per, unit)}" if price is not None else "–",
        amount="not accounted yet" if state == "pending" else wording.money_words(amount, currency),
        state=state,
        source=source,
    )


@dataclass(frozen=True, slots=True)
class EventLine:
    """One entry of the call's timeline."""

    at: datetime
    source: str
    source_words: str
    what: str
    facts: str


def event_line(event: CallEvent) -> EventLine:
    facts = dict(event.facts)
    what = event.kind.replace("-", " ").replace("_", " ").capitalize()
    if event.kind == "status-changed" and "to" in facts:
        what = wording.status_words(str(facts.pop("to")))
    if event.kind == "session-ended" and "reason" in facts:
        what = wording.end_words(str(facts.pop("reason")))
    known = ((name, ", ".join(map(str, value)) if isinstance(value, list) else value) for name, value in facts.items())
    return EventLine(
        at=event.carrier_time or event.created_at,
        source=event.source,
        source_words=wording.EVENT_SOURCE.get(event.source, event.source),
        what=what,
        facts=" · ".join(f"{name}: {value}" for name, value in known if value not in (None, "", {})),
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
    named = len({line.get("channel") for line in lines}) > 1
    return [
        Utterance(
            int(line.get("start_ms") or 0),
            wording.duration_words(int(line.get("start_ms") or 0) / 1000),
            f"Channel {int(line.get('channel') or 0) + 1}" if named else "",
            str(line.get("text", "")),
        )
        for line in lines
    ]
