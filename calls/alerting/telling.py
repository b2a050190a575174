"""Writes down who is to be told of an alert, in the transaction that makes it true: mails as rows, webhooks as messages.

Nothing personal is told: figures, names of agents and links, which lead to nothing without a log-in.
Webhooks are in English and mails in EMAIL_LANGUAGE, whoever presses the button that leads here.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

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
    with translation.override(settings.EMAIL_LANGUAGE):
        parts = [
            _("This is a test of the rule “%(rule)s”.") % {"rule": rule.title},
            rule.words,
            _("Nothing is wrong. Alerts of this rule are mailed in the same way."),
        ]
        body = "\n\n".join(parts) + "\n"
        return _queue([AlertMail(rule=rule, what=_What.TEST, to=address, title=_title(_("Test"), rule), body=body)])[0]


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
    with translation.override(settings.LANGUAGE_CODE):
        title, text = words.title(alert.kind, alert.subject), words.sentence(alert.kind, alert.subject, figures)
    return {
        "alert_id": alert.pk,
        "url": page_url(alert),
        "kind": alert.kind,
        "subject": alert.subject or None,
        "agent": {"id": alert.agent_id, "name": alert.agent.name} if alert.agent is not None else None,
        "title": title,
        "text": text,
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
    with translation.override(settings.EMAIL_LANGUAGE):
        title = _title(_("Over") if what == _What.RESOLVED else _("Alert"), alert)
        body = _over_words(alert) if what == _What.RESOLVED else _fired_words(alert)
    _queue([AlertMail(rule=rule, alert=alert, what=what, to=address, title=title, body=body) for address in addresses])


def _queue(mails: list[AlertMail]) -> list[AlertMail]:
    made = AlertMail.objects.bulk_create(mails)
    for mail in made:
        dispatch.nudge_row_on_commit(DELIVER, mail.pk)
    return made


def _title(what: str, about: Alert | AlertRule) -> str:
    """One line, whatever an agent is called."""
    whom = about.title
    if isinstance(about, Alert) and about.agent is not None:
        whom = _("%(title)s of “%(agent)s”") % {"title": whom, "agent": about.agent}
    return " ".join(f"[voiceagents] {what}: {whom}".split())[:200]


def _fired_words(alert: Alert) -> str:
    links = "".join(f"  {settings.WEBHOOK_BASE_URL}{reverse('call-page', args=[session_id])}\n" for session_id in alert.calls)
    parts = [
        f"{_whom(alert)}{alert.sentence}",
        _("Since %(time)s.") % {"time": _time(alert.fired_at)},
        words.advice(alert.kind),
        _("Calls that show it:") + f"\n{links}" if links else "",
        _("The alert: %(address)s") % {"address": page_url(alert)},
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _over_words(alert: Alert) -> str:
    last = words.sentence(alert.kind, alert.subject, {**alert.figures, **alert.latest})
    told = {"time": _time(alert.fired_at), "until": _time(alert.resolved_at) if alert.resolved_at is not None else ""}
    fired = _("When it fired: %(what)s") % {"what": alert.sentence}
    parts = [
        f"{_whom(alert)}{words.how_over(alert.how)}.",
        fired + "\n" + _("At the end: %(what)s") % {"what": last},
        (_("From %(time)s to %(until)s.") if alert.resolved_at is not None else _("From %(time)s.")) % told,
        _("The alert: %(address)s") % {"address": page_url(alert)},
    ]
    return "\n\n".join(parts) + "\n"


def _whom(alert: Alert) -> str:
    return _("Agent “%(agent)s”.") % {"agent": alert.agent} + " " if alert.agent is not None else ""


def _time(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "j F Y, H:i T")
