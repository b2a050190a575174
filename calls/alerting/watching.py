"""Judges every rule and writes what follows: alerts begin, go on and end here, and nowhere else.

Each owner of each rule in a transaction of its own, with a deadline: one that takes too long or fails keeps no other from being judged.
A round has a deadline too: where it stops the next one goes on, before it begins anew.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.utils import timezone

from calls.alerting import telling
from calls.alerting.judging import NO_FIGURES, SHAPES, Kind, Reading, Standing, Step, judge
from calls.alerting.measuring import Measured, measure, owners
from calls.alerting.rows import Alert, AlertRule
from calls.failures import place

logger = structlog.get_logger()

# Of one statement, less towards the end of a round; and of a round, which ends before the next one begins.
LIMIT_S: Final = 20
LEAST_S: Final = 5
ROUND_S: Final = 45
LONGEST_NOTE: Final = 500
_GONE: Final = Reading(None, is_gone=True)
_FAULTS: Final = (DatabaseError, ArithmeticError, LookupError, TypeError, ValueError)


@dataclass(slots=True)
class Judged:
    """What one round came to. `failed` counts owners of rules, `left` rules that its time was not enough for."""

    rules: int = 0
    fired: int = 0
    ended: int = 0
    failed: int = 0
    left: int = 0


def judge_all(now: datetime | None = None, *, for_s: float = ROUND_S) -> Judged:
    """Judges every rule, those first that wait longest, for so many seconds; at least one owner of one rule."""
    until = time.monotonic() + for_s
    told = Judged(ended=_close_orphans(now or timezone.now()))
    rules = list(AlertRule.objects.order_by(F("tried_at").asc(nulls_first=True), "pk").values_list("pk", flat=True))
    for number, pk in enumerate(rules):
        if number and time.monotonic() >= until:
            told.left += len(rules) - number
            break
        try:
            told.left += not judge_rule(pk, now or timezone.now(), until, told)
            told.rules += 1
        except _FAULTS as error:
            _failed(told, error, rule_id=pk)
    return told


def judge_rule(pk: int, now: datetime, until: float, told: Judged) -> bool:
    """Judges one rule for everybody whom it watches; False if the time, by the monotonic clock, was not enough for all of them."""
    rule = AlertRule.objects.filter(pk=pk).first()
    if rule is None:
        return True
    watched = frozenset(owners(rule) if rule.active else ())
    opened = Alert.objects.filter(rule=rule, resolved_at=None).values_list("owner_id", flat=True)
    failed, done = told.failed, rule.tried_to
    for number, owner_id in enumerate(sorted(one for one in {*watched, *opened} if done is None or one > done)):
        if number and time.monotonic() >= until:
            AlertRule.objects.filter(pk=pk).update(tried_to=done)
            return False
        try:
            fired, ended = _judge_for(pk, owner_id, owner_id in watched, now, until - time.monotonic())
            told.fired, told.ended = told.fired + fired, told.ended + ended
        except _FAULTS as error:
            _failed(told, error, rule_id=pk, owner_id=owner_id)
        done = owner_id
    over = {"judged_at": now} if told.failed == failed else {}
    AlertRule.objects.filter(pk=pk).update(tried_at=now, tried_to=None, **over)
    return True


def _failed(told: Judged, error: Exception, **facts: int) -> None:
    """One that fails is counted and logged. Without a database nothing can be judged: that ends the round."""
    if not connection.is_usable():
        raise error
    told.failed += 1
    logger.error("alert_rule_not_judged", error=type(error).__name__, place=place(error), **facts)


def _judge_for(pk: int, owner_id: int, is_watched: bool, now: datetime, for_s: float) -> tuple[int, int]:
    """Judges a rule for one owner; how many alerts fired and ended. Whom somebody else judges at this moment is left to them."""
    fired = ended = 0
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {round(max(min(for_s, LIMIT_S), LEAST_S) * 1000)}")
        rules = AlertRule.objects.select_for_update(no_key=True, skip_locked=True, of=("self",)).select_related("agent")
        rule = rules.filter(pk=pk).first()
        if rule is None:
            return 0, 0
        is_watched = is_watched and rule.active
        # Before its alerts are locked: whoever acknowledges one does not wait for the figures.
        found = measure(rule, owner_id, now) if is_watched else []
        known = Alert.objects.select_for_update(no_key=True, of=("self",)).filter(rule=rule, owner_id=owner_id, resolved_at=None)
        alerts = {alert.subject: alert for alert in known.select_related("agent")}
        if not is_watched or any(alert.agent_id != rule.agent_id or alert.kind != rule.kind for alert in alerts.values()):
            for alert in alerts.values():
                _end(alert, rule, Alert.How.RULE_CHANGED, now)
            ended, alerts = len(alerts), {}
        if is_watched:
            more, over = _judge_owner(rule, owner_id, found, alerts, now)
            fired, ended = fired + more, ended + over
    return fired, ended


def _judge_owner(rule: AlertRule, owner_id: int, readings: list[Measured], alerts: dict[str, Alert], now: datetime) -> tuple[int, int]:
    found = {one.subject: one for one in readings}
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
    if step not in (Step.RECOVER, Step.WAIT):  # nobody is woken by what looks well again
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
