"""The call's timeline: what happens is told to it once, and the call's columns are what its events together say.

Whoever locks several rows of a call does it in this order: call log, session, recording, jobs.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from calls import broadcast
from calls.commands.reserving import release
from calls.kinds import Kind
from calls.models import CallEvent, CallLog, Session
from calls.outgoing.announcing import announce
from calls.status import TERMINAL, CallStatus, may_follow
from calls.timeline import CallFacts, changes, fold, ignored_because
from calls.told import REPORT, SHAPING, Event, claims

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Told:
    """What one event did to its call. `changed`: the columns that are different now."""

    before: CallFacts
    after: CallFacts
    changed: frozenset[str]
    ignored: str

    @property
    def ends_call(self) -> bool:
        return self.after.status in TERMINAL and self.before.status not in TERMINAL

    @property
    def changes_end(self) -> bool:
        return self.after.status in TERMINAL and "status" in self.changed


@dataclass(frozen=True, slots=True)
class Happened:
    """Something of the talk itself, which says nothing of how the call stands. `at` is when it happened, however late it is written."""

    session_pk: int
    key: str
    source: str
    kind: Kind
    at: datetime
    facts: dict[str, Any]


def record_event(
    *,
    session: Session,
    key: str,
    source: str,
    kind: Kind,
    facts: dict[str, Any] | None = None,
    carrier_time: datetime | None = None,
    holds_lock: bool = False,
) -> bool:
    """Appends one event. False if an event with this key is there already: it is a copy. `holds_lock`: as in `tell`."""
    now = timezone.now()
    if Event(key=key, source=source, kind=kind, at=now, facts=facts or {}).matters:
        return tell(session, key=key, source=source, kind=kind, facts=facts, carrier_time=carrier_time, holds_lock=holds_lock) is not None
    return _append([(session.pk, key[:120], source, kind, json.dumps(facts or {}), carrier_time, now)]) == 1


def record_talk(happened: Sequence[Happened]) -> None:
    """Appends what happened in talks, of any sessions, all or none; copies are left out. None of it may say how a call stands."""
    if happened:
        _append([(each.session_pk, each.key[:120], each.source, each.kind, json.dumps(each.facts), None, each.at) for each in happened])


@dataclass(frozen=True, slots=True)
class News:
    """One event that may say how its call stands."""

    key: str
    source: str
    kind: Kind
    facts: dict[str, Any]
    carrier_time: datetime | None = None


def tell(
    session: Session,
    *,
    key: str,
    source: str,
    kind: Kind,
    facts: dict[str, Any] | None = None,
    carrier_time: datetime | None = None,
    holds_lock: bool = False,
) -> Told | None:
    """Appends one event and stores how the call stands with it. None if it is a copy: then nothing has changed.

    `holds_lock`: the caller's transaction has locked the call's log already.
    """
    return tell_all(session, [News(key, source, kind, facts or {}, carrier_time)], holds_lock=holds_lock)[0]


def tell_all(session: Session, news: Sequence[News], *, holds_lock: bool = False) -> list[Told | None]:
    """`tell` for several events of one call, in their order: its events are read once, and its columns are written once."""
    with transaction.atomic(savepoint=False):
        if not holds_lock:
            CallLog.objects.select_for_update(no_key=True).only("pk").get(session=session)
        known = events_of(session, or_keys=[each.key[:120] for each in news])
        is_new, told = not known, _told(known, news)
        rows = [_row(session, each, event, one) for each, (event, one) in zip(news, told, strict=True) if one is not None]
        CallEvent.objects.bulk_create(rows)
        done = [one for _, one in told if one is not None]
        if done and (columns := changes(done[0].before, done[-1].after)):
            CallLog.objects.filter(session=session).update(**columns)
            if not is_new:
                broadcast.call_changed_on_commit(session)
        if any(one.ends_call for one in done) and done[-1].after.answered_at is None:
            release(session.pk)
        for each, (_, one) in zip(news, told, strict=True):
            if one is not None and "status" in one.changed and not is_new:
                _note_status(session, one.after.status, each.source, each.carrier_time)
        if not is_new and any("status" in one.changed and one.after.status == CallStatus.IN_PROGRESS for one in done):
            announce(session)
    return [one for _, one in told]


def _told(known: list[Event], news: Sequence[News]) -> list[tuple[Event, Told | None]]:
    """What each does to the call when it comes after those before it; None: it is a copy. Adds the events to `known`."""
    keys, now, told = {one.key for one in known}, timezone.now(), list[tuple[Event, Told | None]]()
    stands = fold(known)
    for each in news:
        event = Event(key=each.key[:120], source=each.source, kind=each.kind, at=now, facts=each.facts)
        if event.key in keys:
            told.append((event, None))
            continue
        keys.add(event.key)
        known.append(event)
        before, stands = stands, fold(known)
        said = event.facts.get("call", {}).get("status")
        told.append((event, Told(before, stands, frozenset(changes(before, stands)), ignored_because(before, stands, said))))
    return told


def _row(session: Session, news: News, event: Event, told: Told) -> CallEvent:
    noted = dict(news.facts)
    if news.kind == REPORT:
        noted |= {"ignored": told.ignored} if told.ignored else {"learned": sorted(told.changed)}
    return CallEvent(
        session=session,
        key=event.key,
        source=event.source,
        kind=event.kind,
        facts=noted,
        carrier_time=news.carrier_time,
        created_at=event.at,
    )


def move(session: Session, new: CallStatus, *, source: str, kind: Kind, carrier_time: datetime | None = None, **said: Any) -> bool:
    """A decision of ours that the call is `new` now, with what else it says (`claims`; `failure` is its cause). False if it cannot be."""
    said["cause"] = said.pop("failure", None) or said.get("cause")
    with transaction.atomic():
        log = CallLog.objects.select_for_update(no_key=True).get(session=session)
        if not may_follow(CallStatus(log.status), new):
            return False
        facts = claims(status=new, **said)
        told = tell(session, key=f"{kind}:{new}", source=source, kind=kind, facts=facts, carrier_time=carrier_time, holds_lock=True)
        return told is not None and told.after.status == new


def events_of(session: Session, *, or_keys: Collection[str] = ()) -> list[Event]:
    """The events that say how the call stands, and those with these keys. Those of the talk itself, the many, are left in the database."""
    shaping = Q(kind__in=SHAPING) | Q(facts__has_key="call")
    told = CallEvent.objects.filter(Q(session=session) & (shaping | Q(key__in=or_keys) if or_keys else shaping))
    rows = told.order_by("id").values_list("key", "source", "kind", "created_at", "facts")
    return [Event(key=key, source=source, kind=kind, at=at, facts=facts) for key, source, kind, at, facts in rows]


def _note_status(session: Session, new: CallStatus, source: str, carrier_time: datetime | None) -> None:
    change = {"source": source, "kind": "status-changed", "facts": {"to": new}, "carrier_time": carrier_time}
    CallEvent.objects.bulk_create([CallEvent(session=session, key=f"status:{new}", **change)], ignore_conflicts=True)
    logger.info("call_status_changed", session_id=session.session_id, status=str(new), source=source)


_APPEND = """
INSERT INTO calls_callevent (session_id, key, source, kind, facts, carrier_time, created_at) VALUES {rows}
ON CONFLICT (session_id, key) DO NOTHING
"""
_ROW = "(%s, %s, %s, %s, %s::jsonb, %s, %s)"


def _append(rows: Sequence[tuple[Any, ...]]) -> int:
    """How many were no copies; a copy may also be one that came at the same moment and won."""
    with connection.cursor() as cursor:
        cursor.execute(_APPEND.format(rows=", ".join([_ROW] * len(rows))), [value for row in rows for value in row])
        return int(cursor.rowcount)
