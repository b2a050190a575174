"""A call's uses and what they cost, append-only. A part of `calls.models`; only `calls.commands` writes them."""

import pgtrigger
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from calls.price_rows import ExchangeRate, PriceOverride


class UsageLine(models.Model):
    """One quantity used once, with its evidence. Append-only."""

    session = models.ForeignKey("calls.Session", on_delete=models.CASCADE, related_name="usage_lines")
    kind = models.CharField(max_length=16)
    provider = models.CharField(max_length=32)
    model = models.CharField(max_length=64, blank=True)
    unit = models.CharField(max_length=32)
    quantity = models.PositiveBigIntegerField()
    evidence = models.CharField(max_length=120)
    purpose = models.CharField(
        max_length=24, blank=True, help_text="Empty: for what the caller heard. Else why it was used, as speculative."
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["session", "kind", "provider", "model", "unit", "evidence"], name="usage_once"),
        ]
        triggers = [pgtrigger.Protect(name="usage_append_only", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.quantity} {self.unit} of {self.provider} {self.model}"

    @property
    def charge(self) -> "Charge | None":
        """The live charge of its price, if it has been accounted. Uses what is prefetched as `charges`."""
        return next((charge for charge in self.charges.all() if charge.part == Charge.Part.PRICE), None)


class LiveCharges(models.Manager["Charge"]):
    """Only what counts today: a charge that a later one took the place of is history."""

    def get_queryset(self) -> models.QuerySet["Charge"]:
        return super().get_queryset().filter(superseded_by__isnull=True)


class Charge(models.Model):
    """What one usage line costs, frozen with its price, its day's rate and where both come from. Append-only: a charge that proves wrong
    is superseded by a new row. `objects` are the live ones, `ever` includes the superseded.

    `amount` is NULL if no price is known: unpriced is not free.
    """

    class Part(models.TextChoices):
        PRICE = "", _("Price")
        TAX = "tax", _("Tax")

    session = models.ForeignKey("calls.Session", on_delete=models.CASCADE, related_name="charges")
    usage_line = models.ForeignKey(UsageLine, on_delete=models.CASCADE, related_name="charges", related_query_name="charge")
    part = models.CharField(max_length=8, choices=Part.choices, default=Part.PRICE, blank=True)
    supersedes = models.OneToOneField("self", on_delete=models.CASCADE, null=True, blank=True, related_name="superseded_by")
    reason = models.CharField(max_length=200, blank=True, help_text="Why it took the place of another.")
    amount = models.DecimalField(max_digits=18, decimal_places=9, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    unit_price = models.DecimalField(max_digits=18, decimal_places=9, null=True, blank=True)
    price_per = models.PositiveBigIntegerField(null=True, blank=True, help_text="How many units the unit price buys.")
    pulse = models.PositiveIntegerField(null=True, blank=True, help_text="The quantity is billed in started pulses of so many units.")
    price_source = models.CharField(max_length=300, blank=True)
    price_list = models.CharField(max_length=32, blank=True, help_text="The version of the price list; empty if another source made it.")
    price_override = models.ForeignKey(PriceOverride, on_delete=models.PROTECT, null=True, blank=True, related_name="charges")
    exchange_rate = models.DecimalField(
        max_digits=20,
        decimal_places=10,
        null=True,
        blank=True,
        help_text="How much of `rate_currency` one of `currency` was; NULL: no rate.",
    )
    rate_currency = models.CharField(max_length=3, blank=True)
    rate_row = models.ForeignKey(ExchangeRate, on_delete=models.PROTECT, null=True, blank=True, related_name="charges")
    created_at = models.DateTimeField(default=timezone.now)

    objects = LiveCharges()
    ever = models.Manager["Charge"]()

    class Meta:
        ordering = ["id"]
        triggers = [
            pgtrigger.Protect(name="charge_append_only", operation=pgtrigger.Update),
            pgtrigger.Protect(name="charge_stays", operation=pgtrigger.Delete),
        ]
        indexes = [models.Index(fields=["session"], condition=models.Q(amount=None), name="charge_unpriced")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount__isnull=True, currency="") | models.Q(amount__isnull=False) & ~models.Q(currency=""),
                name="charge_has_currency_or_is_unpriced",
            ),
            # One chain for each part of a use, and no chain has two ends: nothing is charged twice, whatever runs at once.
            models.UniqueConstraint(fields=["usage_line", "part"], condition=models.Q(supersedes__isnull=True), name="charge_once"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}" if self.amount is not None else "unpriced"
