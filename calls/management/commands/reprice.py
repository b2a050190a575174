"""`manage.py reprice --from 2026-11-01 --to 2026-11-22`: charges old calls again, after a wrong price was mended.

Nothing is edited: a charge that comes out differently is superseded by a new row, and the difference is shown. Doing it twice, or going on
after it was interrupted, changes nothing more.
"""

import sys
from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from calls import commands
from calls.charges import Pricing
from calls.ledger import sessions_between
from calls.models import Charge, Session

_BAR = 30


class Command(BaseCommand):
    help = "Charges the calls of these days again by today's prices, rates and carrier's figures, and shows what that changes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True, help="first day, YYYY-MM-DD")
        parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True, help="last day, included")
        parser.add_argument("--agent", type=int, help="only calls of the agent with this id")
        parser.add_argument("--reason", default="", help="kept with every new charge, for example: the list had nova-3 at half its price")
        parser.add_argument("--dry-run", action="store_true", help="only show the difference")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["last"] < options["first"]:
            raise CommandError("The last day lies before the first. Swap the two dates.")
        calls = sessions_between(Session.objects.filter(charges__isnull=False), options["first"], options["last"]).distinct()
        if options["agent"] is not None:
            calls = calls.filter(agent_id=options["agent"])
        numbers = list(calls.order_by("id").values_list("pk", flat=True))
        reason = f"repriced{': ' + options['reason'] if options['reason'] else ''}"
        pricing, difference, changed = Pricing(), _Difference(), 0
        for done, number in enumerate(numbers, 1):
            session = Session.objects.get(pk=number)
            changes = commands.reprice(session, reason=reason, dry_run=options["dry_run"], pricing=pricing)
            changed += bool(changes)
            for old, new in changes:
                difference.add(old, new)
            self._progress(done, len(numbers))
        for line in difference.lines():
            self.stdout.write(line)
        would = "would change" if options["dry_run"] else "changed"
        self.stdout.write(f"{changed} of {len(numbers)} calls {would}.{' Nothing was written.' if options['dry_run'] else ''}")

    def _progress(self, done: int, all_of_them: int) -> None:
        """A bar for a person at a terminal; files and pipes get none."""
        if sys.stderr.isatty() and (done % 10 == 0 or done == all_of_them):
            filled = _BAR * done // all_of_them
            end = "\n" if done == all_of_them else ""
            self.stderr.write(f"\r[{'#' * filled}{'.' * (_BAR - filled)}] {done}/{all_of_them} calls", ending=end)


class _Difference:
    """Old and new sums by provider and currency."""

    def __init__(self) -> None:
        self._old: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._new: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._priced, self._unpriced = 0, 0

    def add(self, old: Charge, new: Charge) -> None:
        provider = new.usage_line.provider + (" tax" if new.part == Charge.Part.TAX else "")
        for sums, charge in ((self._old, old), (self._new, new)):
            if charge.amount is not None:
                sums[provider, charge.currency] += charge.amount
        self._priced += old.amount is None and new.amount is not None
        self._unpriced += old.amount is not None and new.amount is None

    def lines(self) -> list[str]:
        keys = sorted({*self._old, *self._new})
        shown = [
            self._line(provider, currency, self._old[provider, currency], self._new[provider, currency]) for provider, currency in keys
        ]
        for currency in sorted({currency for _provider, currency in keys}):
            old, new = (sum((value for key, value in sums.items() if key[1] == currency), Decimal(0)) for sums in (self._old, self._new))
            shown.append(self._line("total", currency, old, new))
        shown += [f"{self._priced} charges had no price and have one now."] if self._priced else []
        shown += [f"{self._unpriced} charges had a price and have none now: see the list of unpriced models."] if self._unpriced else []
        return shown

    def _line(self, what: str, currency: str, old: Decimal, new: Decimal) -> str:
        return f"{what:<20} {currency:<4} {old:>18,f} -> {new:>18,f}   {new - old:>+18,f}"
