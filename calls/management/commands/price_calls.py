"""`manage.py price_calls`: accounts calls again that lack a price or an exchange rate, after one was added."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import TruncDate

from calls import dispatch
from calls.models import Charge, ExchangeRate, Session
from calls.rates import GOOD_FOR


class Command(BaseCommand):
    help = "Looks for prices and exchange rates again wherever a charge has none. What has a price keeps it, whatever the list says today."

    def handle(self, *args: Any, **options: Any) -> None:
        ours = settings.BILLING_CURRENCY
        days = timedelta(days=GOOD_FOR.days)
        pair = Q(base=OuterRef("currency"), quote=ours) | Q(base=ours, quote=OuterRef("currency"))
        known = ExchangeRate.objects.filter(pair, on__lte=OuterRef("day"), on__gte=OuterRef("day") - days)
        dated = Charge.objects.annotate(day=TruncDate("usage_line__created_at"))
        lacking = dated.filter(amount__isnull=False, exchange_rate=None).exclude(currency=ours).filter(Exists(known))
        waiting = Q(pk__in=Charge.objects.filter(amount=None).values("session_id")) | Q(pk__in=lacking.values("session_id"))
        found = 0
        for session in Session.objects.filter(waiting).order_by("id").iterator(chunk_size=500):
            dispatch.enqueue(dispatch.JobKind.ACCOUNT, session, again=True)
            found += 1
        self.stdout.write(f"{found} calls have unpriced lines, or lines whose exchange rate was added later; the workers account them now.")
