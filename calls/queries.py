"""Every reading of a call's rows for pages, API, doors and jobs. Nothing here writes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.core.cache import cache
from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from agents.models import Agent
from agents.visibility import own, sees_everything
from calls import charges
from calls.alignment import Alignment, Heard, Spoken, align, voice_of
from calls.listing.filters import CallFilters as CallFilters
from calls.listing.finding import Order, Wish, find
from calls.models import (
    CallEvent,
    CallLog,
    CallNote,
    Charge,
    ChosenColumns,
    Job,
    OperatorOrder,
    Recording,
    SavedView,
    Session,
    ToolRun,
    Transfer,
    Turn,
    UsageLine,
)
from calls.price_book import price_book
from calls.status import TERMINAL, CallStatus, Direction
from calls.trial_rows import ONLY_WRITTEN
from engine.errors import ProviderError
from providers.storage.objects import ObjectStore

logger = structlog.get_logger()

User = AbstractBaseUser | AnonymousUser
PAGE_ROWS = 50
_WITH_NAMES = ("call_log", "agent", "agent_version", "recording", "transfer")


def find_session(*, call_sid: str = "", session_id: str = "") -> Session | None:
    """The session of a call by the carrier's id, else by ours; None if neither is known."""
    rows = Session.objects.select_related("call_log", "agent", "agent_version")
    found = rows.filter(call_log__call_sid=call_sid).first() if call_sid else None
    if found is None and session_id:
        found = rows.filter(session_id=session_id).first()
    return found


def find_sessions(call_sids: Collection[str]) -> dict[str, Session]:
    """The sessions of these calls, by the carrier's id; of those that are known."""
    rows = Session.objects.select_related("call_log", "agent", "agent_version")
    return {str(session.call_log.call_sid): session for session in rows.filter(call_log__call_sid__in=list(call_sids))}


def awaited_dial(*, person: str, exophone: str, since: datetime) -> Session | None:
    """The one call that we asked for since then and whose answer the carrier still owes us; None if there is none, or more than one."""
    rows = Session.objects.select_related("call_log", "agent", "agent_version").filter(
        call_log__direction=Direction.OUTBOUND,
        call_log__status=CallStatus.INITIATED,
        call_log__call_sid=None,
        call_log__to_phone=person,
        call_log__from_phone__in=("", exophone),
        call_log__started_at__gte=since,
    )
    found = list(rows[:2])
    return found[0] if len(found) == 1 else None


def visible_sessions(user: User) -> QuerySet[Session]:
    """The sessions this user may know of: superusers all, everybody else their own, nobody none."""
    return own(Session.objects.select_related(*_WITH_NAMES), user)


def calls_in_progress(user: User) -> QuerySet[Session]:
    """Calls that are queued, ringing or talking now, newest first."""
    running = visible_sessions(user).exclude(state=Session.State.ENDED).exclude(call_log__status__in=TERMINAL)
    return running.exclude(ONLY_WRITTEN).order_by("-id")


def visible_session(user: User, session_id: str) -> Session | None:
    """The call of this id; None if there is none, or not for this user."""
    return visible_sessions(user).filter(session_id=session_id).first()


@dataclass(frozen=True, slots=True)
class Page:
    """Some sessions in the list's order. `next_cursor` goes on after the last, `previous_cursor` before the first; None at an end."""

    rows: list[Session]
    next_cursor: int | None
    previous_cursor: int | None = None


def call_list(
    user: User,
    filters: CallFilters,
    after: int | str | None = None,
    limit: int = PAGE_ROWS,
    *,
    before: int | str | None = None,
    order: Order = Order.NEWEST,
) -> Page:
    """One page by key: calls that arrive meanwhile neither shift it nor repeat a row. A senseless cursor starts at the beginning.

    Each row has its turns' latencies and its charges prefetched (`session.turns.all()`, `session.charges.all()`). Raises `SearchTooBroad`.
    """
    light = Turn.objects.only("session_id", "number", "speaker", "latency_ms")
    related = (Prefetch("turns", queryset=light), "charges", "spends")
    return page_of(user, filters, related, order=order, after=after, before=before, limit=limit)


def page_of(
    user: User,
    filters: CallFilters,
    related: Sequence[Any],
    *,
    order: Order,
    after: int | str | None,
    before: int | str | None,
    limit: int,
    without: Sequence[str] = (),
) -> Page:
    """As `call_list`, with `related` prefetched instead, and `without` these columns."""
    if not user.is_authenticated:
        return Page([], None)
    wish = wish_of(user, filters, order)
    found = find(wish, after=whole_number(after), before=whole_number(before), limit=limit)
    rows = {session.pk: session for session in visible_sessions(user).defer(*without).filter(pk__in=found.pks).prefetch_related(*related)}
    shown = [rows[pk] for pk in found.pks if pk in rows]
    return Page(shown, found.pks[-1] if found.has_next else None, found.pks[0] if found.pks and found.has_previous else None)


def wish_of(user: User, filters: CallFilters, order: Order) -> Wish:
    """A search by digits that a mask hides from this user would tell them: it finds what they may see of numbers, and nothing else."""
    if filters.number and not sees_numbers(user):
        filters = replace(filters, numbers_hidden=True)
    return Wish(None if sees_everything(user) else user.pk or 0, filters, order)


def whole_number(told: int | str | None) -> int | None:
    """What somebody sent as a key or a cursor; None for what is no whole number that a row could have."""
    digits = str(told or "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None


def views_of(user: User) -> QuerySet[SavedView]:
    """The user's own views of the list, by name."""
    return SavedView.objects.filter(user_id=user.pk or 0)


def chosen_columns(user: User) -> list[str]:
    """The columns in which this user last wanted the list; empty if they never chose."""
    found = ChosenColumns.objects.filter(user_id=user.pk or 0).values_list("columns", flat=True).first()
    return found if isinstance(found, list) else []


def call_page(user: User, session_id: str) -> Session | None:
    """One call with everything its page shows prefetched, or None: it does not exist, or not for this user."""
    return (
        visible_sessions(user)
        .filter(session_id=session_id)
        .select_related("analysis", "waveform")
        .defer("waveform__peaks")
        .prefetch_related(
            Prefetch("turns", queryset=_in_order()),
            Prefetch("events", queryset=CallEvent.objects.order_by("id")),
            Prefetch("usage_lines", queryset=UsageLine.objects.prefetch_related("charges").order_by("id")),
            Prefetch("tool_runs", queryset=ToolRun.objects.order_by("id")),
            Prefetch("notes", queryset=_signed_notes()),
            Prefetch("jobs", queryset=Job.objects.order_by("id")),
            "spends",
        )
        .first()
    )


def _in_order() -> QuerySet[Turn]:
    return Turn.objects.order_by("started_ms", "number", "id")


def notes(session: Session) -> list[CallNote]:
    """What operators wrote about the call, with its authors, also what was taken away. Uses what is prefetched, else asks."""
    return list(session.notes.all() if _is_prefetched(session, "notes") else _signed_notes().filter(session=session))


def _is_prefetched(session: Session, name: str) -> bool:
    return name in getattr(session, "_prefetched_objects_cache", {})


def _signed_notes() -> QuerySet[CallNote]:
    return CallNote.objects.select_related("author", "removed_by").order_by("id")


def turns(session: Session) -> list[Turn]:
    """The conversation in the order in which it was spoken."""
    return list(_in_order().filter(session=session))


def aligned(session: Session, utterances: Sequence[Mapping[str, Any]]) -> Alignment:
    """The session's live turns, found again in the utterances of its recording."""
    spoken = [Spoken(turn.speaker, turn.number, turn.text, turn.started_ms, turn.ended_ms) for turn in turns(session)]
    return align(spoken, [Heard(voice_of(said), said["start_ms"], said["end_ms"], said["text"]) for said in utterances])


def said(session: Session) -> list[tuple[str, str, dict[str, Any]]]:
    """Who said what in which turn, in order: the live turns, and between them what only the recording heard."""
    told = [(turn.started_ms, turn.speaker, turn.text, {"speaker": turn.speaker, "number": turn.number}) for turn in turns(session)]
    recording = Recording.objects.filter(session=session).only("transcript", "alignment").first()
    if recording is not None and recording.transcript and recording.alignment:
        names, offset_ms = recording.alignment["names"], recording.alignment["offset_ms"]
        for place in recording.alignment["unmatched"]:
            utterance = recording.transcript[place]
            who = names.get(voice_of(utterance), "somebody")
            told.append((utterance["start_ms"] - offset_ms, who, utterance["text"], {"at_ms": utterance["start_ms"]}))
    return [(who, text, turn) for _at, who, text, turn in sorted(told, key=lambda one: one[0])]


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One use and what it costs. `charge` is None until the call is accounted; then its amount may still be None: unpriced."""

    usage: UsageLine
    charge: Charge | None


@dataclass(frozen=True, slots=True)
class ChargesSummary:
    """A call's costs. Currencies are never added up; `unpriced` counts lines that cost something nobody knows.

    `taxes` come on top of `lines` and are in `totals`. `converted` is everything in `currency`, exactly; None while a charge has no rate.
    """

    lines: list[ChargeLine]
    taxes: list[Charge]
    totals: dict[str, Decimal]
    unpriced: int
    currency: str
    converted: Decimal | None
    without_rate: int


def delivery_copies(session: Session) -> dict[int, int]:
    """How often each delivery about this call came, by its key; those that came once are left out.

    The line keeps its deliveries; it is asked by name, as tasks are, so that no arrow points up.
    """
    deliveries: Any = apps.get_model("telephony", "WebhookDelivery")
    came = deliveries.objects.filter(call_sid=session.call_log.call_sid or "", copies__gt=1) if session.call_log.call_sid else ()
    return {delivery.pk: delivery.copies for delivery in came}


def charges_summary(session: Session) -> ChargesSummary:
    """Uses what is prefetched on the session, else asks."""
    is_there = _is_prefetched(session, "usage_lines")
    usage = session.usage_lines.all() if is_there else session.usage_lines.prefetch_related("charges").order_by("id")
    lines = [ChargeLine(line, line.charge) for line in usage]
    taxes = [charge for line in usage for charge in line.charges.all() if charge.part == Charge.Part.TAX and charge.amount]
    made = [*(line.charge for line in lines if line.charge is not None), *taxes]
    amounts = [charges.converted(charge, settings.BILLING_CURRENCY) for charge in made if charge.amount is not None]
    known = [amount for amount in amounts if amount is not None]
    return ChargesSummary(
        lines=lines,
        taxes=taxes,
        totals=charges.total_of(made),
        unpriced=sum(charge.amount is None for charge in made),
        currency=settings.BILLING_CURRENCY,
        converted=sum(known, Decimal(0)) if known and len(known) == len(amounts) else None,
        without_rate=len(amounts) - len(known),
    )


def line_estimate(session: Session) -> charges.LineEstimate | None:
    """What the line probably costs, until the carrier tells its price; None if it has, or if we have no tariff for it."""
    log = session.call_log
    if log.carrier_price is not None:
        return None
    log.session = session  # it is at hand: asking for it again would cost a query
    return charges.line_estimate(log, list(session.usage_lines.all()), price_book())


def storage(bucket: str = "") -> ObjectStore:
    """The bucket of the recordings, as settings name it; or another one, where they were kept at another time."""
    return ObjectStore(replace(settings.RECORDING_STORE, bucket=bucket) if bucket else settings.RECORDING_STORE)


def recording_is_due(session: Session) -> bool:
    """Whether the agent, as it is set now, keeps this call's recording no longer."""
    days = Agent.objects.values_list("recording_retention_days", flat=True).get(pk=session.agent_id)
    return days is not None and session.created_at < timezone.now() - timedelta(days=days)


def spool_in_use(names: Collection[str]) -> set[str]:
    """Which of these local copies a recording still needs."""
    return set(Recording.objects.filter(spool_path__in=names).values_list("spool_path", flat=True))


def recording_link(session: Session) -> str | None:
    """A link that plays the recording for a while, or None while storage has none. The same link is given out for half its life."""
    recording = Recording.objects.filter(session=session, state=Recording.State.STORED).only("key").first()
    if recording is None or not recording.key:
        return None
    name = f"recording-link:{session.session_id}:{recording.key}"
    try:
        link = cache.get(name)
    except Exception as error:  # noqa: BLE001 - the cache only saves work
        logger.warning("cache_unavailable", error=type(error).__name__)
        link = None
    if link:
        return str(link)
    try:
        link = storage().presigned_url(recording.key, settings.RECORDING_LINK_TTL_S)
        cache.set(name, link, settings.RECORDING_LINK_TTL_S // 2)
    except ProviderError as error:
        logger.warning("recording_link_failed", session_id=session.session_id, error=error.message)
        return None
    except Exception as error:  # noqa: BLE001 - as above: a link that could not be kept is still a link
        logger.warning("cache_unavailable", error=type(error).__name__)
    return str(link)


def times_resumed(session: Session) -> int:
    """How many streams the call has lost and replaced."""
    return CallEvent.objects.filter(session=session, kind="stream-resumed").count()


def whispered(session: Session) -> list[str]:
    """The notes that operators gave the agent and that a conversation has taken, in their order."""
    taken = OperatorOrder.objects.filter(session=session, kind=OperatorOrder.Kind.WHISPER, taken_at__isnull=False)
    return list(taken.order_by("id").values_list("text", flat=True))


def sees_numbers(user: User) -> bool:
    """Whether this user may see callers' numbers in full; everybody else sees them masked."""
    return isinstance(user, PermissionsMixin) and user.has_perm("calls.view_numbers")


def may_listen(user: User) -> bool:
    """Whether this user may listen to the calls that they can see."""
    return isinstance(user, PermissionsMixin) and user.has_perm("calls.listen_live")


def hears(session_id: str, *, by: str) -> bool:
    """Whether whoever has this user name may listen to this call now."""
    user = get_user_model()._default_manager.filter(**{get_user_model().USERNAME_FIELD: by}, is_active=True).first()
    return user is not None and may_listen(user) and visible_sessions(user).filter(session_id=session_id).exists()


def has_transfer(session: Session) -> bool:
    """Whether it is decided that this caller is handed over to a person."""
    return Transfer.objects.filter(session=session).exists()


def times_lost(session: Session) -> int:
    """How often the recording's local copy vanished before storage had it."""
    return CallEvent.objects.filter(session=session, kind="recording-lost").count()


def awaits_carrier(log: CallLog) -> bool:
    """Whether the carrier will still be asked for what it has not told: the end, the price, the recording."""
    if log.poll_after is None:
        return False
    return log.carrier_price is None or log.status not in TERMINAL
