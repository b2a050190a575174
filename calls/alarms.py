"""Reading of alarms, of calls that may deserve one, and of what a minute of call has cost lately. Nothing here writes."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from calls import ledger, spend
from calls.budgeting import Level
from calls.models import Alarm, CallLog, OutgoingDelivery, Session, WebhookEndpoint
from calls.outgoing import endpoints
from calls.price_book import day_of
from calls.queries import User, visible_sessions
from calls.status import TERMINAL, CallStatus

ENDPOINT_OFF: Final = "webhook-endpoint-off"
PRICE_UNKNOWN: Final = "price-unknown"
_MOST: Final = 500
_LATELY: Final = timedelta(days=30)
_SAMPLE: Final = 50


def open_alarms(user: User) -> QuerySet[Alarm]:
    """The alarms of calls that this user may know of, newest first."""
    return Alarm.objects.filter(cleared_at=None, session__in=visible_sessions(user)).select_related("session__agent")


def endpoints_off(user: User) -> QuerySet[WebhookEndpoint]:
    """The webhook endpoints of this user that were switched off because they failed, and that nobody has looked after since."""
    return _switched_off(endpoints.visible_endpoints(user)).order_by("-id")


def _switched_off(rows: QuerySet[WebhookEndpoint]) -> QuerySet[WebhookEndpoint]:
    return rows.filter(active=False).exclude(note="")


def count_open() -> dict[str, int]:
    """How many alarms of each kind are open, the kinds without one included."""
    rows = Alarm.objects.filter(cleared_at=None).order_by().values_list("kind").annotate(Count("pk"))
    off = _switched_off(WebhookEndpoint.objects.all()).count()
    known = {str(kind): 0 for kind in Alarm.Kind.values}
    budgets = [notice.level for notice in spend.notices(None, day_of(timezone.now()))]
    spent = {f"budget-{level}": budgets.count(level) for level in (Level.NEAR, Level.OVER)}
    return {**known, **dict(rows), **spent, ENDPOINT_OFF: off, PRICE_UNKNOWN: len(ledger.without_price_lately())}


def hooks() -> dict[str, int]:
    """How telling operators' own systems goes: endpoints that fail now, and deliveries that wait."""
    waiting = OutgoingDelivery.objects.filter(state__in=[OutgoingDelivery.State.QUEUED, OutgoingDelivery.State.SENDING])
    return {"failing": WebhookEndpoint.objects.filter(active=True, failing_since__isnull=False).count(), "waiting": waiting.count()}


def begun_before(moment: datetime) -> list[Session]:
    """Calls that the carrier has had since before `moment` and of whose end nobody has told, the oldest first."""
    had = CallLog.objects.filter(call_sid__isnull=False).exclude(status__in=(*TERMINAL, CallStatus.QUEUED))
    begun = had.annotate(begun_at=Coalesce("answered_at", "started_at", "created_at")).filter(begun_at__lt=moment)
    rows = Session.objects.filter(call_log__in=begun).select_related("call_log", "agent", "agent_version", "transfer")
    return list(rows.order_by("pk")[:_MOST])


def over_by_now(kind: str) -> list[Session]:
    """The calls with an open alarm of this kind that have ended meanwhile."""
    rows = Session.objects.filter(alarms__in=Alarm.objects.filter(kind=kind, cleared_at=None), call_log__status__in=TERMINAL)
    return list(rows.select_related("call_log", "agent_version", "transfer").distinct())


def price_per_minute(log: CallLog) -> tuple[Decimal, str] | None:
    """What the carrier has charged lately for a started minute of such calls, with its currency; None if it has told no price yet."""
    lately = CallLog.objects.filter(
        Q(carrier_price__gt=0), direction=log.direction, duration_s__gt=0, created_at__gt=timezone.now() - _LATELY
    ).order_by("-id")
    rows = list(lately.values_list("carrier_price", "carrier_currency", "duration_s")[:_SAMPLE])
    if not rows:
        return None
    currency = rows[0][1]
    same = [(price, -(-seconds // 60)) for price, told, seconds in rows if told == currency and price is not None and seconds]
    return sum((price for price, _ in same), Decimal(0)) / sum(minutes for _, minutes in same), currency
