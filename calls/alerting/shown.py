"""What people see of alerts: their own, superusers everybody's. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from agents.visibility import Person, sees_everything
from calls.alerting import words
from calls.alerting.rows import Alert, AlertRule
from calls.queries import visible_sessions

MOST_OPEN: Final = 100
NEW, ACKNOWLEDGED = "new", "acknowledged"
PAGE_ROWS: Final = 25
# Rules are judged every minute: after so long without, the judge itself is what is wrong.
STANDS_STILL_AFTER: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert as the page shows it. `is_blind`: there are no figures now. `calls` are (session id, its beginning) of those
    that this person may open.
    """

    alert: Alert
    title: str
    text: str
    now: str
    advice: str
    how: str
    is_blind: bool
    calls: list[tuple[str, datetime]]


def visible_alerts(user: Person) -> QuerySet[Alert]:
    if sees_everything(user):
        return Alert.objects.all()
    return Alert.objects.filter(owner_id=user.pk) if user.pk else Alert.objects.none()


def visible_rules(user: Person) -> list[AlertRule]:
    """The rules that watch this person's calls, without whom they mail: those of everybody too, unless an own one takes their place."""
    rows = AlertRule.objects.select_related("agent", "owner")
    if sees_everything(user):
        return list(rows)
    found = list(rows.filter(Q(owner=None) | Q(owner_id=user.pk)))
    own = {rule.kind for rule in found if rule.owner_id is not None and rule.agent_id is None}
    return [rule for rule in found if rule.owner_id is not None or rule.kind not in own]


def count(user: Person) -> dict[str, int]:
    """How many alerts are open, and how many of them nobody looks after yet. One query."""
    told: dict[str, int] = (
        visible_alerts(user).filter(resolved_at=None).aggregate(open=Count("pk"), unseen=Count("pk", filter=Q(acknowledged_at=None)))
    )
    return told


@dataclass(frozen=True, slots=True)
class Counts:
    """Everybody's open alerts by (rule, kind, `new` or `acknowledged`), the active rules without one included, and when the active rule
    that waits longest was judged; None if there is no active rule.
    """

    open: dict[tuple[int, str, str], int]
    judged_at: datetime | None


def counts() -> Counts:
    """For whoever watches the product from outside. Two queries."""
    rules = list(AlertRule.objects.values_list("pk", "kind", "active", "judged_at", "created_at"))
    found = {(pk, kind, state): 0 for pk, kind, active, *_ in rules if active for state in (NEW, ACKNOWLEDGED)}
    rows = Alert.objects.filter(resolved_at=None, rule__isnull=False).order_by().values_list("rule_id", "kind")
    for pk, kind, alerts, seen in rows.annotate(Count("pk"), Count("acknowledged_at")):
        found |= {(pk, kind, NEW): alerts - seen, (pk, kind, ACKNOWLEDGED): seen}
    return Counts(found, min((judged or made for *_, active, judged, made in rules if active), default=None))


def open_alerts(user: Person) -> list[AlertLine]:
    """Those that nobody looks after first, then newest first."""
    rows = visible_alerts(user).filter(resolved_at=None).select_related("agent", "rule", "owner").order_by("-id")[:MOST_OPEN]
    return lines(user, sorted(rows, key=lambda alert: alert.acknowledged_at is not None))


def past_alerts(user: Person, before: int | None) -> tuple[list[AlertLine], int | None]:
    """The latest that are over, and where to go on."""
    rows = visible_alerts(user).filter(resolved_at__isnull=False).select_related("agent", "rule", "owner").order_by("-id")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows[: PAGE_ROWS + 1])
    more = found[PAGE_ROWS - 1].pk if len(found) > PAGE_ROWS else None
    return lines(user, found[:PAGE_ROWS]), more


def lines(user: Person, alerts: Sequence[Alert]) -> list[AlertLine]:
    wanted = {session_id for alert in alerts for session_id in alert.calls}
    began: dict[str, Any] = {}
    if wanted:
        rows = visible_sessions(user).select_related(None).filter(session_id__in=wanted)
        began = dict(rows.order_by().values_list("session_id", "created_at"))
    return [_line(alert, began) for alert in alerts]


def _line(alert: Alert, began: dict[str, Any]) -> AlertLine:
    text, now = alert.sentence, words.sentence(alert.kind, alert.subject, {**alert.figures, **alert.latest})
    return AlertLine(
        alert=alert,
        title=words.title(alert.kind, alert.subject),
        text=text,
        now=now if now != text else "",
        advice=words.advice(alert.kind),
        how=words.how_over(alert.how),
        is_blind=alert.resolved_at is None and timezone.now() - alert.known_at > STANDS_STILL_AFTER,
        calls=[(session_id, began[session_id]) for session_id in alert.calls if session_id in began],
    )


def stands_still(rules: Sequence[AlertRule], now: datetime | None = None) -> bool:
    """Whether a rule is not judged although it should be: then no alert of it means nothing."""
    moment = now or timezone.now()
    active = [rule.judged_at or rule.created_at for rule in rules if rule.active]
    return bool(active) and moment - min(active) > STANDS_STILL_AFTER
