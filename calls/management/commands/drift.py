"""`manage.py drift --from 2026-11-01 --to 2026-11-30`: what the carrier charged against our tariff, per day and exophone."""

import csv
from datetime import date, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from calls import ledger


class Command(BaseCommand):
    help = "Compares the carrier's price of each call with our tariff. Tariffs are price overrides of kind telephony, in the admin."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="first", type=date.fromisoformat, help="first day, YYYY-MM-DD; without it, 30 days ago")
        parser.add_argument("--to", dest="last", type=date.fromisoformat, help="last day, included; without it, today")
        parser.add_argument("--csv", action="store_true", help="comma-separated, for a spreadsheet")

    def handle(self, *args: Any, **options: Any) -> None:
        last = options["last"] or timezone.localdate()
        everything = get_user_model()(is_superuser=True, is_active=True)
        try:
            rows = ledger.drift(everything, options["first"] or last - timedelta(days=30), last)
        except ValueError as error:
            raise CommandError(str(error)) from error
        if options["csv"]:
            csv.writer(self.stdout).writerows(ledger.drift_csv(rows))
            return
        for row in rows:
            percent = f"{row.percent:+} %" if row.percent is not None else "-"
            self.stdout.write(
                f"{row.day}  {row.exophone or 'unknown':<16} {row.calls:>6} calls {row.seconds:>8} s  "
                f"theirs {row.theirs:>12} ours {row.ours:>12} {row.currency}  drift {row.drift:>+12} {percent:>9}"
                f"{self._missing(row)}"
            )
        if not rows:
            self.stdout.write("No call of these days was billed by the carrier.")

    def _missing(self, row: ledger.DriftRow) -> str:
        words = [f"{row.differing} differ"] if row.differing else []
        words += [f"{row.without_price} without a price"] if row.without_price else []
        words += [f"{row.without_tariff} without a tariff"] if row.without_tariff else []
        return f"  ({', '.join(words)})" if words else ""
