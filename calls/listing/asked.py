"""The filters of the list of calls as people type them: read from the address, told back as chips, kept in views."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from agents.models import Agent, AgentVersion
from calls import overview, queries, wording
from calls.endings import Confirmation, EndedBy
from calls.listing.filters import ONLY_TESTS, WITH_TESTS, WITHOUT_TESTS, CallFilters, is_part
from calls.listing.finding import Order
from calls.models import Analysis
from calls.price_book import midnight
from calls.status import Direction

_LENGTH: Final = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,4}):)?(\d{1,5})")
ANSWERED: Final = [("", gettext_lazy("Answered or not")), ("yes", gettext_lazy("Answered")), ("no", gettext_lazy("Not answered"))]
TESTS: Final = [
    ("", gettext_lazy("Real calls")),
    (WITH_TESTS, gettext_lazy("Real calls and tests")),
    (ONLY_TESTS, gettext_lazy("Tests alone")),
]


class LengthField(forms.CharField):
    """How long a call is: `m:ss`, `h:mm:ss`, or minutes. Cleans to seconds."""

    def clean(self, value: Any) -> int | None:
        text = super().clean(value).strip()
        if not text:
            return None
        found = _LENGTH.fullmatch(text)
        if found is None:
            raise forms.ValidationError(_("Write the duration as minutes and seconds, such as 2:30, or as minutes."))
        hours, minutes, last = (int(part or 0) for part in found.groups())
        return hours * 3600 + minutes * 60 + last if ":" in text else last * 60


Choices = list[tuple[str, str]]

# Who has ended a call, as a choice.
_WHO: Final = {
    EndedBy.CALLER: gettext_noop("caller"),
    EndedBy.AGENT: gettext_noop("agent"),
    EndedBy.CARRIER: gettext_noop("carrier"),
    EndedBy.OPERATOR: gettext_noop("operator"),
    EndedBy.WATCHDOG: gettext_noop("watchdog"),
    EndedBy.CRASH: gettext_noop("our crash"),
    EndedBy.UNKNOWN: gettext_noop("not known by whom"),
}


def _statuses() -> Choices:
    return [("", _("Any status")), *((str(status), wording.status_words(status)) for status in wording.STATUS)]


def _outcomes() -> Choices:
    return [("", _("Any outcome")), *((value, str(label)) for value, label in Analysis.Outcome.choices)]


def _enders() -> Choices:
    return [("", _("Anybody")), *((str(who), _(_WHO[who])) for who in EndedBy)]


def directions() -> Choices:
    return [("", _("Both directions")), *((str(direction), wording.direction_words(direction)) for direction in Direction)]


def _hours() -> Choices:
    between = _("Between %(hour)d:00 and %(hour)d:59")
    return [("", ""), *((str(hour), between % {"hour": hour}) for hour in range(24))]


class TypedForm(forms.Form):
    """A form that stands in an address."""

    def kept(self) -> dict[str, str]:
        """What was asked for, as it was typed: for links, views and the audit line."""
        return {name: value for name in self.fields if (value := str(self.data.get(name, "")).replace("\0", "").strip())}


class FilterForm(TypedForm):
    """What the list is narrowed to, as people type it. Dates are days in the display time zone, both included."""

    text = forms.CharField(required=False, max_length=200)
    number = forms.CharField(required=False, max_length=40)
    status = forms.ChoiceField(required=False, choices=_statuses)
    agent = forms.ModelChoiceField(queryset=Agent.objects.none(), required=False, empty_label=gettext_lazy("Any agent"))
    since = forms.DateField(required=False, error_messages={"invalid": gettext_lazy("Write the first day as YYYY-MM-DD.")})
    until = forms.DateField(required=False, error_messages={"invalid": gettext_lazy("Write the last day as YYYY-MM-DD.")})
    outcome = forms.ChoiceField(required=False, choices=_outcomes)
    direction = forms.ChoiceField(required=False, choices=directions)
    ended_by = forms.ChoiceField(required=False, choices=_enders)
    least = LengthField(required=False, max_length=9)
    most = LengthField(required=False, max_length=9)
    cost_least = forms.DecimalField(required=False, min_value=Decimal(0), max_digits=9, decimal_places=4)
    cost_most = forms.DecimalField(required=False, min_value=Decimal(0), max_digits=9, decimal_places=4)
    unconfirmed = forms.BooleanField(required=False)
    tests = forms.ChoiceField(required=False, choices=TESTS)
    answered = forms.ChoiceField(required=False, choices=ANSWERED)
    silent = forms.BooleanField(required=False)
    failed = forms.BooleanField(required=False)
    version = forms.ModelChoiceField(queryset=AgentVersion.objects.none(), required=False)
    hour = forms.ChoiceField(required=False, choices=_hours)
    sort = forms.ChoiceField(required=False, choices=[("", "newest"), *((str(order), str(order)) for order in Order)])

    BEHIND: Final = (
        "outcome", "direction", "ended_by", "least", "most", "cost_least", "cost_most", "unconfirmed", "tests", "answered", "silent",
        "failed",
    )  # fmt: skip

    def __init__(self, user: AbstractBaseUser | AnonymousUser, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user
        agent, version = self.fields["agent"], self.fields["version"]
        assert isinstance(agent, forms.ModelChoiceField) and isinstance(version, forms.ModelChoiceField)
        agent.queryset = overview.agents_of(user).order_by("name")
        version.queryset = AgentVersion.objects.filter(agent__in=overview.agents_of(user).order_by()).select_related("agent")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if until == date.max:
            cleaned["until"] = until = None  # no call lies behind the last day that there is
        if since and until and until < since:
            raise forms.ValidationError(_("The last day lies before the first. Swap the two dates."))
        swapped = {
            "least": _("The largest duration is smaller than the smallest. Swap the two."),
            "cost_least": _("The largest cost is smaller than the smallest. Swap the two."),
        }
        for least, most in (("least", "most"), ("cost_least", "cost_most")):
            if None not in (low := cleaned.get(least), high := cleaned.get(most)) and high < low:  # type: ignore[operator]  # neither is None
                raise forms.ValidationError(swapped[least])
        return cleaned

    def filters(self) -> CallFilters:
        """The filters that make sense; a field with a mistake filters nothing and is reported beside the list."""
        self.is_valid()
        wanted = self.cleaned_data
        agent, since, until = wanted.get("agent"), wanted.get("since"), wanted.get("until")
        version, hour = wanted.get("version"), wanted.get("hour")
        return CallFilters(
            status=wanted.get("status", ""),
            direction=wanted.get("direction", ""),
            agent_id=agent.pk if agent else None,
            number=wanted.get("number", ""),
            since=midnight(since) if since else None,
            until=midnight(until + timedelta(days=1)) if until else None,
            outcome=wanted.get("outcome", ""),
            ended_by=wanted.get("ended_by", ""),
            confirmation=Confirmation.NOT_CONFIRMED if wanted.get("unconfirmed") else "",
            talk_least_s=wanted.get("least"),
            talk_most_s=wanted.get("most"),
            cost_least=wanted.get("cost_least"),
            cost_most=wanted.get("cost_most"),
            text=wanted.get("text", ""),
            tests=wanted.get("tests") or WITHOUT_TESTS,
            answered=wanted.get("answered", ""),
            version_id=version.pk if version else None,
            clock_hour=int(hour) if hour else None,
            zone=timezone.get_current_timezone_name(),
            silent=bool(wanted.get("silent")),
            failed=bool(wanted.get("failed")),
        )

    @property
    def order(self) -> Order:
        self.is_valid()
        return Order(self.cleaned_data.get("sort") or Order.NEWEST)

    @property
    def has_more(self) -> bool:
        """Whether one of the filters that are folded away is set."""
        return any(name in self.kept() for name in self.BEHIND)

    def chips(self) -> list["Chip"]:
        """One for each filter that narrows the list, with the address of the list without it."""
        self.is_valid()
        kept = self.kept()
        return [
            Chip(words, "?" + urlencode({key: value for key, value in kept.items() if key != name}))
            for name in kept
            if (words := self._words(name, self.cleaned_data.get(name)))
        ]

    def _finds_ours(self, number: str) -> bool:
        return is_part(number) and not queries.sees_numbers(self._user)

    def _words(self, name: str, value: Any) -> str:
        if value in (None, "", False):
            return ""
        if name in ("since", "until"):
            return (_("From %(day)s") if name == "since" else _("Until %(day)s")) % {"day": date_format(value, "j M Y")}
        if name in ("least", "most", "cost_least", "cost_most"):
            is_cost = name.startswith("cost")
            amount = wording.money_words(value, settings.BILLING_CURRENCY, at_least=0) if is_cost else wording.duration_words(value)
            return (_("At least %(amount)s") if name.endswith("least") else _("At most %(amount)s")) % {"amount": amount}
        choices: Any = getattr(self.fields[name], "choices", ()) if name not in ("agent", "version") else ()
        label = str(dict(choices).get(str(value), ""))
        words = {
            "text": _("Said: %(words)s") % {"words": value},
            "number": (_("Our number %(number)s") if name == "number" and self._finds_ours(value) else _("Number %(number)s"))
            % {"number": value},
            "agent": str(value),
            "version": str(value),
            "silent": _("The caller said nothing"),
            "failed": _("The call failed"),
            "ended_by": _("Ended by: %(who)s") % {"who": label},
            "unconfirmed": _("Not confirmed by carrier"),
            "sort": "",
        }
        return words.get(name, label)


@dataclass(frozen=True, slots=True)
class Chip:
    words: str
    without: str
