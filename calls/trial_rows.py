"""What a session talks as: the published version that it names, or a draft of it that somebody tried before callers met it.

The draft is kept with the session, as it was when the talk began: whatever becomes of it, the call's page and its costs stay true.
"""

from typing import Any, Final

from django.db import models

from agents.spec import AgentSpec

ONLY_WRITTEN: Final = models.Q(call_log__is_test=True, stream_sid="", media_token_id="")
"""Sessions of tests that have, and await, no audio: while they go on they are no calls in progress."""


class SpokenAs(models.Model):
    """A part of `Session`."""

    agent_version = models.ForeignKey("agents.AgentVersion", on_delete=models.PROTECT, related_name="sessions")
    draft_spec = models.JSONField(
        null=True,
        blank=True,
        editable=False,
        help_text="The draft that was tried, in the form of a version's spec; NULL: the version itself.",
    )

    class Meta:
        abstract = True

    @property
    def stored_spec(self) -> dict[str, Any]:
        """The stored form: it can be asked even if no release reads it any more."""
        stored: dict[str, Any] = self.agent_version.spec if self.draft_spec is None else self.draft_spec
        return stored

    def spec(self) -> AgentSpec:
        """Who talks, or talked. Raises `msgspec.ValidationError`."""
        return AgentSpec.from_json(self.stored_spec)
