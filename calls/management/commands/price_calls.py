"""`manage.py price_calls`: accounts calls again that have unpriced lines, after a price was added to pricing/prices.toml."""

from typing import Any

from django.core.management.base import BaseCommand

from calls import dispatch
from calls.models import Charge, Session


class Command(BaseCommand):
    help = "Looks for prices again wherever a call has unpriced lines. What has a price keeps it, whatever the list says today."

    def handle(self, *args: Any, **options: Any) -> None:
        unpriced = Charge.objects.filter(amount=None).values("session_id")
        sessions = Session.objects.filter(pk__in=unpriced).order_by("id")
        for session in sessions.iterator(chunk_size=500):
            dispatch.enqueue(dispatch.JobKind.ACCOUNT, session, again=True)
        self.stdout.write(f"{sessions.count()} calls have unpriced lines; the workers look for their prices now.")
