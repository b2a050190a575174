"""The line's rows: which exophone belongs to which agent, and every delivery of the carrier, raw."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from providers.exotel.numbers import InvalidNumber, to_e164


class Phone(models.Model):
    """An exophone and the agent that answers it."""

    number = models.CharField(max_length=20, unique=True, help_text=_("With country code, for example +918047112233; 080… works too."))
    label = models.CharField(max_length=80, blank=True)
    agent = models.ForeignKey("agents.Agent", on_delete=models.PROTECT, null=True, blank=True, related_name="phones")
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.number} {self.label}".strip()

    def clean(self) -> None:
        try:
            self.number = to_e164(self.number)
        except InvalidNumber as error:
            raise ValidationError({"number": gettext(str(error))}) from error


class WebhookDelivery(models.Model):
    """One thing Exotel sent to one door, kept once and raw; its copies are counted."""

    class State(models.TextChoices):
        RECEIVED = "received", _("Received")
        APPLIED = "applied", _("Applied")
        IGNORED = "ignored", _("Kept, changed nothing")
        FAILED = "failed", _("Could not be applied yet")

    door = models.CharField(max_length=24)
    fingerprint = models.CharField(max_length=64, unique=True, help_text=_("SHA-256 of door, path and parameters."))
    method = models.CharField(max_length=8)
    content_type = models.CharField(max_length=120, blank=True)
    params = models.JSONField(help_text=_("Every parameter as it came, secrets taken out."))
    call_sid = models.CharField(max_length=64, blank=True, db_index=True)
    session_id = models.CharField(max_length=40, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.RECEIVED)
    reason = models.CharField(max_length=300, blank=True)
    copies = models.PositiveIntegerField(default=1)
    attempts = models.PositiveSmallIntegerField(default=0)
    received_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "webhook deliveries"
        indexes = [models.Index(fields=["id"], condition=models.Q(state__in=["received", "failed"]), name="delivery_to_apply")]

    def __str__(self) -> str:
        return f"{self.door} {self.call_sid}"
