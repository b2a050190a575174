"""What an operator has changed of an agent and not published yet. Calls never see it: they run on published versions."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class AgentDraft(models.Model):
    """One for each agent at most. `fields` are the agent's own fields that differ from what is live, by name; see `agents.drafts`."""

    agent = models.OneToOneField("agents.Agent", on_delete=models.CASCADE, related_name="draft")
    fields = models.JSONField(default=dict)
    based_on = models.PositiveIntegerField(help_text=_("The number of the version that was live when the draft was begun."))
    saved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    saved_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"draft of {self.agent}"
