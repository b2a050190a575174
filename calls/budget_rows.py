"""Budgets, and what calls have cost so far. `calls.commands` writes them; the sums of days are kept by Postgres itself.

`CallSpend` is what one call counts for: while it runs the meter's estimate, afterwards its charges. A trigger adds calls up in `SpendDay`
in the same transaction, so that a budget is checked with a handful of rows however many calls there were.
"""

from decimal import Decimal

import pgtrigger
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from calls.budgeting import Scope

SCOPES = [
    (Scope.CALL.value, _("each call")),
    (Scope.AGENT_DAY.value, _("each agent and day")),
    (Scope.ACCOUNT_MONTH.value, _("the account and month")),
]
CURRENCIES = [("INR", "INR ₹"), ("USD", "USD $")]


class Budget(models.Model):
    """How much money may be spent on what. Days and months are the operator's (TIME_ZONE); a call counts where it began."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="budgets")
    scope = models.CharField(max_length=16, choices=SCOPES, help_text=_("What is added up."))
    agent = models.ForeignKey(
        "agents.Agent",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="budgets",
        help_text=_("Empty: every agent, each for itself."),
    )
    amount = models.DecimalField(
        max_digits=12, decimal_places=2, validators=[MinValueValidator(Decimal(0), _("Use an amount of 0 or more; 0 lets no call happen."))]
    )
    currency = models.CharField(max_length=3, choices=CURRENCIES, default="INR")
    warn_percent = models.PositiveSmallIntegerField(
        default=80,
        validators=[MinValueValidator(1, _("Use 1 to 100.")), MaxValueValidator(100, _("Use 1 to 100."))],
        help_text=_("A warning is raised when so much of it is spent."),
    )
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["owner_id", "scope", "id"]
        indexes = [models.Index(fields=["owner"], condition=models.Q(active=True), name="budget_active")]

    def __str__(self) -> str:
        """In English: the history keeps it."""
        whom = f" of “{self.agent}”" if self.agent_id and self.scope != Scope.ACCOUNT_MONTH else ""
        with translation.override(settings.LANGUAGE_CODE):
            return f"{self.amount} {self.currency} for {self.get_scope_display()}{whom}"

    def clean(self) -> None:
        if self.scope == Scope.ACCOUNT_MONTH and self.agent_id:
            raise ValidationError({"agent": _("The account's budget counts every agent. Leave this empty, or choose another scope.")})
        if self.agent is not None and self.owner_id is not None and self.agent.owner_id != self.owner_id:
            raise ValidationError({"agent": _("This agent belongs to somebody else. Choose one of the budget's owner.")})


class BudgetNotice(models.Model):
    """A budget that came near its end, or reached it, in one period: raised once."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="notices")
    key = models.CharField(max_length=80, help_text=_("The period, with the agent or the call it is about."))
    level = models.CharField(max_length=8, choices=[("near", "near"), ("over", "over")])
    day = models.DateField(help_text=_("The operator's day on which it was raised."))
    words = models.CharField(max_length=400)
    raised_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["budget", "key", "level"], name="budget_notice_once")]
        indexes = [models.Index(fields=["day"], name="budget_notice_day")]

    def __str__(self) -> str:
        return self.words


class SpendDay(models.Model):
    """What the calls that began on one day of one agent have cost, by currency. Kept by the triggers of `CallSpend` and nobody else."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    agent = models.ForeignKey("agents.Agent", on_delete=models.CASCADE, related_name="spend_days")
    day = models.DateField()
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=20, decimal_places=9, help_text=_("Spent or reserved."))
    used = models.DecimalField(max_digits=20, decimal_places=9, help_text=_("Spent."))
    settled = models.DecimalField(
        max_digits=20,
        decimal_places=9,
        help_text=_("The part of it that real calls were charged: no estimate, nothing reserved, no tests."),
    )
    seconds = models.BigIntegerField(help_text=_("Of the real calls that are charged in this currency."))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "day", "agent", "currency"], name="spend_day_once")]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} on {self.day}"


_ADD_UP = """
INSERT INTO calls_spendday (owner_id, agent_id, day, currency, amount, used, settled, seconds)
VALUES ({row}.owner_id, {row}.agent_id, {row}.day, {row}.currency, {amount}, {used}, {settled}, {seconds})
ON CONFLICT (owner_id, day, agent_id, currency) DO UPDATE
SET amount = calls_spendday.amount + EXCLUDED.amount, used = calls_spendday.used + EXCLUDED.used,
    settled = calls_spendday.settled + EXCLUDED.settled, seconds = calls_spendday.seconds + EXCLUDED.seconds;
RETURN NULL;
"""


def _adding_up(name: str, operation: pgtrigger.Operation, row: str, *parts: tuple[str, str]) -> pgtrigger.Trigger:
    """`parts` are (sign, row) of what is added to the day."""

    def total(column: str) -> str:
        return " ".join(f"{sign} {column.format(row=part)}" for sign, part in parts)

    func = _ADD_UP.format(
        row=row,
        amount=total("{row}.amount"),
        used=total("{row}.used"),
        settled=total("(CASE WHEN {row}.is_final AND NOT {row}.is_test THEN {row}.used ELSE 0 END)"),
        seconds=total("(CASE WHEN {row}.is_final AND NOT {row}.is_test THEN {row}.seconds ELSE 0 END)"),
    )
    return pgtrigger.Trigger(name=name, operation=operation, when=pgtrigger.After, func=func)


class CallSpend(models.Model):
    """What one call counts for in one currency: what it has `used`, but not less than what was `reserved` until it `is_final`."""

    session = models.ForeignKey("calls.Session", on_delete=models.CASCADE, related_name="spends")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    agent = models.ForeignKey("agents.Agent", on_delete=models.CASCADE, related_name="+")
    day = models.DateField(help_text=_("The operator's day on which the call began."))
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=18, decimal_places=9, help_text=_("What it counts for where calls are let in."))
    used = models.DecimalField(max_digits=18, decimal_places=9, default=Decimal(0), help_text=_("What it has cost."))
    reserved = models.DecimalField(max_digits=18, decimal_places=9, default=Decimal(0))
    seconds = models.PositiveIntegerField(default=0)
    is_final = models.BooleanField(default=False, help_text=_("Accounted: charges took the place of the estimate."))
    unpriced = models.CharField(max_length=200, blank=True, help_text=_("What costs something that nobody knows."))
    is_test = models.BooleanField(
        default=False, db_default=False, help_text=_("Its money counts; what a minute of real calls costs it does not tell.")
    )

    class Meta:
        ordering = ["session_id", "currency"]
        constraints = [models.UniqueConstraint(fields=["session", "currency"], name="call_spend_once")]
        triggers = [
            _adding_up("call_spend_begun", pgtrigger.Insert, "NEW", ("", "NEW")),
            _adding_up("call_spend_changed", pgtrigger.Update, "NEW", ("", "NEW"), ("-", "OLD")),
            _adding_up("call_spend_gone", pgtrigger.Delete, "OLD", ("-", "OLD")),
        ]

    def __str__(self) -> str:
        return f"{self.used} {self.currency} of {self.session_id}"
