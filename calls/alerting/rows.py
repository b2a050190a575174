"""The rows of alerts: what is watched, what was found, and the mails that tell of it.

Rows are the truth: a mail that is not noted as sent is sent again.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, validate_email
from django.db import models
from django.utils import timezone, translation
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from calls.alerting import words
from calls.alerting.judging import LONGEST_WINDOW, SHAPES, Kind, Limit
from calls.budget_rows import CURRENCIES

MOST_RECIPIENTS = 20
_LONGEST_MINUTES = int(LONGEST_WINDOW.total_seconds() // 60)


class AlertRule(models.Model):
    """What is watched, from where on it is an alert, and who is told. Without an owner it counts for everybody, each for themselves."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="alert_rules",
        help_text=_("Whose calls are watched. Empty: everybody's, each owner for themselves."),
    )
    kind = models.CharField(max_length=16, choices=words.KIND_CHOICES, help_text=_("What is watched."))
    agent = models.ForeignKey(
        "agents.Agent",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="alert_rules",
        help_text=_("Empty: all agents together."),
    )
    threshold = models.DecimalField(
        _("limit"), max_digits=12, decimal_places=2, help_text=_("From here on it is an alert; what it counts stands with the kind.")
    )
    currency = models.CharField(max_length=3, choices=CURRENCIES, default="INR", help_text=_("Of a limit on spend."))
    window_minutes = models.PositiveIntegerField(
        _("window (minutes)"),
        default=15,
        validators=[MinValueValidator(1, _("Use 1 to 1440 minutes.")), MaxValueValidator(_LONGEST_MINUTES, _("Use 1 to 1440 minutes."))],
        help_text=_("How far back is looked at each time: 60 is an hour, 1440 a day."),
    )
    least_calls = models.PositiveIntegerField(
        _("fewest calls"), default=5, help_text=_("With fewer calls in the window a rate or a latency says nothing, and nothing is judged.")
    )
    recipients = models.TextField(
        _("e-mail to"), blank=True, help_text=_("Addresses, one on each line, at most 20. Empty: nobody is mailed.")
    )
    webhook = models.BooleanField(
        _("tell webhooks"),
        default=True,
        help_text=_("Sends alert.fired and alert.resolved to the owner's webhook endpoints that want them."),
    )
    quiet_minutes = models.PositiveIntegerField(
        _("quiet time (minutes)"),
        default=60,
        validators=[MaxValueValidator(10_080, _("Use at most 10080 minutes, which is a week."))],
        help_text=_("At least so long between two mails of the same alert. What still stands then is mailed then."),
    )
    active = models.BooleanField(default=True)
    judged_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("When it was judged for everybody without a fault.")
    )
    tried_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("When a round of it was over last, however it went.")
    )
    tried_to = models.BigIntegerField(
        null=True, blank=True, editable=False, help_text=_("Up to which owner a round came that is not over.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["kind", "id"]

    def __str__(self) -> str:
        """In English: the history keeps it."""
        with translation.override(settings.LANGUAGE_CODE):
            return self.title

    @property
    def title(self) -> str:
        title = words.title(self.kind)
        return _now("%(title)s of “%(agent)s”") % {"title": title, "agent": self.agent} if self.agent is not None else title

    @property
    def words(self) -> str:
        return words.rule_words(self.kind, self.threshold, self.window_minutes, self.currency, self.limit.least_calls)

    @property
    def addresses(self) -> list[str]:
        return self.recipients.split()

    @property
    def limit(self) -> Limit:
        shape = SHAPES[Kind(self.kind)]
        return Limit(self.threshold, self.least_calls if shape.from_calls else 0, shape.falls)

    @property
    def window(self) -> timedelta:
        return timedelta(minutes=self.window_minutes)

    @property
    def quiet(self) -> timedelta:
        return timedelta(minutes=self.quiet_minutes)

    def clean(self) -> None:
        problems: dict[str, Any] = {}
        if self.agent is not None:
            self.owner_id = self.owner_id or self.agent.owner_id
            if self.agent.owner_id != self.owner_id:
                problems["agent"] = _("This agent belongs to somebody else. Choose one of the rule's owner.")
        if self.kind in SHAPES and self.threshold is not None and (problem := _limit_problem(Kind(self.kind), self.threshold)):
            problems["threshold"] = problem
        if problem := self._clean_recipients():
            problems["recipients"] = problem
        if problems:
            raise ValidationError(problems)

    def _clean_recipients(self) -> str:
        found = list(dict.fromkeys(self.recipients.replace(",", " ").replace(";", " ").split()))
        if len(found) > MOST_RECIPIENTS:
            return _now("These are %(count)d addresses; at most %(most)d are mailed.") % {"count": len(found), "most": MOST_RECIPIENTS}
        for place, address in enumerate(found, 1):
            try:
                validate_email(address)
            except ValidationError:
                return _now("Address number %(place)d is none. Write one on each line, as in name@example.com.") % {"place": place}
        self.recipients = "\n".join(found)
        return ""


def _limit_problem(kind: Kind, threshold: Decimal) -> str:
    shape = SHAPES[kind]
    if not shape.low <= threshold <= shape.high:
        return _now("Use %(low)s to %(high)s.") % {"low": f"{shape.low.normalize():f}", "high": f"{shape.high:f}"}
    return _now("Use a whole number.") if shape.is_whole and threshold != threshold.to_integral_value() else ""


class Alert(models.Model):
    """One thing that went wrong, from its first to its last minute, with the figures that show it. One is open for a rule and subject."""

    class How(models.TextChoices):
        WELL = "well", _("Over")
        LAPSED = "lapsed", _("Lapsed")
        RULE_CHANGED = "rule-changed", _("Its rule was changed")

    rule = models.ForeignKey(AlertRule, on_delete=models.SET_NULL, null=True, related_name="alerts")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="alerts")
    kind = models.CharField(max_length=16, choices=words.KIND_CHOICES)
    agent = models.ForeignKey("agents.Agent", on_delete=models.SET_NULL, null=True, blank=True, related_name="alerts")
    subject = models.CharField(max_length=80, blank=True, help_text=_("The provider or the model; empty: the calls themselves."))
    figures = models.JSONField(default=dict, help_text=_("As they were when it fired: see `calls.alerting.measuring`."))
    latest = models.JSONField(default=dict, help_text=_("As they were last."))
    calls = models.JSONField(default=list, help_text=_("Session ids of calls that show it."))
    fired_at = models.DateTimeField(default=timezone.now)
    known_at = models.DateTimeField(default=timezone.now, help_text=_("When there were figures last."))
    well_since = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    how = models.CharField(max_length=16, choices=How.choices, blank=True, help_text=_("How it ended."))
    mailed_at = models.DateTimeField(null=True, blank=True)
    hooked = models.BooleanField(default=False, help_text=_("Webhooks were told that it fired."))
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=150, blank=True, help_text=_("The user name."))
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "owner", "subject"], condition=models.Q(resolved_at=None), name="alert_open_once")
        ]
        indexes = [
            models.Index(fields=["owner", "-id"], name="alert_newest_of_owner"),
            models.Index(fields=["owner"], condition=models.Q(resolved_at=None), name="alert_open"),
            models.Index(fields=["rule", "owner", "subject", "-mailed_at"], name="alert_mailed"),
        ]

    def __str__(self) -> str:
        """In English, as of a rule."""
        with translation.override(settings.LANGUAGE_CODE):
            return self.title

    @property
    def title(self) -> str:
        return words.title(self.kind, self.subject)

    @property
    def sentence(self) -> str:
        return words.sentence(self.kind, self.subject, self.figures)


class AlertMail(models.Model):
    """One mail on its way to one address. Its Message-ID stays the same in every try, so that a copy is seen to be one."""

    class What(models.TextChoices):
        FIRED = "fired", _("Fired")
        RESOLVED = "resolved", _("Over")
        TEST = "test", _("Test")

    class State(models.TextChoices):
        QUEUED = "queued", _("Waits for its next try")
        SENDING = "sending", _("Being sent")
        SENT = "sent", _("Sent")
        DEAD = "dead", _("Given up: needs a person")

    rule = models.ForeignKey(AlertRule, on_delete=models.SET_NULL, null=True, related_name="mails")
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, null=True, related_name="mails")
    what = models.CharField(max_length=12, choices=What.choices)
    to = models.CharField(max_length=254)
    title = models.CharField(max_length=200)
    body = models.TextField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    run_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["run_at"], condition=models.Q(state__in=["queued", "sending"]), name="alert_mail_due")]

    def __str__(self) -> str:
        return f"{self.what} mail {self.pk}: {self.state}"
