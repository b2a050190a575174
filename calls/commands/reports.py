"""What the carrier says about a call. It says it late, twice, backwards or never; every order of reports reaches the same end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import transaction

from calls import broadcast, dispatch
from calls.commands.settlement import begin_settlement
from calls.commands.timeline import News, tell_all
from calls.models import CallLog, Session
from calls.told import REPORT, claims

COPY: Final = "repeated: this report was applied before"


@dataclass(frozen=True, slots=True)
class CarrierReport:
    """One report in our words: times aware, the price with its currency, None or empty where the carrier said nothing.

    `told_at` is when the carrier says that it happened. `cause` is the carrier's reason for a failure, for operators. `facts` go on the
    timeline and hold nothing personal; `asked` among them marks an answer to a question of ours, `door` says where else it came in, and
    so how much it counts (`calls.told.Authority`).
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
    told_at: datetime | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def happened_at(self) -> datetime | None:
        return self.told_at or self.ended_at or self.answered_at

    def as_event_facts(self) -> dict[str, Any]:
        """The report as the facts of an event. Pure."""
        said = claims(
            status=self.status,
            started_at=self.started_at,
            answered_at=self.answered_at,
            ended_at=self.ended_at,
            duration_s=self.duration_s,
            recording_url=self.recording_url,
            price=self.price,
            currency=self.currency,
            cause=self.cause[:300],
        )
        return {**self.facts, **said}


def apply_carrier_report(*, session: Session, report: CarrierReport, source: str, key: str) -> str:
    """Applies one report. Returns "" if it changed the call, else the reason why it was ignored. Never raises for its contents."""
    return apply_carrier_reports(session=session, reports=[(key, report)], source=source)[0]


def apply_carrier_reports(*, session: Session, reports: Sequence[tuple[str, CarrierReport]], source: str) -> list[str]:
    """`apply_carrier_report` for several reports of one call, each with its key, in one transaction."""
    news = [News(key, source, REPORT, report.as_event_facts(), report.happened_at) for key, report in reports]
    with transaction.atomic():
        told = tell_all(session, news)
        done = [one for one in told if one is not None]
        learned = frozenset[str]().union(*(one.changed for one in done))
        if any(one.ends_call for one in done):
            _close_unheard_session(session, done[-1].after.ended_at)
        if "recording_url" in learned or any(one.changes_end for one in done):
            begin_settlement(session)
        if "carrier_price" in learned:
            _account_price(session)
    return [COPY if one is None else one.ignored for one in told]


def _account_price(session: Session) -> None:
    """The price that accounting waits for is there; or it comes after all, when the call was settled without it."""
    if CallLog.objects.filter(session=session, settled_at=None).exists():
        dispatch.hurry(dispatch.JobKind.ACCOUNT, session)
    else:
        dispatch.enqueue(dispatch.JobKind.ACCOUNT, session, again=True)


def _close_unheard_session(session: Session, ended_at: datetime | None) -> None:
    """A call that ended before any audio reached us has no conductor to end its session."""
    closed = Session.objects.filter(pk=session.pk, state=Session.State.WAITING).update(
        state=Session.State.ENDED, ended_at=ended_at or session.created_at, media_token_id=""
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
