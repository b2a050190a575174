"""Which sentences have been spoken beforehand: one row for each voice and sentence, so that none is paid for twice.

The audio itself is in the cache and in object storage; what was said is nowhere here, only its fingerprint.
"""

from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

# Longer than a synthesis may take; after that whoever made it has died.
LEASE = timedelta(minutes=2)
BACK_OFF = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))


class PreparedSentence(models.Model):
    """`key` is the fingerprint of voice, model, speed, language and spoken text."""

    key = models.CharField(max_length=64, unique=True)
    provider = models.CharField(max_length=32)
    model = models.CharField(max_length=64)
    characters = models.PositiveIntegerField(help_text="What was paid for.")
    size_bytes = models.PositiveIntegerField(null=True, blank=True, help_text="Of the 8 kHz audio; empty: not made yet.")
    in_storage = models.BooleanField(default=False)
    tries = models.PositiveSmallIntegerField(default=0)
    try_after = models.DateTimeField(default=timezone.now)
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.key[:12]} ({self.model})"

    @property
    def is_ready(self) -> bool:
        return self.size_bytes is not None


def claim(key: str, *, provider: str, model: str, characters: int) -> PreparedSentence | None:
    """The row if its audio is to be made now and by us; None if it is there, is being made, or waits after a failure."""
    PreparedSentence.objects.bulk_create(
        [PreparedSentence(key=key, provider=provider, model=model, characters=characters)], ignore_conflicts=True
    )
    now = timezone.now()
    due = PreparedSentence.objects.filter(Q(size_bytes=None) | Q(in_storage=False), key=key, try_after__lte=now)
    if not due.update(try_after=now + LEASE, tries=F("tries") + 1):
        return None
    return PreparedSentence.objects.get(key=key)


def made(row: PreparedSentence, *, size_bytes: int, in_storage: bool) -> None:
    PreparedSentence.objects.filter(pk=row.pk).update(
        size_bytes=size_bytes,
        in_storage=in_storage,
        last_error="" if in_storage else "not stored yet; only the cache has it",
        try_after=timezone.now() + (timedelta(0) if in_storage else BACK_OFF[0]),
    )


def failed(row: PreparedSentence, reason: str) -> None:
    wait = BACK_OFF[min(max(row.tries, 1), len(BACK_OFF)) - 1]
    PreparedSentence.objects.filter(pk=row.pk).update(last_error=reason[:300], try_after=timezone.now() + wait)
