"""The operator's own figures: prices that come before the list's, and exchange rates. Written by `calls.commands`, never edited.

A wrong row is ended (a price) or followed by a newer one (a rate); what was charged by it stays explained.
"""

import pgtrigger
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from engine.usage import Unit, UsageKind

currency_code = RegexValidator(r"^[A-Z]{3}\Z", _("Write the currency's three capital letters, for example INR."))


class PriceOverride(models.Model):
    """What we pay by our own contract, from one day until another. The line's tariff of an exophone is one of these too."""

    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in UsageKind])
    provider = models.CharField(max_length=32, help_text=_("As on the call page, for example openai; the phone line is exotel's: carrier."))
    model = models.CharField(
        max_length=64,
        help_text=_("As on the call page; * is every model. For the line: an exophone (+918047112233), inbound, outbound, or *."),
    )
    unit = models.CharField(max_length=32, choices=[(unit.value, unit.value) for unit in Unit])
    language = models.CharField(max_length=16, blank=True, help_text=_("Empty: whatever is spoken."))
    price = models.DecimalField(max_digits=18, decimal_places=9, validators=[MinValueValidator(0)])
    per = models.PositiveBigIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text=_("How many units the price buys: 60000 audio_ms is a minute.")
    )
    pulse = models.PositiveIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text=_("Billed in started pulses of so many units: 60 for calls by the minute.")
    )
    currency = models.CharField(max_length=3, validators=[currency_code])
    tax_percent = models.DecimalField(
        max_digits=6,
        decimal_places=3,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text=_("Only for the line: the tax on top. Empty: as in pricing/prices.toml."),
    )
    effective_from = models.DateField(help_text=_("The first day of use that is charged so."))
    effective_until = models.DateField(null=True, blank=True, help_text=_("The first day on which it no longer counts. Empty: for now."))
    reason = models.CharField(max_length=300, help_text=_("Where the figure is from: contract, invoice, page and day."))
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(effective_until__isnull=True) | models.Q(effective_until__gt=models.F("effective_from")),
                name="price_override_ends_after_it_begins",
            ),
            models.CheckConstraint(condition=models.Q(price__gte=0, per__gte=1, pulse__gte=1), name="price_override_makes_sense"),
        ]
        triggers = [
            pgtrigger.Protect(
                name="price_override_only_ends",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(exclude=["effective_until"]),
            ),
            pgtrigger.Protect(name="price_override_stays", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.model} {self.unit}: {self.price.normalize():f} {self.currency} / {self.per}"

    def clean(self) -> None:
        if self.effective_until and self.effective_from and self.effective_until <= self.effective_from:
            raise ValidationError({"effective_until": _("The end must come after the first day.")})


class ExchangeRate(models.Model):
    """One `base` is `rate` `quote` on the day `on`, as `source` says. The newest row of a day counts."""

    base = models.CharField(max_length=3, validators=[currency_code])
    quote = models.CharField(max_length=3, validators=[currency_code])
    rate = models.DecimalField(max_digits=20, decimal_places=10)
    on = models.DateField()
    source = models.CharField(max_length=200)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-on", "-id"]
        indexes = [models.Index(fields=["base", "quote", "-on", "-id"], name="exchange_rate_newest")]
        constraints = [
            models.CheckConstraint(condition=models.Q(rate__gt=0) & ~models.Q(base=models.F("quote")), name="exchange_rate_real")
        ]
        triggers = [pgtrigger.Protect(name="exchange_rate_append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"1 {self.base} = {self.rate.normalize():f} {self.quote} ({self.on.isoformat()})"

    def clean(self) -> None:
        if self.rate is not None and self.rate <= 0:
            raise ValidationError({"rate": _("A rate is more than 0.")})
        if self.base and self.base == self.quote:
            raise ValidationError({"quote": _("The two currencies are the same.")})
