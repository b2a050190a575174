"""Removes alerts that are long over, with their mails, and mails that tell of none. An open alert stays, however old it is."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.utils import timezone

from calls.alerting.rows import Alert, AlertMail

# At a time: the next run goes on.
PORTION: Final = 1000


def forget(now: datetime | None = None) -> int:
    """Removes what was over ALERT_KEEP_DAYS ago, the oldest first; returns how many alerts and mails of none."""
    before = (now or timezone.now()) - timedelta(days=settings.ALERT_KEEP_DAYS)
    alerts = Alert.objects.filter(resolved_at__lt=before).order_by("pk").values_list("pk", flat=True)[:PORTION]
    _rows, removed = Alert.objects.filter(pk__in=list(alerts)).delete()
    mails = AlertMail.objects.filter(alert=None, finished_at__lt=before).order_by("pk").values_list("pk", flat=True)[:PORTION]
    _rows, more = AlertMail.objects.filter(pk__in=list(mails)).delete()
    return removed.get(Alert._meta.label, 0) + more.get(AlertMail._meta.label, 0)
