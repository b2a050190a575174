"""Writes down who is to be told of an alert, in the transaction that makes it true: mails as rows, webhooks as messages.

Nothing personal is told: figures, names of agents and links, which lead to nothing without a log-in.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.urls import reverse
from django.utils import timezone

from calls import dispatch
from calls.alerting import words
from calls.alerting.judging import is_mail_due
from calls.alerting.rows import Alert, AlertMail, AlertRule
from calls.outgoing.announcing import announce_alert
from calls.outgoing.payloads import stamp
from calls.outgoing.rules import EventType

DELIVER: Final = "calls.deliver_alert_mail"
_What = AlertMail.What


def fired(alert: Alert, rule: AlertRule) -> None:
    """Tells webhooks that it fired. Mails wait for their quiet time: `mail_if_due`."""
    if rule.webhook:
        alert.hooked = announce_alert(alert.owner_id, EventType.ALERT_FIRED, payload(alert))


def resolved(alert: Alert, rule: AlertRule | None) -> None:
    """Tells those that it is over who were told that it fired."""
    if alert.hooked:
        announce_alert(alert.owner_id, EventType.ALERT_RESOLVED, payload(alert))
    if rule is not None and alert.mailed_at is not None:
        _mail(rule, alert, _What.RESOLVED, rule.addresses)


def mail_if_due(alert: Alert, rule: AlertRule, now: datetime) -> None:
    """Mails an open alert once, no sooner than its rule's quiet time allows. The caller saves `mailed_at`."""
    if alert.mailed_at is not None or not rule.addresses:
        return
    last = Alert.objects.filter(rule=rule, owner_id=alert.owner_id, subject=alert.subject).aggregate(last=Max("mailed_at"))["last"]
    if not is_mail_due(now, last=last, quiet=rule.quiet, is_acknowledged=alert.acknowledged_at is not None):
        return
    _mail(rule, alert, _What.FIRED, rule.addresses)
    alert.mailed_at = now


def send_test(rule: AlertRule, address: str) -> AlertMail:
    """A mail that tells of no alert, to one address: whether mails arrive."""
    body = f"This is a test of the rule “{rule}”.\n\n{rule.words}\n\nNothing is wrong. Alerts of this rule are mailed in the same way.\n"
    return _queue([AlertMail(rule=rule, what=_What.TEST, to=address, title=_title("Test", rule), body=body)])[0]


def again(mails: Iterable[AlertMail]) -> int:
    """Sends once more what was given up; returns how many."""
    count = 0
    with transaction.atomic():
        for mail in AlertMail.objects.select_for_update(no_key=True).filter(pk__in=[one.pk for one in mails], state=AlertMail.State.DEAD):
            mail.state, mail.attempts, mail.run_at, mail.finished_at = AlertMail.State.QUEUED, 0, timezone.now(), None
            mail.save(update_fields=["state", "attempts", "run_at", "finished_at"])
            dispatch.nudge_row_on_commit(DELIVER, mail.pk)
            count += 1
    return count


def payload(alert: Alert) -> dict[str, Any]:
    """What a webhook says of an alert. The shape is a promise to other people's programs (docs/webhooks.md)."""
    figures = alert.figures if alert.resolved_at is None else {**alert.figures, **alert.latest}
    return {
        "alert_id": alert.pk,
        "url": page_url(alert),
        "kind": alert.kind,
        "subject": alert.subject or None,
        "agent": {"id": alert.agent_id, "name": alert.agent.name} if alert.agent is not None else None,
        "title": words.title(alert.kind, alert.subject),
        "text": words.sentence(alert.kind, alert.subject, figures),
        "value": figures.get("value"),
        "limit": figures.get("limit"),
        "unit": (figures.get("currency") or "") if words.UNITS.get(alert.kind) == "money" else words.UNITS.get(alert.kind),
        "window_minutes": figures.get("window_minutes"),
        "calls": figures.get("calls"),
        "sessions": alert.calls,
        "fired_at": stamp(alert.fired_at),
        "resolved_at": stamp(alert.resolved_at),
        "how": alert.how or None,
    }


def page_url(alert: Alert) -> str:
    return f"{settings.WEBHOOK_BASE_URL}{reverse('alerts')}#alert-{alert.pk}"


def _mail(rule: AlertRule, alert: Alert, what: AlertMail.What, addresses: list[str]) -> None:
    title = _title("Over" if what == _What.RESOLVED else "Alert", alert)
    body = _over_words(alert) if what == _What.RESOLVED else _fired_words(alert)
    _queue([AlertMail(rule=rule, alert=alert, what=what, to=address, title=title, body=body) for address in addresses])


def _queue(mails: list[AlertMail]) -> list[AlertMail]:
    made = AlertMail.objects.bulk_create(mails)
    for mail in made:
        dispatch.nudge_row_on_commit(DELIVER, mail.pk)
    return made


def _title(what: str, about: Alert | AlertRule) -> str:
    """One line, whatever an agent is called."""
    whom = f" of “{about.agent}”" if isinstance(about, Alert) and about.agent is not None else ""
    return " ".join(f"[voiceagents] {what}: {about}{whom}".split())[:200]


def _fired_words(alert: Alert) -> str:
    links = "".join(f"  {settings.WEBHOOK_BASE_URL}{reverse('call-page', args=[session_id])}\n" for session_id in alert.calls)
    return (
        f"{_whom(alert)}{alert.sentence}\n\n"
        f"Since {_time(alert.fired_at)}.\n\n"
        f"{words.ADVICE[alert.kind]}\n\n" + (f"Calls that show it:\n{links}\n" if links else "") + f"The alert: {page_url(alert)}\n"
    )


def _over_words(alert: Alert) -> str:
    until = f" to {_time(alert.resolved_at)}" if alert.resolved_at is not None else ""
    last = words.sentence(alert.kind, alert.subject, {**alert.figures, **alert.latest})
    return (
        f"{_whom(alert)}{words.HOW_OVER[alert.how]}.\n\nWhen it fired: {alert.sentence}\nAt the end: {last}\n\n"
        f"From {_time(alert.fired_at)}{until}.\n\nThe alert: {page_url(alert)}\n"
    )


def _whom(alert: Alert) -> str:
    return f"Agent “{alert.agent}”. " if alert.agent is not None else ""


def _time(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%-d %B %Y, %H:%M %Z}"
