"""`manage.py relist`: stores anew what the list of calls shows and finds; once after an upgrade, or if somebody wrote rows by hand.

The newest come first. One that was broken off goes on with `--missing`.
"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from calls import commands
from calls.models import Session


class Command(BaseCommand):
    help = "Stores cost, outcome, turn latency and searchable words of every call anew. Repeatable, and harmless while calls run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--missing", action="store_true", help="Only calls of which no words are kept.")

    def handle(self, *args: Any, **options: Any) -> None:
        sessions = Session.objects.filter(call_log__isnull=False).only("pk").order_by("-id")
        if options["missing"]:
            sessions = sessions.filter(said_words__isnull=True)
        done = 0
        for session in sessions.iterator(chunk_size=500):
            with transaction.atomic():
                commands.list_call(session)
            done += 1
        self.stdout.write(f"{done} calls listed anew.")
