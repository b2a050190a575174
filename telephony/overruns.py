"""The last of three ways in which every leg ends. The conversation closes its socket by its own timer; Exotel cuts a placed call at the
`TimeLimit` it was given; and here somebody looks after calls that should be over and are not.

Exotel takes no order to hang up. So what can be closed is closed, the carrier is asked whether the leg is really down, and as long as
it is not, an alarm stands with what the overrun costs.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

import structlog
from django.utils import timezone

from agents.spec import AgentSpec
from calls import alarms, commands
from calls.commands.polling import claim_poll
from calls.failures import place
from calls.models import Alarm, CallLog, Session
from calls.status import TERMINAL
from providers.exotel.client import ExotelClient
from providers.exotel.details import CallDetails
from providers.exotel.errors import CarrierError
from telephony import pacing, reconciling
from telephony.answers import LONGEST_TALK_S

logger = structlog.get_logger()

T = TypeVar("T")

# Beyond the agent's own limit: its goodbye comes first, Exotel's cut is for when we are not there to say it.
_GOODBYE_S: Final = 60
LONGEST_CALL_S: Final = 14_400  # Exotel's own
# Until an end is told: a callback, or the socket that closed.
_NEWS_WITHIN: Final = timedelta(seconds=60)
_SHORTEST_CAP: Final = timedelta(seconds=_GOODBYE_S)
_SOONEST, _LATEST = timedelta(minutes=1), timedelta(minutes=10)


def cap_s(spec: AgentSpec, *, may_hand_over: bool = False) -> int:
    """The longest that a call of this agent lasts: its talk, and the one with a person that it may be handed over to."""
    return min(spec.max_duration_s + _GOODBYE_S + (LONGEST_TALK_S if may_hand_over else 0), LONGEST_CALL_S)


def overrun(session: Session, at: datetime) -> timedelta:
    """By how much the call is past its cap at `at`; negative while it is not."""
    log = session.call_log
    begun_at = log.answered_at or log.started_at or log.created_at
    return at - begun_at - _cap(session)


def _cap(session: Session) -> timedelta:
    return timedelta(seconds=cap_s(session.spec(), may_hand_over=_is_handed_over(session)))


def overrun_by_their_clock(session: Session, told: CallDetails) -> timedelta | None:
    """The same by the carrier's own stamps, both of one clock; None if it did not give them."""
    if told.told_at is None or told.started_at is None:
        return None
    return told.told_at - told.started_at - _cap(session)


def ask_again_after(late_by: timedelta) -> timedelta:
    """The carrier is asked soon at first, then as often as doubles the overrun, and every ten minutes at least."""
    return min(max(late_by, _SOONEST), _LATEST)


def sweep() -> int:
    """Looks after every call that is past its cap; returns how many of them go on."""
    for session in alarms.over_by_now(Alarm.Kind.OVERRUN):
        _by_itself(session, _clear)
    now = timezone.now()
    begun = alarms.begun_before(now - _SHORTEST_CAP - _NEWS_WITHIN)
    late = [one for one in begun if _by_itself(one, lambda session: overrun(session, now) > _NEWS_WITHIN)]
    if not late:
        return 0
    with pacing.client() as exotel:
        return sum(bool(_by_itself(session, lambda one: _look_after(one, exotel, now))) for session in late)


def _by_itself(session: Session, look: Callable[[Session], T]) -> T | None:
    """What `look` finds; None if it stumbles over this one call, which must not keep the others from being looked after."""
    try:
        return look(session)
    except Exception as error:  # noqa: BLE001 - see above; the next sweep tries again
        logger.error("overrun_not_looked_at", session_id=session.session_id, error=type(error).__name__, place=place(error))
        return None


def _look_after(session: Session, exotel: ExotelClient, now: datetime) -> bool:
    """Whether the call goes on, as far as anybody can tell."""
    late_by = overrun(session, now)
    is_known = Alarm.objects.filter(session=session, kind=Alarm.Kind.OVERRUN, cleared_at=None).exists()
    if not claim_poll(session, unless_due_later=is_known, until=now + ask_again_after(late_by)):
        return True  # asked a moment ago, or somebody else asks
    with structlog.contextvars.bound_contextvars(session_id=session.session_id):
        told = _ask(session, exotel)
        session.call_log.refresh_from_db()
        if session.call_log.status in TERMINAL:
            _clear(session)
            return False
        theirs = overrun_by_their_clock(session, told) if told is not None else None
        if theirs is not None and theirs <= _NEWS_WITHIN:
            # A clock of ours that was put forward makes every call look late; none is cut for that.
            logger.warning("overrun_only_by_our_clock", ours_s=round(late_by.total_seconds()), theirs_s=round(theirs.total_seconds()))
            return False
        commands.request_hangup(session, by="the watchdog", source="sweeper")
        amount, currency = _cost(session.call_log, late_by)
        text = _words(session, late_by, is_told=told is not None)
        if commands.raise_alarm(session, Alarm.Kind.OVERRUN, text=text, amount=amount, currency=currency):
            reconciling.try_to_end(session, exotel)
    return True


def _ask(session: Session, exotel: ExotelClient) -> CallDetails | None:
    """How the call stands, if the carrier says so; what it said is applied."""
    if not session.call_log.call_sid:
        return None
    try:
        details = exotel.get_call_details(session.call_log.call_sid)
    except CarrierError as error:
        logger.warning("overrun_not_told", category=error.category.value, status=error.status)
        reconciling.note_asked(session, f"no answer ({error.category.value.replace('_', ' ')})")
        return None
    reconciling.apply(session, details)
    return details


def _clear(session: Session) -> None:
    """The carrier has told the end: what the overrun cost in the end is known, as far as prices are."""
    log = session.call_log
    late_by = overrun(session, log.ended_at or timezone.now())
    amount, currency = _cost(log, late_by)
    text = (
        f"The call ended {_minutes(late_by)} past its cap."
        if late_by > timedelta(0)
        else "The call had ended in time; its end was told late."
    )
    commands.clear_alarm(session, Alarm.Kind.OVERRUN, text=text, amount=amount, currency=currency)


def _cost(log: CallLog, late_by: timedelta) -> tuple[Decimal | None, str]:
    """What the overrun has cost by what the carrier charged lately, each started minute whole."""
    price = alarms.price_per_minute(log)
    if price is None:
        return None, ""
    minutes = max(0, -(-late_by // timedelta(minutes=1)))
    return (price[0] * minutes).quantize(Decimal("0.01")), price[1]


def _words(session: Session, late_by: timedelta, *, is_told: bool) -> str:
    ours = "Our side of its audio is being closed." if session.state == Session.State.ACTIVE else "Nothing of ours is on the line."
    theirs = "Exotel says it goes on." if is_told else "Exotel could not be asked about it."
    return f"The call is {_minutes(late_by)} past its cap. {theirs} {ours} End it in Exotel's dashboard, or ask their support to."


def _minutes(span: timedelta) -> str:
    minutes = max(1, round(span.total_seconds() / 60))
    return f"{minutes} minute{'s' if minutes > 1 else ''}"


def _is_handed_over(session: Session) -> bool:
    return getattr(session, "transfer", None) is not None
