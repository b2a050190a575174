"""What somebody asks analytics for: a period, what it is compared with, whose calls, and by what they are put together."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.models import Agent
from agents.visibility import sees_everything, visible_agents
from calls.analytics.figures import Asked, By
from calls.listing.asked import TypedForm, directions
from calls.price_book import midnight
from calls.queries import User

DAYS: Final = {"today": 1, "7": 7, "30": 30, "90": 90}
PERIODS: Final = [
    ("today", gettext_lazy("Today")),
    ("7", gettext_lazy("7 days")),
    ("30", gettext_lazy("30 days")),
    ("90", gettext_lazy("90 days")),
]
USUAL: Final = "7"
LONGEST_DAYS: Final = 366
EARLIEST: Final = date(2000, 1, 1)
HOURLY_DAYS: Final = 2
"""Up to so many days are drawn hour by hour."""
GROUPS: Final = [
    (By.AGENT, gettext_lazy("Agent")),
    (By.VERSION, gettext_lazy("Version")),
    (By.NUMBER, gettext_lazy("Number")),
    (By.CLOCK, gettext_lazy("Hour of the day")),
]


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the operator, both included. `until` is where it ends in fact: today ends with the present hour."""

    first: date
    last: date
    since: datetime
    until: datetime

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def before(self) -> "Period":
        """As many days that end where this one begins, up to the same hour of the last one: half a day is compared with half a day."""
        shift = timedelta(days=self.days)
        first, last = self.first - shift, self.last - shift
        until = midnight(last + timedelta(days=1)) - (midnight(self.last + timedelta(days=1)) - self.until)
        return Period(first, last, midnight(first), until)


def period(first: date, last: date, now: datetime) -> Period:
    hour = timezone.localtime(now).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    since = midnight(first)
    return Period(first, last, since, max(min(midnight(last + timedelta(days=1)), hour), since))


class AskedForm(TypedForm):
    """The fields above the charts. What makes no sense is reported, and the usual days are shown."""

    period = forms.ChoiceField(required=False, choices=[*PERIODS, ("custom", gettext_lazy("Other days"))])
    since = forms.DateField(required=False, error_messages={"invalid": gettext_lazy("Write the first day as YYYY-MM-DD.")})
    until = forms.DateField(required=False, error_messages={"invalid": gettext_lazy("Write the last day as YYYY-MM-DD.")})
    agent = forms.ModelChoiceField(queryset=Agent.objects.none(), required=False)
    number = forms.CharField(required=False, max_length=20)
    direction = forms.ChoiceField(required=False, choices=directions)
    by = forms.ChoiceField(required=False, choices=[(str(by), words) for by, words in GROUPS])
    compare = forms.ChoiceField(required=False, choices=[("", gettext_lazy("The period before")), ("none", gettext_lazy("Nothing"))])
    exact = forms.BooleanField(required=False)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        agent = self.fields["agent"]
        assert isinstance(agent, forms.ModelChoiceField)
        agent.queryset = visible_agents(user).order_by("name")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.chosen_period() == "custom":
            since, until = cleaned.get("since"), cleaned.get("until")
            if any(day is not None and day < EARLIEST for day in (since, until)):
                raise forms.ValidationError(_("Choose days from %(year)d on.") % {"year": EARLIEST.year})
            if since and until and until < since:
                raise forms.ValidationError(_("The last day lies before the first. Swap the two dates."))
            if since and (until or timezone.localdate()) - since >= timedelta(days=LONGEST_DAYS):
                raise forms.ValidationError(_("Choose at most %(days)d days.") % {"days": LONGEST_DAYS})
        return cleaned

    def chosen_period(self) -> str:
        """`custom` as soon as a day is named that the period does not begin or end with: nobody has to say so beside."""
        told, today = str(self.data.get("period", "")), timezone.localdate()
        known = told if told in DAYS else USUAL
        usual = ((today - timedelta(days=DAYS[known] - 1)).isoformat(), today.isoformat())
        named = (self.data.get("since") or "", self.data.get("until") or "")
        if named == ("", ""):
            return known
        return known if told in DAYS and named == usual else "custom"

    def days(self, now: datetime) -> Period:
        today = timezone.localtime(now).date()
        chosen = self.chosen_period()
        if chosen != "custom" or not self.is_valid():
            return period(today - timedelta(days=DAYS.get(chosen, DAYS[USUAL]) - 1), today, now)
        until = min(self.cleaned_data.get("until") or today, today)
        since = self.cleaned_data.get("since") or until - timedelta(days=DAYS[USUAL] - 1)
        return period(min(since, until), until, now)

    def asked(self, days: Period) -> Asked:
        """Whose calls of these days; a field with a mistake narrows nothing and is reported."""
        self.is_valid()
        wanted = self.cleaned_data
        agent = wanted.get("agent")
        return Asked(
            since=days.since,
            until=days.until,
            owner_id=None if sees_everything(self.user) else self.user.pk or 0,
            agent_id=agent.pk if agent else None,
            exophone=wanted.get("number", ""),
            direction=wanted.get("direction", ""),
        )

    @property
    def group(self) -> By:
        self.is_valid()
        return By(self.cleaned_data.get("by") or By.AGENT)

    @property
    def compares(self) -> bool:
        self.is_valid()
        return self.cleaned_data.get("compare") != "none"

    @property
    def is_exact(self) -> bool:
        self.is_valid()
        return bool(self.cleaned_data.get("exact"))
