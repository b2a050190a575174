"""Judges every rule and writes what follows: alerts begin, go on and end here, and nowhere else.

Rule by rule in transactions of their own, each with a deadline: one that takes too long or fails keeps no other from being judged.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from calls.alerting import telling
from calls.alerting.judging import NO_FIGURES, SHAPES, Kind, Reading, Standing, Step, judge
from calls.alerting.measuring import Measured, measure, owners
from calls.alerting.rows import Alert, AlertRule
from calls.failures import place

logger = structlog.get_logger()

LIMIT_S: Final = 20
LONGEST_NOTE: Final = 500
_GONE: Final = Reading(None, is_gone=True)


@dataclass(slots=True)
class Judged:
    """What one round came to."""

    rules: int = 0
    fired: int = 0
    ended: int = 0
    failed: int = 0


def judge_all(now: datetime | None = None) -> Judged:
    """Judges every rule once. A rule that somebody else judges at this moment is left to them."""
    told = Judged(ended=_close_orphans(now or timezone.now()))
    for pk in list(AlertRule.objects.order_by("pk").values_list("pk", flat=True)):
        try:
            fired, ended = judge_rule(pk, now or timezone.now())
        except (DatabaseError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            told.failed += 1
            logger.error("alert_rule_not_judged", rule_id=pk, error=type(error).__name__, place=place(error))
            continue
        told.rules, told.fired, told.ended = told.rules + 1, told.fired + fired, told.ended + ended
    return told


def judge_rule(pk: int, now: datetime) -> tuple[int, int]:
    """Judges one rule for everybody whom it watches; returns how many alerts fired and ended."""
    fired = ended = 0
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {LIMIT_S * 1000}")
        rule = (
            AlertRule.objects.select_for_update(no_key=True, skip_locked=True, of=("self",)).select_related("agent").filter(pk=pk).first()
        )
        if rule is None:
            return 0, 0
        watched = owners(rule) if rule.active else []
        known = Alert.objects.select_for_update(no_key=True, of=("self",)).filter(rule=rule, resolved_at=None).select_related("agent")
        by_owner: dict[int, dict[str, Alert]] = {}
        for alert in known:
            by_owner.setdefault(alert.owner_id, {})[alert.subject] = alert
        for owner_id in sorted({*watched, *by_owner}):
            alerts = by_owner.get(owner_id, {})
            if owner_id not in watched or any(alert.agent_id != rule.agent_id or alert.kind != rule.kind for alert in alerts.values()):
                for alert in alerts.values():
                    _end(alert, rule, Alert.How.RULE_CHANGED, now)
                ended += len(alerts)
                alerts = {}
            if owner_id in watched:
                more, over = _judge_owner(rule, owner_id, alerts, now)
                fired, ended = fired + more, ended + over
        AlertRule.objects.filter(pk=rule.pk).update(judged_at=now)
    return fired, ended


def _judge_owner(rule: AlertRule, owner_id: int, alerts: dict[str, Alert], now: datetime) -> tuple[int, int]:
    found = {one.subject: one for one in measure(rule, owner_id, now)}
    missing = _GONE if SHAPES[Kind(rule.kind)].falls else NO_FIGURES
    fired = ended = 0
    for subject in sorted({*found, *alerts}):
        measured, alert = found.get(subject, Measured(subject, missing)), alerts.get(subject)
        standing = Standing(alert.known_at, alert.well_since) if alert is not None else None
        step = judge(measured.reading, rule.limit, standing, now)
        if alert is None:
            if step is Step.FIRE:
                _fire(rule, owner_id, measured, now)
                fired += 1
        elif step in (Step.RESOLVE, Step.LAPSE):
            if measured.figures and step is Step.RESOLVE:
                alert.latest, alert.known_at = measured.figures, now
            _end(alert, rule, Alert.How.LAPSED if step is Step.LAPSE else Alert.How.WELL, now)
            ended += 1
        else:
            _go_on(alert, rule, measured, step, now)
    return fired, ended


def _fire(rule: AlertRule, owner_id: int, measured: Measured, now: datetime) -> None:
    alert = Alert.objects.create(
        rule=rule,
        owner_id=owner_id,
        kind=rule.kind,
        agent=rule.agent,
        subject=measured.subject,
        figures=measured.figures,
        latest=measured.figures,
        calls=measured.calls,
        fired_at=now,
        known_at=now,
    )
    telling.fired(alert, rule)
    telling.mail_if_due(alert, rule, now)
    alert.save(update_fields=["hooked", "mailed_at"])
    logger.warning("alert_fired", alert_id=alert.pk, rule_id=rule.pk, kind=alert.kind, subject=alert.subject)


def _go_on(alert: Alert, rule: AlertRule, measured: Measured, step: Step, now: datetime) -> None:
    alert.well_since = now if step is Step.RECOVER else alert.well_since if step is Step.WAIT else None
    if step is not Step.BLIND:
        alert.latest, alert.known_at = measured.figures, now
    telling.mail_if_due(alert, rule, now)
    alert.save(update_fields=["well_since", "latest", "known_at", "mailed_at"])


def _end(alert: Alert, rule: AlertRule | None, how: Alert.How, now: datetime) -> None:
    alert.resolved_at, alert.how = now, how
    alert.save(update_fields=["resolved_at", "how", "latest", "known_at"])
    telling.resolved(alert, rule)
    logger.warning("alert_ended", alert_id=alert.pk, kind=alert.kind, subject=alert.subject, how=str(how))


def _close_orphans(now: datetime) -> int:
    """Alerts whose rule was removed: nobody judges them any more."""
    with transaction.atomic():
        left = list(Alert.objects.select_for_update(no_key=True, of=("self",)).filter(rule=None, resolved_at=None).select_related("agent"))
        for alert in left:
            _end(alert, None, Alert.How.RULE_CHANGED, now)
    return len(left)


def acknowledge(alert: Alert, *, by: str, note: str) -> bool:
    """Somebody looks after it: it leaves the bell's count and is not mailed any more. False if somebody was quicker."""
    told = {"acknowledged_at": timezone.now(), "acknowledged_by": by[:150], "note": note[:LONGEST_NOTE]}
    return bool(Alert.objects.filter(pk=alert.pk, acknowledged_at=None).update(**told))
