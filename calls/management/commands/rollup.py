"""`manage.py rollup --since 2026-11-01`: counts these days' hours anew for analytics; without a day, all of them."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand

from calls.analytics import keeping
from calls.price_book import midnight


class Command(BaseCommand):
    help = "Counts calls by the hour anew, from their own rows. The worker does so by itself whenever a call changes; repeatable."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", type=date.fromisoformat, help="first day, YYYY-MM-DD; without it, from the first call on")

    def handle(self, *args: Any, **options: Any) -> None:
        day = options["since"]
        keeping.mark_since(midnight(day) if day else keeping.BEGINNING)
        self.stdout.write(f"{keeping.keep(for_s=None)} hours counted anew.")
