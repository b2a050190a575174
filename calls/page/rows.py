"""The rows of a call's page: its waveform, what operators wrote about it, and the links that show it to others."""

import secrets

from django.conf import settings
from django.db import models
from django.utils import timezone

MOST_TAG_CHARACTERS = 40
MOST_NOTE_CHARACTERS = 4_000


def new_share_id() -> str:
    """22 characters nobody can guess."""
    return secrets.token_urlsafe(16)


class Waveform(models.Model):
    """A recording as a picture: the loudest moment of each stretch, one byte for each channel and stretch, channel after channel."""

    session = models.OneToOneField("calls.Session", on_delete=models.CASCADE, related_name="waveform")
    channels = models.PositiveSmallIntegerField()
    duration_ms = models.PositiveBigIntegerField()
    peaks = models.BinaryField(help_text="0 is silence, 255 is full scale; every channel has as many.")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"waveform of {self.session_id}"


class CallNote(models.Model):
    """What an operator wrote about a call. Never edited; one that was taken away leaves who took it, and no words."""

    session = models.ForeignKey("calls.Session", on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="call_notes")
    text = models.TextField(max_length=MOST_NOTE_CHARACTERS)
    created_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"note {self.pk} on {self.session_id}"


class CallTag(models.Model):
    """A word that operators sort calls by. Written small, so that two spellings are one tag."""

    session = models.ForeignKey("calls.Session", on_delete=models.CASCADE, related_name="tags")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", help_text="Of the call.")
    name = models.CharField(max_length=MOST_TAG_CHARACTERS)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["session", "name"], name="call_tag_once")]
        indexes = [models.Index(fields=["owner", "name", "-session"], name="call_tag_of_owner")]

    def __str__(self) -> str:
        return self.name


class CallShare(models.Model):
    """A link that shows a call to whoever has it, until it expires or is withdrawn. The row decides; the link only names it."""

    share_id = models.CharField(max_length=32, unique=True, default=new_share_id, editable=False)
    session = models.ForeignKey("calls.Session", on_delete=models.CASCADE, related_name="shares")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    with_recording = models.BooleanField(default=False, help_text="A voice is personal data: only if somebody ticked it.")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    opened = models.PositiveIntegerField(default=0, help_text="How often it was opened.")
    opened_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"share of {self.session_id} until {self.expires_at:%Y-%m-%d %H:%M}"
