"""What the conversation leaves behind: turns, usage, and its end. Called by the conductor beside the audio, never on it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from calls import broadcast, dispatch, queries
from calls.commands.settlement import begin_settlement, end_without_carrier, soon
from calls.commands.timeline import move, record_event
from calls.failures import place as place_of
from calls.models import CallLog, Session, ToolRun, Turn
from calls.outgoing.announcing import announce
from calls.status import CallStatus, Direction
from engine.events import EndReason, TurnLatency
from engine.usage import UsageRecord

logger = structlog.get_logger()

# A session whose process gave no sign of life for this long, and none to the next sweep either, has died with it. With a sweep every
# 15 s a dead one is found within 15 + 15 + 15 s and what the queue takes.
SILENT_AFTER_S = 15
LOOKED_AGAIN_AFTER_S = 10
# After this long an unknown dial is not going to become a call any more.
UNKNOWN_DIAL_S = 900
# When the talk is over the carrier is asked how the call ended, should its own report stay away.
ENDED_POLL_S = 10


@dataclass(frozen=True, slots=True)
class FinishedTurn:
    """A turn as the conversation tells it. ms count from the session's start."""

    session: Session
    number: int
    speaker: str
    text: str
    started_ms: int
    ended_ms: int
    generated_text: str = ""
    interrupted: bool = False
    latency: TurnLatency | None = None
    silence_after_ms: int | None = None


# Two of three rows that a talk leaves behind are turns: one statement for as many as there are, a tenth of what one costs through a model.
_TURN_COLUMNS = (
    "session_id", "number", "speaker", "text", "generated_text", "interrupted", "started_ms", "ended_ms",
    "endpointing_ms", "llm_ms", "tts_ms", "latency_ms", "silence_after_ms", "created_at",
)  # fmt: skip
_KEEP_TURNS = """
INSERT INTO calls_turn (
    session_id, number, speaker, text, generated_text, interrupted, started_ms, ended_ms,
    endpointing_ms, llm_ms, tts_ms, latency_ms, silence_after_ms, created_at
) VALUES {turns}
ON CONFLICT (session_id, number, speaker) DO UPDATE SET
    text = EXCLUDED.text, generated_text = EXCLUDED.generated_text, interrupted = EXCLUDED.interrupted,
    started_ms = EXCLUDED.started_ms, ended_ms = EXCLUDED.ended_ms, endpointing_ms = EXCLUDED.endpointing_ms,
    llm_ms = EXCLUDED.llm_ms, tts_ms = EXCLUDED.tts_ms, latency_ms = EXCLUDED.latency_ms,
    silence_after_ms = COALESCE(EXCLUDED.silence_after_ms, calls_turn.silence_after_ms)
"""
_ONE_TURN = f"({', '.join(['%s'] * len(_TURN_COLUMNS))})"


def add_turns(told: Sequence[FinishedTurn]) -> list[Turn]:
    """Stores turns of any sessions, all or none; told again, the last telling stands (a caller's turn may grow). Broadcasts each."""
    turns = [_turn(each) for each in told]
    once = {(turn.session_id, turn.number, turn.speaker): turn for turn in turns}  # a statement may not touch a row twice
    if once:
        values = [getattr(turn, name) for turn in once.values() for name in _TURN_COLUMNS]
        with connection.cursor() as cursor:
            cursor.execute(_KEEP_TURNS.format(turns=", ".join([_ONE_TURN] * len(once))), values)
    for each, turn in zip(told, turns, strict=True):
        broadcast.turn_ended_on_commit(each.session, turn)
    return turns


def add_turn(
    *,
    session: Session,
    number: int,
    speaker: str,
    text: str,
    started_ms: int,
    ended_ms: int,
    generated_text: str = "",
    interrupted: bool = False,
    latency: TurnLatency | None = None,
    silence_after_ms: int | None = None,
) -> Turn:
    """`add_turns` of one."""
    told = FinishedTurn(session, number, speaker, text, started_ms, ended_ms, generated_text, interrupted, latency, silence_after_ms)
    return add_turns([told])[0]


def _turn(told: FinishedTurn) -> Turn:
    latency = told.latency
    waits = (latency.endpointing_ms, latency.llm_ms, latency.tts_ms, latency.total_ms) if latency else (None,) * 4
    endpointing_ms, llm_ms, tts_ms, latency_ms, silence_after_ms = (
        None if value is None else max(value, 0) for value in (*waits, told.silence_after_ms)
    )
    # Postgres cannot keep the character NUL, and a recogniser or model must not be able to lose us a turn with one.
    text, generated_text = told.text.replace("\0", ""), told.generated_text.replace("\0", "")
    return Turn(
        session_id=told.session.pk,
        number=told.number,
        speaker=told.speaker,
        text=text,
        generated_text=generated_text if generated_text != text else "",
        interrupted=told.interrupted,
        started_ms=max(told.started_ms, 0),
        ended_ms=max(told.ended_ms, told.started_ms, 0),
        endpointing_ms=endpointing_ms,
        llm_ms=llm_ms,
        tts_ms=tts_ms,
        latency_ms=latency_ms,
        silence_after_ms=silence_after_ms,
    )


def interruption_measured(*, session: Session, number: int, silence_after_ms: int) -> bool:
    """How long the agent went on after it was interrupted, if that is known later than its turn."""
    turns = Turn.objects.filter(session=session, number=number, speaker=Turn.Speaker.AGENT)
    return bool(turns.update(silence_after_ms=max(silence_after_ms, 0)))


# Several times a turn, for every call of the process: one statement, where four with an object for each row took ten times the CPU.
_APPEND_USAGE = """
WITH used (place, called, kind, provider, model, unit, quantity, evidence, purpose) AS (VALUES {used}), mine AS (
    SELECT calls_session.id, calls_session.session_id AS called, calls_calllog.settled_at IS NOT NULL AS is_settled
    FROM calls_session JOIN calls_calllog ON calls_calllog.session_id = calls_session.id
    WHERE calls_session.session_id = ANY(%s)
), kept AS (
    INSERT INTO calls_usageline (session_id, created_at, kind, provider, model, unit, quantity, evidence, purpose)
    SELECT mine.id, %s::timestamptz, kind, provider, model, unit, quantity, evidence, purpose
    FROM used JOIN mine USING (called) ORDER BY place
    ON CONFLICT DO NOTHING
)
SELECT id, called, is_settled FROM mine
"""


def add_usage(session_id: str, records: Sequence[UsageRecord]) -> None:
    """`add_usages` of one session."""
    add_usages([(session_id, records)])


def add_usages(used: Sequence[tuple[str, Sequence[UsageRecord]]]) -> None:
    """Appends what sessions used, once each, all or none. Usage that comes after the call was accounted is accounted too."""
    rows = [(session_id, record) for session_id, records in used for record in records]
    if not rows:
        return
    values: list[Any] = []
    for place, (session_id, record) in enumerate(rows):
        values += [
            place,
            session_id,
            record.kind,
            record.provider,
            record.model[:64],
            record.unit,
            record.quantity,
            record.evidence[:120],
            record.purpose[:24],
        ]
    wanted = {session_id for session_id, _record in rows}
    values += [list(wanted), timezone.now()]
    statement = _APPEND_USAGE.format(used=", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s, %s)"] * len(rows)))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        found = cursor.fetchall()
        if unknown := wanted - {session_id for _pk, session_id, _is_settled in found}:
            raise Session.DoesNotExist(f"there is no session {', '.join(sorted(unknown))}")
        for pk, _session_id, is_settled in found:
            if is_settled:
                dispatch.enqueue(dispatch.JobKind.ACCOUNT, Session.objects.get(pk=pk), again=True)


def end_session(
    session_id: str, *, reason: str, at: datetime, stream_sid: str = "", source: str = "engine", lasted: timedelta | None = None
) -> bool:
    """Ends the session once; the first reason stands. The call's own end is the carrier's to report, and it is asked soon;
    a test has no carrier, and ends here. `lasted`: how long a test in writing would have taken on the telephone.

    With `stream_sid` only if the session is still that stream's: what another one has taken over is not its to end.
    """
    with transaction.atomic():
        log = CallLog.objects.select_for_update(no_key=True, of=("self",)).select_related("session").get(session__session_id=session_id)
        session = log.session
        running = Session.objects.filter(pk=session.pk).exclude(state=Session.State.ENDED)
        if stream_sid:
            running = running.filter(stream_sid=stream_sid)
        if not running.update(state=Session.State.ENDED, ended_at=at, end_reason=EndReason(reason), media_token_id=""):
            return False
        # What still ran when the talk ended may have happened.
        ToolRun.objects.filter(session=session, state=ToolRun.State.RUNNING).update(state=ToolRun.State.UNKNOWN, ended_at=at)
        part = queries.times_resumed(session)
        facts = {"reason": str(reason), "at": at.isoformat(), **({"part": part} if part else {})}
        key = f"session:ended:{part}" if part else "session:ended"
        record_event(session=session, key=key, source=source, kind="session-ended", facts=facts, holds_lock=True)
        if log.settled_at is None and log.call_sid:
            CallLog.objects.filter(pk=log.pk).update(poll_after=soon(ENDED_POLL_S))
        if log.is_test:
            end_without_carrier(session, has_talked=session.started_at is not None, at=at, lasted=lasted)
        announce(session)
        dispatch.hurry(dispatch.JobKind.ACCOUNT, session)
        broadcast.call_ended_on_commit(session)
    logger.info("session_ended", session_id=session_id, reason=reason)
    return True


_ALIVE = """
WITH running AS (
    UPDATE calls_session SET seen_at = %s WHERE session_id = ANY(%s) AND state = %s RETURNING session_id, hangup_requested_at
)
SELECT session_id FROM running WHERE hangup_requested_at IS NOT NULL
"""


def sessions_alive(session_ids: Collection[str]) -> frozenset[str]:
    """Notes that the process of these sessions lives; gives those that somebody wants ended."""
    with connection.cursor() as cursor:
        cursor.execute(_ALIVE, [timezone.now(), list(session_ids), Session.State.ACTIVE])
        return frozenset(session_id for (session_id,) in cursor.fetchall())


def give_up_unknown_dials() -> int:
    """Ends calls whose dial had an unknown outcome and of which the carrier has said nothing since: they block nothing for ever."""
    ended = 0
    limit = timezone.now() - timedelta(seconds=UNKNOWN_DIAL_S)
    lost = CallLog.objects.filter(
        status=CallStatus.INITIATED, direction=Direction.OUTBOUND, call_sid=None, started_at__lt=limit, session__state=Session.State.WAITING
    )
    for log in lost.select_related("session").order_by("id")[:200]:
        with transaction.atomic():
            reason = log.failure or "Nobody knows whether the carrier dialled; it never reported the call."
            if move(log.session, CallStatus.FAILED, source="sweeper", kind="given-up", failure=reason, ended_at=timezone.now()):
                Session.objects.filter(pk=log.session_id, state=Session.State.WAITING).update(
                    state=Session.State.ENDED, ended_at=timezone.now(), media_token_id=""
                )
                broadcast.call_ended_on_commit(log.session)
                begin_settlement(log.session)
                ended += 1
    return ended


def _end_dead(session_id: str, dead: QuerySet[Session], now: datetime) -> bool:
    """False if it has given a sign of life after all, or is another sweeper's."""
    with transaction.atomic():
        log = (
            CallLog.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
            .select_related("session")
            .filter(session__session_id=session_id, session__in=dead)
            .first()
        )
        if log is None:
            return False
        is_ended = end_session(session_id, reason=EndReason.CRASH, at=min(log.session.seen_at or now, now), source="sweeper")
        begin_settlement(log.session)
    logger.error("session_found_dead", session_id=session_id)
    return is_ended


def sweep_silent_sessions(now: datetime | None = None) -> int:
    """Ends the sessions whose media process died without a word, and settles their calls; returns how many.

    It takes two looks: nobody could give a sign of life while the database was away, and a clock that jumps makes everybody look silent.
    """
    now = now or timezone.now()
    silent_for, looked_again = timedelta(seconds=SILENT_AFTER_S), timedelta(seconds=LOOKED_AGAIN_AFTER_S)
    active = Session.objects.filter(state=Session.State.ACTIVE)
    silent = active.filter(Q(seen_at__lt=now - silent_for) | Q(seen_at__gt=now + silent_for))
    # Alive: a sign between the first look and now. Anything else is no sign, whichever way the clock went.
    dead = silent.filter(silent_at__lte=now - looked_again).exclude(seen_at__gt=F("silent_at"), seen_at__lte=now)
    swept = 0
    for session_id in list(dead.order_by("seen_at").values_list("session_id", flat=True)[:200]):
        try:
            swept += _end_dead(session_id, dead, now)
        except Exception as error:  # noqa: BLE001 - one that cannot be ended must not keep the others from their end
            logger.error("dead_session_not_ended", session_id=session_id, error=type(error).__name__, place=place_of(error))
    first_look = silent.filter(Q(silent_at=None) | Q(silent_at__lt=F("seen_at")) | Q(silent_at__gt=now))
    first_look.exclude(seen_at__gt=now, silent_at__lte=now).update(silent_at=now)
    return swept
