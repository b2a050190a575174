"""The rows of outgoing webhooks. Rows are the truth: a delivery that is not written down as done is made again."""

import secrets
from datetime import datetime
from typing import Any

import pgtrigger
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from agents.encryption import EncryptedText
from calls.outgoing import addresses
from calls.outgoing.rules import ENDPOINT_EVENTS, EventType
from calls.outgoing.signing import new_secret


def new_message_id() -> str:
    """`msg_` and 22 characters nobody can guess."""
    return f"msg_{secrets.token_urlsafe(16).replace('-', 'A').replace('_', 'B')}"


def every_event() -> list[str]:
    return [str(event) for event in ENDPOINT_EVENTS]


class WithoutSecrets(models.Manager["WebhookEndpoint"]):
    """Leaves the secrets in the database until they are asked for: one that cannot be read must stop no call and no page."""

    def get_queryset(self) -> models.QuerySet["WebhookEndpoint"]:
        return super().get_queryset().defer("secret", "previous_secret")


class WebhookEndpoint(models.Model):
    """An address of the operator's own that is told what becomes of their calls, and of their alerts."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhook_endpoints")
    url = models.CharField(
        _("address"), max_length=500, help_text=_("https://… It must answer 2xx within 15 seconds; redirects are not followed.")
    )
    description = models.CharField(max_length=120, blank=True, help_text=_("For people: what listens there."))
    events = models.JSONField(
        default=every_event, help_text=_("What it is told: call.started, call.ended, call.settled, alert.fired, alert.resolved.")
    )
    secret = EncryptedText(default=new_secret, editable=False)
    previous_secret = EncryptedText(null=True, blank=True, editable=False)
    previous_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("Until then messages are signed with both secrets.")
    )
    secret_shown = models.BooleanField(default=False, editable=False)
    active = models.BooleanField(default=True)
    note = models.CharField(max_length=300, blank=True, editable=False, help_text=_("Why it was switched off."))
    failures = models.PositiveIntegerField(default=0, editable=False, help_text=_("Failed tries in a row."))
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    rest_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("It failed several times in a row and is left alone.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    objects = WithoutSecrets()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.description or self.url

    def save(self, *args: Any, **kwargs: Any) -> None:
        """One that is switched on again begins anew: its failures belong to what has been mended."""
        if self.active and self.note:
            self.note, self.failures, self.failing_since, self.rest_until = "", 0, None, None
        super().save(*args, **kwargs)

    def clean(self) -> None:
        problems: dict[str, str] = {}
        if problem := addresses.problem(self.url, settings.WEBHOOK_ALLOWED_NETWORKS):
            problems["url"] = problem
        events = self.events
        if not isinstance(events, list) or not events or not set(map(str, events)) <= set(ENDPOINT_EVENTS):
            problems["events"] = _("Choose at least one of: %(known)s.") % {"known": ", ".join(ENDPOINT_EVENTS)}
        else:
            self.events = [str(event) for event in ENDPOINT_EVENTS if event in events]
        if problems:
            raise ValidationError(problems)

    def secrets_at(self, now: datetime) -> list[str]:
        """What messages are signed with, newest first. In the clear: for signing and nothing else."""
        both = self.previous_secret and self.previous_until and now < self.previous_until
        return [self.secret, self.previous_secret] if both and self.previous_secret else [self.secret]


class WebhookMessage(models.Model):
    """One thing that is told, frozen as it was when it became true. Every try sends these very bytes under this very id."""

    message_id = models.CharField(max_length=40, unique=True, default=new_message_id)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhook_messages")
    session = models.ForeignKey("calls.Session", null=True, on_delete=models.CASCADE, related_name="webhook_messages")
    type = models.CharField(max_length=24, choices=[(event.value, event.value) for event in EventType])
    body = models.TextField(help_text=_("JSON, as it is sent."))
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["session", "type"], name="webhook_message_once")]
        indexes = [models.Index(fields=["owner", "-id"], name="webhook_message_newest")]
        triggers = [pgtrigger.Protect(name="webhook_message_frozen", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.type} {self.message_id}"


class OutgoingDelivery(models.Model):
    """One message on its way to one endpoint."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Waits for its next try")
        SENDING = "sending", _("Being sent")
        DELIVERED = "delivered", _("Delivered")
        DEAD = "dead", _("Given up: needs a person")

    message = models.ForeignKey(WebhookMessage, on_delete=models.CASCADE, related_name="deliveries")
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0, help_text=_("Tries since it was queued or replayed."))
    run_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "outgoing deliveries"
        constraints = [models.UniqueConstraint(fields=["message", "endpoint"], name="outgoing_delivery_once")]
        indexes = [
            models.Index(fields=["endpoint", "run_at"], condition=models.Q(state__in=["queued", "sending"]), name="outgoing_delivery_due")
        ]

    def __str__(self) -> str:
        return f"{self.message_id} to {self.endpoint_id}: {self.state}"


class WebhookAttempt(models.Model):
    """One try. Written before the request is made: one without a result is one that nobody saw the end of."""

    delivery = models.ForeignKey(OutgoingDelivery, on_delete=models.CASCADE, related_name="tries")
    number = models.PositiveIntegerField(help_text=_("Counts on through replays."))
    at = models.DateTimeField(default=timezone.now)
    status = models.PositiveSmallIntegerField(null=True, blank=True, help_text=_("The endpoint's answer; empty if there was none."))
    ms = models.PositiveIntegerField(null=True, blank=True, help_text=_("How long it took."))
    error = models.CharField(max_length=300, blank=True)
    next_try_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="webhook_attempt_once")]

    def __str__(self) -> str:
        return f"try {self.number}: {self.status or self.error or 'unknown'}"
