"""Random calls as rows, and their figures counted by hand: one call after the other, in Python, from what the rows say."""

import math
import random
from collections import Counter
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from calls.analytics.figures import SUMS, By
from calls.models import Analysis, CallLog, Charge, Session, Turn, UsageLine
from calls.status import TERMINAL
from tests.calls import made_calls as made

NUMBERS = ("+918047112233", "+918047112244", "")
STATUSES = ["completed"] * 6 + ["in-progress", "ringing", "busy", "no-answer", "failed", "canceled"]
REASONS = ["caller-hangup", "agent-goodbye", "silence", "voicemail-done", "voicemail-detected", "crash", "provider-failed", "link-lost"]


def agents(owner, count: int = 2) -> list:
    """Agents with two versions each, as a list of (agent, versions)."""
    found = []
    for number in range(count):
        agent = made.agent_of(owner, f"Agent {number} of {owner.username}")
        first = agent.current_version
        agent.prompt += " Be brief."
        agent.save()
        found.append((agent, [first, agent.current_version]))
    return found


def call(luck: random.Random, who, when, *, priced: bool = False) -> CallLog:
    """One call with everything that counts, or with nothing of it. `priced`: all that it used has a known price."""
    agent, versions = who
    status, direction = luck.choice(STATUSES), luck.choice(["inbound", "outbound"])
    exophone, person = luck.choice(NUMBERS), f"+9198{luck.randrange(10**8):08}"
    answered = status in ("completed", "in-progress") or luck.random() < 0.1
    over = status in TERMINAL
    session = Session.objects.create(
        owner=agent.owner, agent=agent, agent_version=luck.choice(versions), created_at=when, user_phone=person,
        agent_phone=exophone if luck.random() < 0.5 else "", state="ended" if over else "active",
        started_at=when if answered and luck.random() < 0.9 else None, end_reason=luck.choice(REASONS) if over else "",
    )  # fmt: skip
    log = CallLog.objects.create(
        session=session, owner=agent.owner, agent=agent, direction=direction, status=status, created_at=when,
        from_phone=person if direction == "inbound" else exophone, to_phone=exophone if direction == "inbound" else person,
        answered_at=when if answered else None, ended_at=when + timedelta(seconds=luck.randrange(300)) if over else None,
        duration_s=luck.choice([None, luck.randrange(400)]) if over else None,
        ended_by=luck.choice(["caller", "carrier"]) if over else "",
        confirmation=luck.choice(["confirmed", "confirmed", "not-confirmed"]) if over else "",
        is_test=luck.random() < 0.15, outcome=luck.choice(["", *Analysis.Outcome.values]) if answered else "",
        settled_at=when if over and luck.random() < 0.7 else None,
    )  # fmt: skip
    if answered:
        turns(luck, session)
    if log.settled_at and luck.random() < 0.9:
        charges(luck, log, priced=priced)
    return log


def turns(luck: random.Random, session: Session, first: int = 1) -> None:
    Turn.objects.bulk_create(
        Turn(
            session=session, number=number, speaker=luck.choice(["agent", "agent", "caller"]), text="Well.", started_ms=0, ended_ms=1,
            interrupted=luck.random() < 0.3, latency_ms=luck.choice([None, luck.randrange(0, 50), int(luck.lognormvariate(6.6, 0.7))]),
        )
        for number in range(first, first + luck.randrange(6))
    )  # fmt: skip


def charges(luck: random.Random, log: CallLog, *, priced: bool = False) -> None:
    for number in range(luck.randrange(1, 5)):
        kind, provider = luck.choice([("telephony", "carrier"), ("llm", "openai"), ("tts", "elevenlabs"), ("stt", "deepgram")])
        line = UsageLine.objects.create(session=log.session, kind=kind, provider=provider, unit="tokens", quantity=5, evidence=str(number))
        charge = _charge(luck, line, PRICED if priced else PRICES)
        charge.save()
        if luck.random() < 0.2:
            newer = _charge(luck, line, PRICED if priced else PRICES)
            newer.supersedes = charge
            newer.save()
    CallLog.objects.filter(pk=log.pk).update(unpriced=Charge.objects.filter(session=log.session, amount=None).count())


PRICES = ("inr", "usd", "usd without a rate", "unpriced")
PRICED = PRICES[:2]


def _charge(luck: random.Random, line: UsageLine, prices: tuple[str, ...]) -> Charge:
    how = luck.choice(prices)
    if how == "unpriced":
        return Charge(session=line.session, usage_line=line)
    amount = Decimal(luck.randrange(10**9)).scaleb(-9)
    if how == "inr":
        return Charge(session=line.session, usage_line=line, amount=amount, currency="INR")
    rate = {"exchange_rate": Decimal("88.1034567891"), "rate_currency": "INR"} if how == "usd" else {}
    return Charge(session=line.session, usage_line=line, amount=amount, currency="USD", **rate)


# --- counted by hand ----------------------------------------------------------------------------------------------------------


def key_of(log: CallLog, by: By):
    session, local = log.session, timezone.localtime(log.created_at)
    ours = session.agent_phone or (log.from_phone if log.direction == "outbound" else log.to_phone)
    return {
        By.ALL: 0, By.DAY: local.date(), By.HOUR: local.replace(minute=0, second=0, microsecond=0), By.CLOCK: local.hour,
        By.AGENT: log.agent_id, By.VERSION: session.agent_version_id, By.NUMBER: ours,
    }[by]  # fmt: skip


def by_hand(logs, by: By) -> dict:
    """By key: everything that `Figures` tells, as plain values; latencies as a sorted list."""
    found: dict = {}
    for log in logs:
        if not log.is_test:
            _add(found.setdefault(key_of(log, by), _nothing()), log)
    for one in found.values():
        one["latencies"].sort()
    return found


def _nothing() -> dict:
    return {**dict.fromkeys(SUMS, 0), "latencies": [], "outcomes": Counter(), "costs": {}}


def _add(sums, log: CallLog) -> None:
    session, told = log.session, list(log.session.turns.all())
    over, answered = log.status in TERMINAL, log.answered_at is not None
    talked = session.started_at is not None and session.state == "ended" and not session.end_reason.startswith("voicemail")
    seconds = 0
    if log.answered_at is not None:
        by_stamps = (log.ended_at - log.answered_at).seconds if log.ended_at else 0
        seconds = log.duration_s if log.duration_s is not None else by_stamps
    sums["calls"] += 1
    sums["answered"] += answered
    sums["waiting"] += not answered and not over
    broke_off = session.end_reason == "link-lost" and log.ended_by == "carrier"
    sums["failed"] += log.status == "failed" or session.end_reason in ("crash", "provider-failed") or broke_off
    sums["unconfirmed"] += log.confirmation == "not-confirmed"
    sums["seconds"] += seconds
    sums["charged_seconds"] += seconds if session.charges.all() else 0
    sums["talks"] += talked
    sums["silent"] += talked and not any(turn.speaker == "caller" for turn in told)
    sums["answers"] += sum(turn.speaker == "agent" for turn in told)
    sums["interruptions"] += sum(turn.speaker == "agent" and turn.interrupted for turn in told)
    sums["unpriced"] += log.unpriced > 0
    sums["unsettled"] += answered and over and log.settled_at is None
    sums["latencies"] += [turn.latency_ms for turn in told if turn.latency_ms is not None]
    if log.outcome:
        sums["outcomes"][log.outcome] += 1
    for charge in session.charges.all():
        key = (charge.usage_line.kind, charge.usage_line.provider, charge.currency)
        amount, converted, unconverted, unpriced = sums["costs"].get(key, (Decimal(0), Decimal(0), Decimal(0), 0))
        ours = charge.currency == settings.BILLING_CURRENCY
        if charge.amount is None:
            unpriced += 1
        elif ours or charge.rate_currency == settings.BILLING_CURRENCY:
            amount, converted = amount + charge.amount, converted + charge.amount * (charge.exchange_rate or 1)
        else:
            amount, unconverted = amount + charge.amount, unconverted + charge.amount
        sums["costs"][key] = (amount, converted, unconverted, unpriced)


def percentile(values: list[int], percent: int) -> int | None:
    return values[math.ceil(percent * len(values) / 100) - 1] if values else None
