"""Rehearsals by voice among the others: how many at once, what a worker that holds one owes, and what one that died has left behind."""

from functools import partial
from typing import Final, NoReturn

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone

from agents.spec import AgentSpec
from calls import broadcast, commands, dispatch
from calls.jobs import RetryLater, renew
from calls.models import Job, RehearsalResult, RehearsalRun, Session
from calls.rehearsing import spoken
from calls.rehearsing.books import paid_by
from calls.rehearsing.lines import EveryLineIsBusy, Line, NoLine, open_line
from calls.rehearsing.stage import Caller
from calls.rehearsing.talk import Talk
from calls.rehearsing.voices import caller_voice

logger = structlog.get_logger()

# Nobody renews it while the caller thinks and speaks (its model's limit and its voice's, each of them twice, and the agent's quiet), nor
# while a line that broke then is closed and its rows are waited for.
LEASE_S: Final = 240.0
_WAIT_S: Final = 30
_LONGEST_WAIT_S: Final = 300
_HANGS_UP_S: Final = 3
_MOST_BUSY_S: Final = 1800
_SEATS: Final = 7_240_511  # of our advisory locks
State = RehearsalResult.State


class Stopped(Exception):
    """Somebody has stopped the run."""


class BrokeOff(Exception):
    """The call had begun when its worker died."""

    message = "The call broke off: the process that held the caller's side died or was stopped. Rehearse it again."


def take_seat(result: RehearsalResult) -> bool:
    """Begins to hold it, if fewer are held than may be. False: it is over or was stopped. Raises `RetryLater`."""
    most = settings.REHEARSE_BY_VOICE_AT_ONCE
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SEATS])
        alive = {"kind": dispatch.JobKind.REHEARSE, "state": Job.State.RUNNING, "lease_until__gt": timezone.now()}
        held = RehearsalResult.objects.filter(by_voice=True, state=State.RUNNING, session__jobs__in=Job.objects.filter(**alive))
        mine = RehearsalResult.objects.filter(pk=result.pk)
        talking = held.exclude(session__state=Session.State.ENDED)  # one that is only judged has no line any more
        if talking.exclude(pk=result.pk).count() < most:
            return bool(mine.filter(state__in=[State.WAITING, State.RUNNING]).update(state=State.RUNNING))
        if not mine.filter(state__in=[State.WAITING, State.RUNNING]).exists():
            return False
        ahead = RehearsalResult.objects.filter(by_voice=True, state=State.WAITING, pk__lt=result.pk).count()
    wait_s = min(_LONGEST_WAIT_S, _WAIT_S * (1 + ahead // most))
    raise RetryLater(wait_s, f"It waits for its turn: {most} rehearsals by voice are held at once (REHEARSE_BY_VOICE_AT_ONCE).")


def leave_seat(result: RehearsalResult) -> None:
    """Something went wrong with it: its job says what, and whether it is tried again. Others need not wait for that."""
    RehearsalResult.objects.filter(pk=result.pk, state=State.RUNNING).update(state=State.WAITING)
    next_please()


def next_please() -> None:
    """Those that wait longest need not wait longer. As many as there are seats, of which more than one may have been left at once."""
    late = Job.objects.filter(kind=dispatch.JobKind.REHEARSE, state=Job.State.QUEUED, run_at__gt=timezone.now())
    late = late.filter(attempts=0)  # one that has failed waits until it is tried again
    waiting = RehearsalResult.objects.filter(by_voice=True, state=State.WAITING, session__jobs__in=late).order_by("pk")
    for found in waiting.select_related("session")[: settings.REHEARSE_BY_VOICE_AT_ONCE]:
        dispatch.hurry(dispatch.JobKind.REHEARSE, found.session)


def hold(result: RehearsalResult, spec: AgentSpec, session: Session, job: Job, caller: Caller, *, language: str) -> Talk:
    """Raises `Stopped`, `BrokeOff`, `NoLine`, `TookTooLong`, `LeaseLost`, and what caller and voice raise."""
    session.refresh_from_db()
    if session.state != Session.State.WAITING:
        _broke_off(result, session)
    if _is_stopped(result):
        raise Stopped
    voice = caller_voice(spec, language, paid_by(job), today=timezone.localdate())
    commands.admit(session)
    renew(job, LEASE_S)
    line = _opened(result, session)
    broadcast.call_opened_on_commit(session)
    speaks_first, lives = not spec.first_message.strip(), partial(_lives, result, job)
    talk = spoken.hold(session, line, caller, voice, speaks_first=speaks_first, beat=lives)
    renew(job, settings.JOB_LEASE_S)  # the judgement is one long request
    next_please()
    return talk


def _opened(result: RehearsalResult, session: Session) -> Line:
    try:
        return open_line(session)
    except EveryLineIsBusy as full:
        if _busy_s(result) > _MOST_BUSY_S:
            raise NoLine(f"No media process took the call for {_MOST_BUSY_S // 60} minutes. The last answer: {full}") from full
        RehearsalResult.objects.filter(pk=result.pk, state=State.RUNNING).update(state=State.WAITING)
        raise RetryLater(_WAIT_S, str(full)) from full


def _busy_s(result: RehearsalResult) -> float:
    """For how long no line was free for it. Only a hint keeps when that began: without it the waiting goes on."""
    key, now_s = f"rehearsal-busy:{result.pk}", timezone.now().timestamp()
    try:
        cache.add(key, now_s, 2 * _MOST_BUSY_S)
        return now_s - float(cache.get(key, now_s))
    except Exception as error:  # noqa: BLE001 - a cache that is away breaks no rehearsal
        logger.warning("rehearsal_busy_unknown", error=type(error).__name__)
        return 0.0


def _lives(result: RehearsalResult, job: Job) -> None:
    if _is_stopped(result):
        raise Stopped
    renew(job, LEASE_S)


def _is_stopped(result: RehearsalResult) -> bool:
    return RehearsalRun.objects.filter(pk=result.run_id, stopped_at__isnull=False).exists()


def _broke_off(result: RehearsalResult, session: Session) -> NoReturn:
    """Another worker had the caller's side. Its socket has gone with it, and the call with that; one that goes on is made to hang up."""
    if session.state == Session.State.ACTIVE:
        commands.request_hangup(session, by="rehearsal", source="sweeper")
        raise RetryLater(_HANGS_UP_S, "The call broke off; its end is waited for.")
    if _is_stopped(result):
        raise Stopped
    raise BrokeOff
