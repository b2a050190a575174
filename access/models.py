"""API keys, and answers that are kept for requests that come twice. Only `access.keys` and `access.once` write these rows."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from access.scopes import SCOPES
from agents.encryption import EncryptedText


def scope_choices() -> list[tuple[str, str]]:
    """Asked for by name, so that a new scope is no migration."""
    return [(scope, scope) for scope in SCOPES]


class ApiKey(models.Model):
    """A program's way in, as its owner, for what its scopes name. The secret itself is nowhere: only its SHA-256."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80, help_text=_("Which program uses it, for whoever has to revoke it one day."))
    prefix = models.CharField(max_length=16, unique=True, help_text=_("The beginning of the key, by which it is recognised."))
    secret_sha256 = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=32, choices=scope_choices))
    requests_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100_000)],
        help_text=_("Empty: the limit of the installation."),
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text=_("To the minute."))
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


class KeptAnswer(models.Model):
    """What a POST with an Idempotency-Key was answered. Inserted in the transaction of its effect: both are there, or neither."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key_sha256 = models.CharField(max_length=64)
    request_sha256 = models.CharField(max_length=64, help_text="Of the address and the body.")
    status = models.PositiveSmallIntegerField(default=0)
    location = models.CharField(max_length=300, blank=True)
    body = EncryptedText(blank=True, help_text="JSON. It may hold a secret that is shown once.")
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key_sha256"], name="kept_answer_once")]

    def __str__(self) -> str:
        return f"answer {self.status}"
