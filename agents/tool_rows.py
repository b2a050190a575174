"""What an agent can do beside talking: whom it can hand callers over to, and which of the operator's services it may ask.

Rows of the agent; saving or deleting one publishes the agent's next version, because callers meet it.
"""

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from agents import tool_rules
from agents.encryption import EncryptedText
from agents.spec import DestinationSpec, HttpToolSpec

MOST_NUMBERS = 5


class PartOfAgent(models.Model):
    """A row that callers meet as part of its agent."""

    agent: Any

    class Meta:
        abstract = True

    def save(self, *args: Any, by: Any = None, **kwargs: Any) -> None:
        """Saves and publishes in one transaction; `by` whom, if a person did it."""
        with transaction.atomic():
            super().save(*args, **kwargs)
            self._publish(by)

    def delete(self, *args: Any, by: Any = None, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            gone = super().delete(*args, **kwargs)
            self._publish(by)
        return gone

    def _publish(self, by: Any) -> None:
        from agents.models import Agent, Publication, publish

        publish(Agent.objects.get(pk=self.agent.pk), Publication(by=by))


class Destination(PartOfAgent):
    """A person or team to whom the agent can hand a caller over. The model chooses one by its description; numbers stay with us."""

    agent = models.ForeignKey("agents.Agent", on_delete=models.CASCADE, related_name="destinations")
    name = models.CharField(max_length=80, help_text=_("For example: Sales desk."))
    description = models.CharField(max_length=300, help_text=_("When to hand a caller over to them. The model reads this."))
    numbers = models.JSONField(help_text=_("A list of numbers with country code, rung in this order until one answers."))
    ring_s = models.PositiveSmallIntegerField(default=30, help_text=_("How long each is rung, in seconds: 5 to 120."))
    handover = models.CharField(
        max_length=300, blank=True, help_text=_("Said before the line is handed over. Empty: a short sentence of ours.")
    )
    is_fallback = models.BooleanField(
        _("takes over in a failure"),
        default=False,
        help_text=_("Callers are handed over to them when none of the agent's providers works. Of several, the first."),
    )
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["agent", "name"], name="destination_name_once_per_agent")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        self.numbers = tool_rules.clean_numbers(self.numbers, MOST_NUMBERS)
        problems: dict[str, Any] = {}
        if not 5 <= (self.ring_s or 0) <= 120:
            problems["ring_s"] = _("Ring from 5 to 120 seconds.")
        if problem := tool_rules.sentence_problem(self.handover):
            problems["handover"] = problem
        if problems:
            raise ValidationError(problems)

    def spec(self) -> DestinationSpec:
        return DestinationSpec(
            self.pk, self.name, self.description, tuple(self.numbers), self.ring_s, self.handover.strip(), self.is_fallback
        )


class HttpTool(PartOfAgent):
    """A request to the operator's own service that the model may ask for."""

    agent = models.ForeignKey("agents.Agent", on_delete=models.CASCADE, related_name="http_tools")
    name = models.CharField(max_length=64, help_text=_("Small letters, digits and _, for example book_appointment."))
    description = models.TextField(max_length=1000, help_text=_("What it does and when to use it. The model reads this."))
    parameters = models.JSONField(
        default=dict, blank=True, help_text=_("A JSON Schema object of what the model has to give. Empty: nothing.")
    )
    method = models.CharField(max_length=6, choices=[(name, name) for name in tool_rules.METHODS], default="POST")
    url = models.CharField(max_length=500, help_text=_("https://… An argument of the model can stand in the path as {name}."))
    headers = models.JSONField(default=dict, blank=True, help_text=_("Headers that are no secret, as an object."))
    secret_headers = EncryptedText(default="{}", blank=True, help_text=_("Headers such as Authorization, as an object; kept encrypted."))
    fixed = models.JSONField(
        default=dict, blank=True, help_text=_("Arguments that the model does not see; {{caller_number}} and the like work.")
    )
    timeout_ms = models.PositiveIntegerField(default=8000, help_text=_("500 to 20000."))
    meanwhile = models.CharField(max_length=200, blank=True, help_text=_("Said while it runs, for example: One moment, I am checking."))
    acts = models.BooleanField(
        default=True, help_text=_("It changes something: the same request runs once in a call, a repeat gets the first result.")
    )
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["id"]
        verbose_name = _("HTTP tool")
        constraints = [models.UniqueConstraint(fields=["agent", "name"], name="http_tool_name_once_per_agent")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if problems := tool_rules.http_tool_problems(self):
            raise ValidationError(problems)

    @property
    def secrets(self) -> dict[str, str]:
        """The secret headers, in the clear. For the request and nothing else."""
        found: dict[str, str] = json.loads(self.secret_headers or "{}")
        return found

    def spec(self) -> HttpToolSpec:
        return HttpToolSpec(
            id=self.pk,
            name=self.name,
            description=self.description.strip(),
            parameters={"type": "object", "properties": {}, **self.parameters},
            method=self.method,
            url=self.url,
            headers=dict(self.headers),
            fixed=dict(self.fixed),
            timeout_ms=self.timeout_ms,
            meanwhile=self.meanwhile.strip(),
            acts=self.acts,
        )
