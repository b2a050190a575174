"""Keeps a conversation in writing as the rows of its test call, as it happens, and reads what it costs."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from django.conf import settings
from django.utils import timezone

from agents import assembly
from agents.ledger import Begun, Ending
from agents.spec import AgentSpec, DestinationSpec
from calls import charges, commands
from calls.commands import FinishedTurn, Happened
from calls.kinds import Kind
from calls.models import Job, Session, UsageLine
from calls.rates import Rates
from calls.rehearsing.people import Paid
from engine.errors import ProviderError
from engine.events import AgentTurnEnded, ProviderFailed, SessionEvent, ToolCalled, UsageRecorded, UserTurnEnded
from engine.usage import UsageRecord

BESIDE = ("caller", "judge")  # what the rehearsal itself used, and no call would


class Books:
    """One session's. `last_turn` and `elapsed_ms` are those of what was said before in the same session; `part` tells its parts apart."""

    def __init__(self, session: Session, *, last_turn: int = 0, elapsed_ms: int = 0, part: int = 0) -> None:
        self._session = session
        self._last_turn = last_turn
        self._elapsed_ms = elapsed_ms
        self._part = part
        self._noted = 0

    def take(self, event: SessionEvent) -> None:
        match event:
            case UserTurnEnded(turn=number, text=text):
                self._turn(number, "caller", text, event.started_ms, event.ended_ms)
            case AgentTurnEnded(turn=number, heard=heard):
                more = {"generated_text": event.generated, "interrupted": event.interrupted, "latency": event.latency}
                self._turn(number, "agent", heard, event.started_ms, event.ended_ms, **more)
            case UsageRecorded(record=record):
                evidence = f"{record.evidence}:{self._part}" if record.evidence.startswith("estimate") else record.evidence
                commands.add_usage(self._session.session_id, [replace(record, evidence=evidence)])
            case ToolCalled(name=name, ok=ok, at_ms=at_ms, duration_ms=duration_ms):
                self._event("tool-called", {"tool": name, "ok": ok, "duration_ms": duration_ms}, at_ms)
            case ProviderFailed(provider=provider, category=category, message=message, at_ms=at_ms):
                self._event("provider-failed", {"provider": provider, "category": category, "reason": message[:300]}, at_ms)

    def _turn(self, number: int, speaker: str, text: str, started_ms: int, ended_ms: int, **more: Any) -> None:
        at: dict[str, Any] = {"started_ms": self._elapsed_ms + started_ms, "ended_ms": self._elapsed_ms + ended_ms}
        commands.add_turns([FinishedTurn(self._session, self._last_turn + number, speaker, text, **at, **more)])

    def _event(self, kind: Kind, facts: dict[str, Any], at_ms: int) -> None:
        self._noted += 1
        facts = {**facts, "at_ms": self._elapsed_ms + at_ms}
        commands.record_talk([Happened(self._session.pk, f"engine:{self._part}:{self._noted}", "engine", kind, timezone.now(), facts)])

    # what the agent's tools write down

    def begin_tool(self, tool: str, arguments: dict[str, Any], *, acts: bool) -> Begun:
        return commands.begin_tool_run(self._session.session_id, tool=tool, arguments=arguments, acts=acts)

    def end_tool(self, run_id: int, state: Ending, result: str) -> None:
        commands.end_tool_run(run_id, state=state, result=result)

    def transfer(self, destination: DestinationSpec) -> bool:
        return commands.decide_transfer(
            self._session.session_id,
            destination_id=destination.id,
            name=destination.name,
            numbers=destination.numbers,
            ring_s=destination.ring_s,
        )


def on_call(session: Session, spec: AgentSpec) -> assembly.OnCall:
    return assembly.OnCall(assembly.facts_of(spec, customer=session.customer), session.session_id)


def paid_by(job: Job) -> Paid:
    """Each request is written down before it is made, and with what it used."""
    return partial(_attempted, job)


@contextmanager
def _attempted(job: Job, provider: str) -> Iterator[Any]:
    attempt = commands.begin_attempt(job, provider)
    told: list[UsageRecord] = []
    try:
        yield told.extend
    except ProviderError as error:
        commands.close_attempt(attempt, ok=False, request_id=error.request_id)
        raise
    name = told[0].evidence.partition(":")[0] if told else ""
    commands.close_attempt(attempt, ok=True, request_id=name, usage=told)


def cost_of(
    session: Session, *, without: Collection[str] = (), since: int = 0, currency: str = ""
) -> tuple[Decimal | None, list[UsageLine]]:
    """What the session's uses cost by today's prices, and the uses; None if a price or a rate is missing.

    In the billing currency if none is named. `since`: the key of the last use that does not count.
    """
    currency = currency or settings.BILLING_CURRENCY
    lines = list(UsageLine.objects.filter(session=session, pk__gt=since).exclude(purpose__in=list(without)).order_by("id"))
    log = session.call_log
    log.session = session
    amounts = [charges.converted(charge, currency) for charge in charges.Pricing(rates=Rates(currency)).charges(log, lines)]
    known = [amount for amount in amounts if amount is not None]
    return (sum(known, Decimal(0)) if len(known) == len(amounts) else None), lines


def tokens(lines: Sequence[UsageLine]) -> tuple[int, int]:
    """Read and written."""
    read = sum(line.quantity for line in lines if line.unit in ("input_tokens", "cached_input_tokens"))
    return read, sum(line.quantity for line in lines if line.unit == "output_tokens")
