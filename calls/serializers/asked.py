"""What the API takes: an order to call somebody, and a search for calls."""

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import phonenumbers
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.models import Agent
from agents.serializers import OwnAgentField, StrictMixin
from calls.endings import Confirmation, EndedBy
from calls.listing.filters import ONLY_TESTS, WITH_TESTS, WITHOUT_TESTS
from calls.models import Analysis
from calls.queries import CallFilters
from calls.status import CallStatus, Direction

EXAMPLE = "+919876543210"
NUMBER_HELP = (
    "Either side's number, whole or its last digits; who may not see callers' numbers finds them by the whole number or its last two."
)


class DialledNumber(serializers.CharField):
    """A number to call or to call from, as E.164. Without a country code it is Indian."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        problem = _("This is not a phone number. Write it with its country code, for example %(example)s.") % {"example": EXAMPLE}
        if not re.fullmatch(r"\+?[\d\s().\-]+", text):
            raise serializers.ValidationError(problem)
        try:
            number = phonenumbers.parse(text, "IN")
        except phonenumbers.NumberParseException as error:
            raise serializers.ValidationError(problem) from error
        if not phonenumbers.is_possible_number(number):
            raise serializers.ValidationError(
                _("This number has too few or too many digits. Write it with its country code, for example %(example)s.")
                % {"example": EXAMPLE}
            )
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


class CustomerField(serializers.DictField):
    """What is known about the human: short texts by name, for the agent's {{customer.…}}."""

    MOST = 50
    child = serializers.CharField(max_length=500, allow_blank=True)

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        known = super().to_internal_value(data)
        if len(known) > self.MOST:
            raise serializers.ValidationError(_("Give at most %(most)d facts about a customer.") % {"most": self.MOST})
        for name in known:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", str(name)):
                message = _("“%(name)s” cannot be a name. Use small letters, digits and _, for example order_number.")
                raise serializers.ValidationError(message % {"name": str(name)[:60]})
        return known


class PlaceCallSerializer(StrictMixin, serializers.Serializer[Any]):
    """Whom to call, as which agent, from which of the owner's active numbers (the agent's own if left out)."""

    agent = OwnAgentField(queryset=Agent.objects.none())
    to = DialledNumber(max_length=40, help_text=f"The number to call, for example {EXAMPLE}.")
    customer = CustomerField(required=False, help_text='What the agent\'s {{customer.…}} say, for example {"name": "Asha"}.')

    def get_fields(self) -> dict[str, Any]:
        # `from` is a word of Python's own.
        help_text = "One of your active numbers; left out: the agent's own."
        return {**super().get_fields(), "from": DialledNumber(source="from_phone", max_length=40, required=False, help_text=help_text)}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        agent: Agent = attrs["agent"]
        if wanted := attrs.get("from_phone"):
            phones = agent.phones.model.objects.filter(active=True, agent__owner_id=agent.owner_id)
            if not phones.filter(number=wanted).exists():
                message = _(
                    "%(number)s is not one of your active numbers. Use one of them, or leave this out to call from the agent's own."
                )
                raise serializers.ValidationError({"from": [message % {"number": wanted}]})
            return attrs
        phone = agent.phones.filter(active=True).order_by("id").first()
        if phone is None:
            message = _("The agent “%(name)s” has no active number to call from. Give it one, or name one of your numbers in from.")
            raise serializers.ValidationError({"from": [message % {"name": agent.name}]})
        return {**attrs, "from_phone": phone.number}


@extend_schema_field({"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]})
class MomentField(serializers.Field[datetime, str, str, Any]):
    """An ISO 8601 date or date and time; a date is its midnight, and a time without offset is local."""

    def to_internal_value(self, data: str) -> datetime:
        text = str(data).strip()
        if "T" in text:
            text = text.replace(" ", "+")  # a plus that was not escaped in a query string arrives as a space
        try:
            day, moment = parse_date(text), parse_datetime(text)
        except ValueError:
            day, moment = None, None
        if day is not None:
            return midnight(day)
        if moment is None:
            raise serializers.ValidationError(_("Write a date such as 2026-11-22, or a time such as 2026-11-22T18:30:00+05:30."))
        return moment if timezone.is_aware(moment) else timezone.make_aware(moment)

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


def midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _has_an_end(day: date) -> None:
    if day == date.max:
        raise serializers.ValidationError(_("No day follows this one. Name an earlier day."))


class CallQuerySerializer(StrictMixin, serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=[(s.value, s.value) for s in CallStatus], required=False)
    direction = serializers.ChoiceField(choices=[(d.value, d.value) for d in Direction], required=False)
    agent = serializers.IntegerField(min_value=1, max_value=2**63 - 1, required=False, help_text="An agent's id.")
    number = serializers.CharField(max_length=40, required=False, help_text=NUMBER_HELP)
    outcome = serializers.ChoiceField(choices=Analysis.Outcome.choices, required=False, help_text="What the talk achieved.")
    ended_by = serializers.ChoiceField(choices=[(e.value, e.value) for e in EndedBy], required=False)
    confirmation = serializers.ChoiceField(choices=[(c.value, c.value) for c in Confirmation], required=False)
    text = serializers.CharField(max_length=200, required=False, help_text="Words that were said; a phrase in quotation marks.")
    duration_least_s = serializers.IntegerField(min_value=0, max_value=100_000, required=False)
    duration_most_s = serializers.IntegerField(min_value=0, max_value=100_000, required=False)
    cost_least = serializers.DecimalField(
        max_digits=12, decimal_places=4, min_value=0, required=False, help_text="In the billing currency."
    )
    cost_most = serializers.DecimalField(max_digits=12, decimal_places=4, min_value=0, required=False, help_text="In the billing currency.")
    tests = serializers.ChoiceField(
        choices=[(choice, choice) for choice in (WITH_TESTS, WITHOUT_TESTS, ONLY_TESTS)], required=False, help_text="Left out: with."
    )
    date = serializers.DateField(required=False, validators=[_has_an_end], help_text="Calls of one local day.")
    since = MomentField(required=False, help_text="Calls from this date or time on.")
    until = MomentField(required=False, help_text="Calls before this date or time.")
    limit = serializers.IntegerField(min_value=1, max_value=200, required=False, help_text="Calls on a page; 50 if left out.")
    cursor = serializers.IntegerField(min_value=1, max_value=2**63 - 1, required=False, help_text="Given in `next`.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("status", "direction", "outcome", "ended_by", "confirmation", "tests"):
            field = self.fields[name]
            known = ", ".join(str(choice) for choice in getattr(field, "choices", ()))
            field.error_messages["invalid_choice"] = _("“{input}” is not one of the choices. Use one of: %(known)s.") % {"known": known}

    def filters(self) -> CallFilters:
        found: Mapping[str, Any] = self.validated_data
        since, until = found.get("since"), found.get("until")
        if (day := found.get("date")) is not None:
            start, end = midnight(day), midnight(day + timedelta(days=1))
            since, until = max(since or start, start), min(until or end, end)
        return CallFilters(
            status=found.get("status", ""),
            direction=found.get("direction", ""),
            agent_id=found.get("agent"),
            number=found.get("number", ""),
            since=since,
            until=until,
            outcome=found.get("outcome", ""),
            ended_by=found.get("ended_by", ""),
            confirmation=found.get("confirmation", ""),
            talk_least_s=found.get("duration_least_s"),
            talk_most_s=found.get("duration_most_s"),
            cost_least=found.get("cost_least"),
            cost_most=found.get("cost_most"),
            text=found.get("text", ""),
            tests=found.get("tests", WITH_TESTS),
        )
