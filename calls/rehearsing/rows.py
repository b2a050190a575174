"""The rows of conversations in writing and of rehearsals. Parts of `calls.models`; the calls themselves are calls like any other, marked
as tests.
"""

import hashlib
import json
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from calls.rehearsing.assertions import Assertion, from_json

_PERSON = settings.AUTH_USER_MODEL


def fingerprint(spec: dict[str, Any]) -> str:
    """The same for the same stored spec."""
    return hashlib.sha256(json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class WrittenTalk(models.Model):
    """An operator tries an agent out in writing. `exchanges` is what was typed and what came of it; each holds what the model then knew."""

    session = models.OneToOneField("calls.Session", on_delete=models.CASCADE, related_name="written_talk")
    by = models.ForeignKey(_PERSON, on_delete=models.PROTECT, related_name="+")
    spec = models.JSONField(help_text=_("The agent as it was when the talk began."))
    is_draft = models.BooleanField(default=False)
    exchanges = models.JSONField(default=list)
    waiting = models.JSONField(default=list, help_text=_("Lines of an earlier talk that are still to be said again."))
    replays = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    busy_since = models.DateTimeField(null=True, blank=True)
    touched_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"written talk {self.session_id}"


class Scenario(models.Model):
    """Somebody who calls, what they want, and what the conversation with them must show."""

    agent = models.ForeignKey("agents.Agent", on_delete=models.CASCADE, related_name="scenarios")
    name = models.CharField(max_length=120)
    persona = models.TextField(blank=True, max_length=2000, help_text=_("Who calls, and how they are: hurried, hard of hearing, angry."))
    goal = models.TextField(max_length=2000, help_text=_("What they want of the call."))
    facts = models.TextField(blank=True, max_length=4000, help_text=_("What they know and may be asked for. One fact a line."))
    language = models.CharField(max_length=16, blank=True, help_text=_("Empty: the agent's."))
    opening = models.CharField(max_length=500, blank=True, help_text=_("Their first words. Empty: improvised."))
    most_lines = models.PositiveSmallIntegerField(
        default=12, validators=[MinValueValidator(1), MaxValueValidator(40)], help_text=_("They hang up after saying so many things.")
    )
    assertions = models.JSONField(default=list)
    by_voice = models.BooleanField(
        default=False,
        db_default=False,
        help_text=_("It is called and spoken with, in real time, wherever a run does not say otherwise."),
    )
    active = models.BooleanField(default=True, help_text=_("Part of every run, and of what publishing asks for."))
    from_call = models.ForeignKey("calls.Session", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_by = models.ForeignKey(_PERSON, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["agent", "name"], name="scenario_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def wishes(self) -> list[Assertion]:
        return from_json(self.assertions)

    def told(self) -> dict[str, Any]:
        """Everything that a rehearsal of it depends on."""
        names = ("persona", "goal", "facts", "language", "opening", "most_lines", "assertions")
        return {name: getattr(self, name) for name in names}


class RehearsalRun(models.Model):
    """Several scenarios rehearsed with one version or draft. Without a `version` it was the draft."""

    agent = models.ForeignKey("agents.Agent", on_delete=models.CASCADE, related_name="rehearsal_runs")
    version = models.ForeignKey("agents.AgentVersion", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    is_draft = models.BooleanField(default=False)
    spec = models.JSONField()
    fingerprint = models.CharField(max_length=64)
    begun_by = models.ForeignKey(_PERSON, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    begun_at = models.DateTimeField(default=timezone.now)
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"rehearsal {self.pk} of {self.agent}"


class RehearsalResult(models.Model):
    """One scenario in one run: the test call, and what it showed. `told` is the scenario as it was then; `by_voice` is how it was held."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Talking")
        PASSED = "passed", _("Passed")
        FAILED = "failed", _("Failed")
        BROKEN = "broken", _("Could not be held")
        STOPPED = "stopped", _("Stopped")

    run = models.ForeignKey(RehearsalRun, on_delete=models.CASCADE, related_name="results")
    scenario = models.ForeignKey(Scenario, on_delete=models.CASCADE, related_name="results")
    session = models.OneToOneField("calls.Session", on_delete=models.CASCADE, related_name="rehearsal")
    told = models.JSONField()
    by_voice = models.BooleanField(default=False, db_default=False)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    verdicts = models.JSONField(default=list)
    problem = models.CharField(max_length=500, blank=True)
    cost = models.DecimalField(
        max_digits=18, decimal_places=9, null=True, blank=True, help_text=_("The agent's side, in the billing currency; NULL: unknown.")
    )
    lasted_ms = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("As it would have been on the telephone; by voice, as it was.")
    )
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["run", "scenario"], name="rehearsed_once_a_run")]

    def __str__(self) -> str:
        return f"{self.scenario}: {self.state}"

    @property
    def is_over(self) -> bool:
        return self.state not in (self.State.WAITING, self.State.RUNNING)

    def shows(self, scenario: Scenario) -> bool:
        """Whether it is of the scenario as it now stands. What was held by voice shows also what is asked for in writing."""
        return bool(self.told == scenario.told() and self.by_voice >= scenario.by_voice)


class RehearsalRule(models.Model):
    """Whether an agent may only be published once its active scenarios passed with what is to be published."""

    agent = models.OneToOneField("agents.Agent", on_delete=models.CASCADE, related_name="rehearsal_rule")
    required = models.BooleanField(default=False)
    changed_by = models.ForeignKey(_PERSON, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"rehearsals of {self.agent}: {'required' if self.required else 'not required'}"
