"""What a delivery means for a call. Reads it, finds or opens the call, and hands `calls` a report in our own words.

Applying twice changes nothing. A delivery about a call that we do not know is ignored with that reason, and tried again for a while: our
own news of a dial may be slower than the carrier's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from agents.models import Agent
from calls import commands, queries
from calls.models import Session
from calls.status import TERMINAL, Direction
from providers.exotel import webhooks
from providers.exotel.webhooks import CallReport, StreamReport
from telephony import inbox
from telephony.away import is_away
from telephony.models import Phone, WebhookDelivery

logger = structlog.get_logger()

# From our order to the person's answer: Exotel takes up to half a minute to dial and rings for about one.
_ANSWER_WITHIN = timedelta(minutes=3)
OPENING_DOORS = frozenset({"incoming", "voicebot"})
_CALLBACKS = frozenset({"status", "recording"})
_State = WebhookDelivery.State


@dataclass(frozen=True, slots=True)
class Applied:
    """The call that the delivery is about, and why nothing came of it if so."""

    session: Session | None
    ignored: str = ""


class Unanswered(Exception):
    """Nobody of ours answers this number. `message` says why, for operators."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def apply(delivery: WebhookDelivery) -> Applied:
    """Applies one delivery and marks it, in one transaction. If anything raises, the delivery is kept as failed and the error goes on.

    Copies that come at the same moment wait for each other; the later ones find the work done.
    """
    try:
        with transaction.atomic():
            row = WebhookDelivery.objects.select_for_update(no_key=True).get(pk=delivery.pk)
            if _is_done(row):
                known = queries.find_session(call_sid=row.call_sid, session_id=row.session_id)
                return Applied(known, row.reason)
            applied = _apply(row)
            inbox.mark({row.pk: _became(applied.ignored)}, session_id=applied.session.session_id if applied.session else "")
    except Exception as error:
        inbox.mark({delivery.pk: (_State.FAILED, f"{type(error).__name__}; the log has the place")})
        raise
    return applied


def _apply(delivery: WebhookDelivery) -> Applied:
    report = webhooks.read(delivery.params)
    session = find(report, session_id=delivery.session_id if delivery.door == "recording" else "")
    is_opening = delivery.door in OPENING_DOORS
    if session is None and is_opening:
        try:
            session = open_for(report)
        except Unanswered as error:
            return Applied(None, error.message)
    if session is None:
        return Applied(None, inbox.UNKNOWN_CALL)
    if report.stream is not None:
        _note_stream(session, report.stream, report.updated_at)
    if report.dial_status:
        commands.transfer_ended(session, outcome=report.dial_status)
    key, told = _told(delivery, report)
    reason = commands.apply_carrier_report(session=session, report=told, source="carrier", key=key)
    return Applied(session, "" if is_opening or report.stream is not None else reason)


def _became(ignored: str) -> tuple[WebhookDelivery.State, str]:
    """What became of a delivery; with a reason, it changed nothing."""
    return (_State.IGNORED if ignored else _State.APPLIED), ignored


def _is_done(delivery: WebhookDelivery) -> bool:
    is_old_news = delivery.state == _State.IGNORED and delivery.session_id != "" and delivery.reason != inbox.UNKNOWN_CALL
    return delivery.state == _State.APPLIED or is_old_news


def _told(delivery: WebhookDelivery, report: CallReport) -> tuple[str, commands.CarrierReport]:
    """The report under its key on the timeline."""
    told = in_our_words(report, delivery.door)
    return f"{delivery.door}:{delivery.fingerprint[:40]}", replace(told, facts={**told.facts, "delivery": delivery.pk})


def apply_all(pks: Sequence[int], give_way: Callable[[], object]) -> None:
    """Applies many. Callbacks about one known call are applied together, in one transaction; whatever else there is comes before them,
    because it may be what opens the call. `give_way` is called between calls.
    """
    doors = WebhookDelivery.objects.filter(pk__in=pks).values_list("pk", "door", "call_sid").order_by("received_at", "pk")
    of_calls: dict[str, list[int]] = {}
    for pk, door, call_sid in doors:
        if door in _CALLBACKS and call_sid:
            of_calls.setdefault(call_sid, []).append(pk)
        else:
            _apply_alone(pk)
    sessions = queries.find_sessions(of_calls)
    for call_sid, those in of_calls.items():
        give_way()
        session = sessions.get(call_sid)
        try:
            if session is None or len(those) == 1 or not _apply_together(session, those):
                for pk in those:
                    _apply_alone(pk)
        except Exception as error:
            if is_away(error):
                raise
            logger.error("deliveries_not_applied_together", session_id=session and session.session_id, error=type(error).__name__)
            for pk in those:
                _apply_alone(pk)


def _apply_together(session: Session, pks: Sequence[int]) -> bool:
    """False, and nothing done, if one of them is more than a report."""
    with transaction.atomic():
        found = WebhookDelivery.objects.select_for_update(no_key=True).filter(pk__in=pks).order_by("received_at", "pk")
        rows = [row for row in found if not _is_done(row)]
        reports = [webhooks.read(row.params) for row in rows]
        if any(report.stream is not None or report.dial_status for report in reports):
            return False
        told = [_told(row, report) for row, report in zip(rows, reports, strict=True)]
        reasons = commands.apply_carrier_reports(session=session, reports=told, source="carrier")
        inbox.mark({row.pk: _became(reason) for row, reason in zip(rows, reasons, strict=True)}, session_id=session.session_id)
    return True


def _apply_alone(pk: int) -> bool:
    """Whether it changed anything. Raises only when the database is away: nobody waits for this one, and its row keeps the reason."""
    delivery = WebhookDelivery.objects.filter(pk=pk).first()
    if delivery is None:
        return False
    try:
        return not apply(delivery).ignored
    except Exception as error:
        if is_away(error):
            raise
        logger.error("delivery_not_applied", delivery_id=pk, door=delivery.door, attempt=delivery.attempts + 1, error=type(error).__name__)
    return False


def find(report: CallReport, *, session_id: str = "") -> Session | None:
    """The call that a report is about: by the carrier's id, else by ours that went out with the dial and came back."""
    session = queries.find_session(call_sid=report.call_sid, session_id=session_id or report.custom_field)
    if session is None or not report.call_sid:
        return session
    log = session.call_log
    if log.call_sid and log.call_sid != report.call_sid:
        return None
    if not log.call_sid:
        # The carrier's own word came before the answer to our dial: the call is known from now on.
        commands.dial_accepted(session, call_sid=report.call_sid, from_phone="")
        return queries.find_session(call_sid=report.call_sid)
    return session


def open_for(report: CallReport) -> Session:
    """Opens the rows of a call that one of our phones answers. Raises `Unanswered`.

    A call that we are placing ourselves has its rows already: its flow may ask before the answer to our dial is here, or when there never
    was one, and an applet need not say our id. Taken for a new call, the dialled one would look as if it had failed.
    """
    agent, exophone, human = _answering(report)
    if report.direction != Direction.INBOUND and human:
        dialled = queries.awaited_dial(person=human, exophone=exophone, since=timezone.now() - _ANSWER_WITHIN)
        if dialled is not None:
            commands.dial_accepted(dialled, call_sid=report.call_sid, from_phone=exophone)
            return queries.find_session(call_sid=report.call_sid) or dialled
    return commands.open_call(
        agent_version=agent.current_version,
        direction=report.direction or Direction.INBOUND,
        user_phone=human,
        agent_phone=exophone,
        call_sid=report.call_sid,
    )


def _answering(report: CallReport) -> tuple[Agent, str, str]:
    """The agent that answers, our number and the human's. Raises `Unanswered`."""
    phones = {phone.number: phone for phone in Phone.objects.filter(number__in=report.exophones).select_related("agent")}
    ours = next((number for number in report.exophones if number in phones), None)
    if ours is None:
        raise Unanswered("No phone of ours has the number that was called. Add it under Phones.")
    phone = phones[ours]
    if not phone.active:
        raise Unanswered("The phone that was called is inactive. Activate it under Phones.")
    if phone.agent is None:
        raise Unanswered("No agent is assigned to the phone that was called. Assign one under Phones.")
    if not phone.agent.active:
        raise Unanswered("The agent of the phone that was called is inactive. Activate it under Agents.")
    human = report.human if report.human != ours else next((number for number in report.exophones if number != ours), "")
    return phone.agent, ours, human


def in_our_words(report: CallReport, door: str) -> commands.CarrierReport:
    """What a delivery to this door says of the call. Pure."""
    status = report.status or _status_of_legs(report)
    if door in OPENING_DOORS and status in TERMINAL:
        # A flow asks what to do with a call: whatever word came along, the call has not ended.
        status = None
    has_ended = status in TERMINAL
    is_callback = door == "status"
    was_answered = report.event_type == "answered" and any(leg.status == "in-progress" for leg in report.legs)
    facts = {
        "door": door,
        "event": report.event_type,
        "legs": [leg.status for leg in report.legs],
        "causes": [leg.cause for leg in report.legs],
    }
    return commands.CarrierReport(
        status=status,
        started_at=report.started_at or report.created_at,
        answered_at=report.updated_at if was_answered and is_callback else None,
        ended_at=(report.ended_at or (report.updated_at if is_callback else None)) if has_ended else None,
        duration_s=report.duration_s if has_ended else None,
        recording_url=report.recording_url,
        cause=report.cause,
        told_at=report.updated_at,
        facts={name: value for name, value in facts.items() if value},
    )


def _status_of_legs(report: CallReport) -> str | None:
    """An `answered` event may leave the call's status out; the first leg's tells it."""
    return "in-progress" if report.legs and report.legs[0].status == "in-progress" else None


def _note_stream(session: Session, stream: StreamReport, told_at: datetime | None) -> None:
    facts = {"status": stream.status, "disconnected_by": stream.disconnected_by, "duration_s": stream.duration_s, "error": stream.error}
    commands.record_event(
        session=session,
        key=f"stream-report:{stream.stream_sid[:64]}:{stream.status[:20]}",
        source="carrier",
        kind="stream-reported",
        facts={name: value for name, value in facts.items() if value not in ("", None)},
        carrier_time=told_at,
    )


def repair(limit: int = 200) -> int:
    """Applies what was left over, each in a transaction of its own; one that fails does not hold up the others."""
    return sum(_apply_alone(pk) for pk in inbox.left_over(limit))
