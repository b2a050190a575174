"""What the carrier says about a call. It says it late, twice, backwards or never; every order of reports reaches the same end."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from calls import broadcast, dispatch
from calls.commands.settlement import begin_settlement
from calls.commands.timeline import move, record_event
from calls.models import CallEvent, CallLog, Session
from calls.status import TERMINAL, CallStatus, may_follow


@dataclass(frozen=True, slots=True)
class CarrierReport:
    """One report in our words: times aware, the price with its currency, None or empty where the carrier said nothing.

    `cause` is the carrier's reason for a failure, for operators; `facts` go on the timeline and hold nothing personal.
    """

    status: str | None = None
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: int | None = None
    recording_url: str = ""
    price: Decimal | None = None
    currency: str = ""
    cause: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def learned(log: CallLog, report: CarrierReport) -> dict[str, Any]:
    """The columns this report fills or betters: earliest start, latest end, longest duration, first recording. Pure.

    Whatever the order in which reports come, the same facts remain.
    """
    columns: dict[str, Any] = {}
    for name in ("started_at", "answered_at"):
        told, known = getattr(report, name), getattr(log, name)
        if told is not None and (known is None or told < known):
            columns[name] = told
    if report.ended_at is not None and (log.ended_at is None or report.ended_at > log.ended_at):
        columns["ended_at"] = report.ended_at
    if report.duration_s is not None and report.duration_s > (-1 if log.duration_s is None else log.duration_s):
        columns["duration_s"] = report.duration_s
    if report.recording_url and not log.recording_url:
        columns["recording_url"] = report.recording_url
    if report.price is not None and report.currency and _betters(log, report.price, report.currency):
        columns |= {"carrier_price": report.price, "carrier_currency": report.currency}
    if report.cause and not log.failure and report.status in TERMINAL - {CallStatus.COMPLETED}:
        columns["failure"] = report.cause[:300]
    return columns


def _betters(log: CallLog, price: Decimal, currency: str) -> bool:
    """A price is only ever completed (the second leg is billed later), and never turned into another currency."""
    return log.carrier_price is None or (currency == log.carrier_currency and price > log.carrier_price)


def ignored_because(old: CallStatus, new: CallStatus | None) -> str:
    """Why a status does not move the call; "" if it does. Pure."""
    if new is None:
        return "no status in it"
    if new == old:
        return f"repeated: the call is {old} already"
    if may_follow(old, new):
        return ""
    if old in TERMINAL:
        return f"late: the call had ended as {old} when {new} came"
    return f"backward: {new} cannot follow {old}"


def apply_carrier_report(*, session: Session, report: CarrierReport, source: str, key: str) -> str:
    """Applies one report. Returns "" if it changed the call, else the reason why it was ignored. Never raises for its contents."""
    new = CallStatus(report.status) if report.status in set(CallStatus) else None
    with transaction.atomic():
        log = CallLog.objects.select_for_update(no_key=True).get(session=session)
        if CallEvent.objects.filter(session=session, key=key[:120]).exists():
            return "repeated: this report was applied before"
        columns = learned(log, report)
        reason = ignored_because(CallStatus(log.status), new)
        if columns:
            CallLog.objects.filter(pk=log.pk).update(**columns)
        if not reason and new is not None:
            move(session, new, source=source, carrier_time=report.ended_at or report.answered_at or report.started_at)
        if reason and not columns:
            return reason if new is not None else "nothing new in it"
        facts = {**report.facts, **({"status": report.status} if report.status else {}), "learned": sorted(columns)}
        record_event(session=session, key=key, source=source, kind="carrier-report", facts=facts, carrier_time=report.ended_at)
        if not reason and new in TERMINAL:
            _close_unheard_session(session, log, report)
        if (not reason and new in TERMINAL) or "recording_url" in columns:
            begin_settlement(session)
        if "carrier_price" in columns:
            _account_price(session, log)
        if columns:
            broadcast.call_changed_on_commit(session)
    return ""


def _account_price(session: Session, log: CallLog) -> None:
    """The price that accounting waits for is there; or it comes after all, when the call was settled without it."""
    if log.settled_at is None:
        dispatch.hurry(dispatch.JobKind.ACCOUNT, session)
    else:
        dispatch.enqueue(dispatch.JobKind.ACCOUNT, session, again=True)


def _close_unheard_session(session: Session, log: CallLog, report: CarrierReport) -> None:
    """A call that ended before any audio reached us has no conductor to end its session."""
    ended_at = report.ended_at or log.ended_at or log.created_at
    closed = Session.objects.filter(pk=session.pk, state=Session.State.WAITING).update(
        state=Session.State.ENDED, ended_at=ended_at, media_token_id=""
    )
    if closed:
        broadcast.call_ended_on_commit(session)


def note_poll(*, session: Session, next_at: datetime | None) -> None:
    """The carrier was asked for the call's details; `next_at` None means it will not be asked again."""
    with transaction.atomic():
        log = CallLog.objects.select_for_update(no_key=True).get(session=session)
        log.polls, log.poll_after = log.polls + 1, next_at
        log.save(update_fields=["polls", "poll_after"])
        if next_at is None:
            dispatch.hurry(dispatch.JobKind.ACCOUNT, session)
