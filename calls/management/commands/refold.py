"""`manage.py refold`: rebuilds how calls stand from their events, and shows what was different."""

from argparse import ArgumentParser
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from calls import commands
from calls.models import Session


class Command(BaseCommand):
    help = "Stores for each call what its events say: status, times, duration, price, recording, who ended it. Shows every difference."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="since", type=_day, metavar="YYYY-MM-DD", help="Calls of this local day and later.")
        parser.add_argument("--to", dest="until", type=_day, metavar="YYYY-MM-DD", help="Calls of this local day and earlier.")
        parser.add_argument("--session", metavar="SESSION_ID", help="One call.")
        parser.add_argument("--dry-run", action="store_true", help="Only show what is different.")

    def handle(self, *args: Any, **options: Any) -> None:
        since, until, one = options["since"], options["until"], options["session"]
        if not (since or until or one):
            raise CommandError("Say which calls: --session sess_…, or --from and --to with days.")
        sessions = Session.objects.filter(call_log__isnull=False).order_by("id")
        if one:
            sessions = sessions.filter(session_id=one)
        if since:
            sessions = sessions.filter(created_at__gte=_midnight(since))
        if until:
            sessions = sessions.filter(created_at__lt=_midnight(until + timedelta(days=1)))
        looked_at = differing = 0
        for session in sessions.iterator(chunk_size=200):
            found = commands.refold(session, write=not options["dry_run"])
            looked_at, differing = looked_at + 1, differing + bool(found)
            for name, (was, told) in found.items():
                self.stdout.write(f"{session.session_id} {name}: {_shown(was)} -> {_shown(told)}")
        if one and not looked_at:
            raise CommandError(f"There is no call {one}.")
        done = "would change" if options["dry_run"] else "changed"
        self.stdout.write(f"{looked_at} calls looked at, {differing} {done}.")


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _shown(value: Any) -> str:
    return "nothing" if value in (None, "") else value.isoformat() if isinstance(value, datetime) else str(value)
