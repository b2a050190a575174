"""What operators want of a talk that is going on: the row carries it from the page to the process that holds the talk, and keeps who asked.

Only `calls.commands` writes it.
"""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class OperatorOrder(models.Model):
    """One wish of an operator, append-only but for `taken_at`: when the conversation's process took it, within a second as a rule."""

    class Kind(models.TextChoices):
        WHISPER = "whisper", _("Whisper a note to the agent")
        HAND_OVER = "hand-over", _("Hand the caller over")

    session = models.ForeignKey("calls.Session", on_delete=models.CASCADE, related_name="orders")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    text = models.TextField(blank=True, help_text="The note; for a hand-over, what the agent says before it.")
    destination = models.CharField(max_length=80, blank=True, help_text="Whom the caller is handed over to.")
    by = models.CharField(max_length=150, help_text="The user name of whoever asked.")
    created_at = models.DateTimeField(default=timezone.now)
    taken_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["session"], condition=models.Q(taken_at=None), name="order_waiting")]

    def __str__(self) -> str:
        return f"{self.kind} for {self.session_id}"
