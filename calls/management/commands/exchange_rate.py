"""`manage.py exchange_rate USD INR 88.10 --source "RBI reference rate"`: what one unit of a currency was on a day."""

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from calls import commands


class Command(BaseCommand):
    help = "Notes an exchange rate. It counts for charges of that day and the seven days after it, until there is a newer one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("base", help="one of this currency …")
        parser.add_argument("quote", help="… in this one")
        parser.add_argument("rate", help="for example 88.10")
        parser.add_argument("--on", default="", help="the day, YYYY-MM-DD; without it, today")
        parser.add_argument("--source", required=True, help="who says so, for example: RBI reference rate")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            on = date.fromisoformat(options["on"]) if options["on"] else timezone.localdate()
            rate = Decimal(options["rate"])
            row = commands.add_exchange_rate(
                base=options["base"], quote=options["quote"], rate=rate, on=on, source=options["source"], by=None
            )
        except (InvalidOperation, ValueError) as error:
            raise CommandError("Write the rate as a number, as in 88.10, and the day as YYYY-MM-DD.") from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(f"Noted: {row}, {row.source}. manage.py price_calls brings it to calls that were accounted without a rate.")
