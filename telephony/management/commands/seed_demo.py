"""Makes the demo's operator, agent and phone, or brings them back to how the demo needs them."""

from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from agents.models import Agent
from calls import commands
from calls.models import ExchangeRate, PriceOverride
from calls.price_book import CARRIER
from telephony.models import Phone

PROMPT = """You are Asha, the receptionist of Sunrise Clinic in Bengaluru.
You book, move and cancel appointments, and answer questions about opening hours and directions.
The clinic is open Monday to Saturday, nine in the morning to six in the evening.
Doctor Rao sees patients on weekdays, Doctor Mehta on Saturdays.
Ask for one thing at a time. Never give medical advice: offer an appointment instead."""
FIRST_MESSAGE = "Hello, this is Asha from Sunrise Clinic. How can I help you today?"


class Command(BaseCommand):
    help = "Creates the demo operator, agent and phone (again)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="demo")
        parser.add_argument("--password", required=True)
        parser.add_argument("--number", required=True, help="the exophone, E.164")

    def handle(self, *args: Any, **options: Any) -> None:
        user, _ = get_user_model().objects.get_or_create(username=options["username"], defaults={"is_staff": True, "is_superuser": True})
        user.set_password(options["password"])
        user.save()
        agent = Agent.objects.filter(owner=user, name="Asha, clinic receptionist").first() or Agent(
            owner=user, name="Asha, clinic receptionist"
        )
        agent.prompt, agent.first_message, agent.active = PROMPT, FIRST_MESSAGE, True
        agent.full_clean()
        agent.save()
        add_figures(user)
        Phone.objects.update_or_create(number=options["number"], defaults={"agent": agent, "active": True, "label": "Front desk"})


def add_figures(user: Any) -> None:
    """A tariff as the simulator bills, and a rate, so that estimates, drift and totals in one currency have something to show."""
    if not PriceOverride.objects.filter(kind="telephony").exists():
        commands.add_price_override(
            kind="telephony",
            provider=CARRIER,
            model="*",
            unit="call_seconds",
            price=Decimal("0.60"),
            per=60,
            pulse=60,
            currency="INR",
            effective_from=timezone.localdate(),
            reason="what the simulator charges for a started minute",
            by=user,
        )
    if not ExchangeRate.objects.exists():
        commands.add_exchange_rate(
            base="USD", quote="INR", rate=Decimal(90), on=timezone.localdate(), source="made up for the demo", by=user
        )
