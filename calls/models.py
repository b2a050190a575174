"""A call's rows. Only `calls.commands` writes them and only `calls.queries` reads them for others."""

import secrets

import pgtrigger
from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from calls.analytics.rows import MARK_HOUR, MARK_TALK
from calls.endings import Confirmation, EndedBy
from calls.listing.rows import CALL_INDEXES, SAME_BEGINNING, ListedFacts
from calls.price_rows import ExchangeRate as ExchangeRate
from calls.price_rows import PriceOverride as PriceOverride
from calls.status import CallStatus, Direction
from calls.trial_rows import SpokenAs
from calls.usage_rows import Charge as Charge
from calls.usage_rows import UsageLine as UsageLine


def new_session_id() -> str:
    """`sess_` and 22 characters nobody can guess."""
    return f"sess_{secrets.token_urlsafe(16).replace('-', 'A').replace('_', 'B')}"


class Session(SpokenAs):
    """The conversation of one call: which agent version talked, from when to when, and why it ended."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting for audio")
        ACTIVE = "active", _("Active")
        ENDED = "ended", _("Ended")

    session_id = models.CharField(max_length=40, unique=True, default=new_session_id, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sessions")
    agent = models.ForeignKey("agents.Agent", on_delete=models.PROTECT, related_name="sessions")
    user_phone = models.CharField(max_length=20, blank=True, help_text="The human's number, E.164; empty if withheld.")
    agent_phone = models.CharField(max_length=20, blank=True, help_text="Our exophone, E.164.")
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    media_token_id = models.CharField(max_length=64, blank=True, help_text="The token that may open the media socket; empty once used.")
    stream_sid = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField(null=True, blank=True, help_text="The media socket's start message.")
    ended_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True, help_text="The last sign of life of the media process.")
    silent_at = models.DateTimeField(null=True, blank=True, help_text="When the sweeper first found no sign of life.")
    end_reason = models.CharField(max_length=32, blank=True)
    hangup_requested_at = models.DateTimeField(null=True, blank=True)
    customer = models.JSONField(default=dict, blank=True, help_text="What is known about the human, for {{customer.…}} in prompts.")
    listen_url = models.CharField(max_length=300, blank=True, help_text="Where browsers reach the media process that holds the talk.")
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-id"]
        permissions = [("view_numbers", "Can see callers' numbers in full"), ("listen_live", "Can listen to calls while they go on")]
        indexes = [models.Index(fields=["state", "seen_at"], condition=models.Q(state="active"), name="session_active")]
        triggers = [SAME_BEGINNING, MARK_TALK]

    def __str__(self) -> str:
        return self.session_id


class CallLog(ListedFacts):
    """Our record of one call as the carrier lives it. `calls.timeline.COLUMNS` are its folded events, and nothing else writes them."""

    session = models.OneToOneField(Session, on_delete=models.CASCADE, related_name="call_log")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="call_logs")
    agent = models.ForeignKey("agents.Agent", on_delete=models.PROTECT, related_name="call_logs")
    call_sid = models.CharField(
        max_length=64, unique=True, null=True, blank=True, help_text="The carrier's id; unknown until it answers a dial."
    )
    direction = models.CharField(max_length=16, choices=[(d.value, d.value) for d in Direction])
    from_phone = models.CharField(max_length=20, blank=True)
    to_phone = models.CharField(max_length=20, blank=True)
    status = models.CharField(max_length=16, choices=[(s.value, s.value) for s in CallStatus], default=CallStatus.QUEUED)
    dial_outcome = models.CharField(max_length=16, blank=True, help_text="accepted, refused or unknown (never dialled again).")
    dial_put_off = models.BooleanField(default=False, help_text="The carrier had too many requests and certainly took no order.")
    failure = models.CharField(max_length=300, blank=True, help_text="Why the carrier or we gave up, in words for operators.")
    started_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    duration_s = models.PositiveIntegerField(null=True, blank=True, help_text="The carrier's figure.")
    carrier_price = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    carrier_currency = models.CharField(max_length=3, blank=True)
    recording_url = models.URLField(max_length=600, blank=True, help_text="At the carrier. Private: needs our credentials.")
    carrier_cause = models.CharField(max_length=300, blank=True, help_text="The carrier's own word for why the call ended.")
    ended_by = models.CharField(max_length=16, choices=[(e.value, e.value) for e in EndedBy], blank=True)
    confirmation = models.CharField(
        max_length=16,
        choices=[(c.value, c.value) for c in Confirmation],
        blank=True,
        help_text="Whether the carrier has said that the leg is down; empty while the call runs.",
    )
    polls = models.PositiveSmallIntegerField(default=0, help_text="How often Call Details were asked after the end.")
    poll_after = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True, help_text="Every post-call step is done and every known charge is stored.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        indexes = [
            *CALL_INDEXES,
            models.Index(fields=["poll_after"], condition=models.Q(poll_after__isnull=False), name="call_to_poll"),
        ]
        triggers = [MARK_HOUR]

    def __str__(self) -> str:
        return f"{self.direction} call of {self.session_id}"


class CallEvent(models.Model):
    """One thing that happened to a call, append-only: carrier events, stream events, our own decisions, each status change.

    What it says of the call stands in its facts (`calls.told.claims`); how the call stands is the fold of all of them.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="events")
    key = models.CharField(max_length=120, help_text="Tells copies of one event from two events.")
    source = models.CharField(max_length=16, help_text="carrier, stream, api, engine, operator, sweeper")
    kind = models.CharField(max_length=40)
    facts = models.JSONField(default=dict, help_text="Small and free of what was said.")
    carrier_time = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["session", "key"], name="call_event_once")]
        triggers = [pgtrigger.Protect(name="call_event_append_only", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.source} {self.kind}"


class Turn(models.Model):
    """One turn as it was heard. Offsets count from the session's start."""

    class Speaker(models.TextChoices):
        CALLER = "caller", _("Caller")
        AGENT = "agent", _("Agent")

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="turns")
    number = models.PositiveIntegerField()
    speaker = models.CharField(max_length=8, choices=Speaker.choices)
    text = models.TextField(help_text="Caller: what was recognised. Agent: what the caller heard.")
    generated_text = models.TextField(blank=True, help_text="Agent: what it meant to say, if that is more.")
    interrupted = models.BooleanField(default=False)
    started_ms = models.PositiveIntegerField()
    ended_ms = models.PositiveIntegerField()
    endpointing_ms = models.PositiveIntegerField(null=True, blank=True)
    llm_ms = models.PositiveIntegerField(null=True, blank=True)
    tts_ms = models.PositiveIntegerField(null=True, blank=True)
    latency_ms = models.PositiveIntegerField(null=True, blank=True, help_text="The caller's last word to the agent's first audio.")
    silence_after_ms = models.PositiveIntegerField(null=True, blank=True, help_text="Interruption known to audio cleared.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["session", "number", "speaker"], name="turn_once")]

    def __str__(self) -> str:
        return f"{self.speaker} turn {self.number}"


class Recording(models.Model):
    """The call's audio on its way from the carrier to our storage, and its transcript."""

    class State(models.TextChoices):
        EXPECTED = "expected", _("Expected from the carrier")
        FETCHED = "fetched", _("Fetched, not yet stored")
        STORED = "stored", _("Stored and verified")
        MISSING = "missing", _("The carrier has none")
        DELETED = "deleted", _("Deleted after its time")

    session = models.OneToOneField(Session, on_delete=models.CASCADE, related_name="recording")
    state = models.CharField(max_length=16, choices=State.choices, default=State.EXPECTED)
    source_url = models.URLField(max_length=600, blank=True)
    spool_path = models.CharField(max_length=300, blank=True, help_text="The local copy until storage has verified its own.")
    bucket = models.CharField(max_length=80, blank=True)
    key = models.CharField(max_length=200, blank=True)
    content_type = models.CharField(max_length=80, blank=True)
    size_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    duration_ms = models.PositiveBigIntegerField(null=True, blank=True)
    channels = models.PositiveSmallIntegerField(null=True, blank=True)
    transcript = models.JSONField(
        null=True, blank=True, help_text="Utterances: channel, speaker, start_ms, end_ms, text, confidence, words."
    )
    transcript_text = models.TextField(blank=True)
    transcript_request_id = models.CharField(max_length=80, blank=True)
    alignment = models.JSONField(null=True, blank=True, help_text="Where the live turns are in the transcript: see `calls.alignment`.")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"recording of {self.session_id} ({self.state})"


class RecordingDeletion(models.Model):
    """The proof that a recording was deleted: what storage answered, and that it was asked again and had nothing. Append-only."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="recording_deletions")
    reason = models.CharField(max_length=120, help_text="Whose wish it was, such as the agent's retention of 30 days.")
    bucket = models.CharField(max_length=80, blank=True)
    key = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of what was deleted.")
    versions = models.JSONField(default=list, help_text="Each version and delete marker that storage removed, with its id.")
    found_after = models.BooleanField(help_text="Whether storage still had anything when it was asked afterwards. Never true.")
    carrier = models.CharField(max_length=300, help_text="What became of the carrier's own copy.")
    deleted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        triggers = [pgtrigger.Protect(name="recording_deletion_append_only", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"recording of {self.session_id} deleted"


class Analysis(models.Model):
    """What a language model made of the finished call. `evidence` names the turns it was read from."""

    class Outcome(models.TextChoices):
        ACHIEVED = "achieved", _("Achieved")
        PARTLY = "partly-achieved", _("Partly achieved")
        NOT_ACHIEVED = "not-achieved", _("Not achieved")
        NO_CONVERSATION = "no-conversation", _("No conversation")
        UNCLEAR = "unclear", _("Unclear")

    class Sentiment(models.TextChoices):
        POSITIVE = "positive", _("Positive")
        NEUTRAL = "neutral", _("Neutral")
        NEGATIVE = "negative", _("Negative")
        MIXED = "mixed", _("Mixed")

    session = models.OneToOneField(Session, on_delete=models.CASCADE, related_name="analysis")
    summary = models.TextField()
    outcome = models.CharField(max_length=24, choices=Outcome.choices)
    sentiment = models.CharField(max_length=16, choices=Sentiment.choices)
    extraction = models.JSONField(null=True, blank=True, help_text="By the agent's own schema; null if it has none.")
    evidence = models.JSONField(default=dict, help_text="For outcome, sentiment and extraction: the turns that show it.")
    provider = models.CharField(max_length=32)
    model = models.CharField(max_length=64)
    request_id = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "analyses"

    def __str__(self) -> str:
        return f"analysis of {self.session_id}: {self.outcome}"


class ToolRun(models.Model):
    """One wish of the model and what came of it. A tool that acts on the world runs once for the same arguments in one call."""

    class State(models.TextChoices):
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed: it did not happen")
        UNKNOWN = "unknown", _("Nobody knows whether it happened")

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="tool_runs")
    tool = models.CharField(max_length=64)
    arguments_sha256 = models.CharField(max_length=64, help_text="Of the canonical arguments.")
    number = models.PositiveIntegerField(default=1, help_text="Counts repeats of a tool that only reads; always 1 for one that acts.")
    arguments = models.JSONField(default=dict, help_text="As the model wrote them. Secret digits are names here, never digits.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    tries = models.PositiveSmallIntegerField(default=1)
    result = models.TextField(blank=True, help_text="What the model was told.")
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["session", "tool", "arguments_sha256", "number"], name="tool_run_once")]

    def __str__(self) -> str:
        return f"{self.tool}: {self.state}"


class Transfer(models.Model):
    """The decision to hand a caller over to a person, and what became of it. The numbers are the operator's, never the model's."""

    session = models.OneToOneField(Session, on_delete=models.CASCADE, related_name="transfer")
    destination_id = models.PositiveBigIntegerField(help_text="The agent's destination; it may have been changed or deleted since.")
    name = models.CharField(max_length=80)
    numbers = models.JSONField(help_text="E.164, rung in this order.")
    ring_s = models.PositiveSmallIntegerField(default=30)
    decided_at = models.DateTimeField(default=timezone.now)
    asked_at = models.DateTimeField(null=True, blank=True, help_text="When the carrier asked for the numbers.")
    outcome = models.CharField(max_length=24, blank=True, help_text="The carrier's word, as answered or no-answer; empty: not known.")
    outcome_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"transfer of {self.session_id} to {self.name}"


class Job(models.Model):
    """Work that must happen although processes die. The row is the truth; a Celery message is only a nudge."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        PARKED = "parked", _("Parked: needs a person")

    kind = models.CharField(max_length=40, help_text="The Celery task's name.")
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="jobs")
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    run_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["session", "kind"], name="job_once_per_session")]
        indexes = [models.Index(fields=["run_at"], condition=models.Q(state__in=["queued", "running"]), name="job_due")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.session_id}: {self.state}"


class Attempt(models.Model):
    """Written before each paid request, so that a killed worker leaves a trace of money that may have been spent."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="paid_attempts")
    number = models.PositiveSmallIntegerField()
    provider = models.CharField(max_length=32)
    started_at = models.DateTimeField(default=timezone.now)
    request_id = models.CharField(max_length=80, blank=True)
    outcome = models.CharField(max_length=16, blank=True, help_text="ok or failed; empty: nobody knows.")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="attempt_once")]

    def __str__(self) -> str:
        return f"attempt {self.number} at {self.provider}: {self.outcome or 'unknown'}"


class Alarm(models.Model):
    """Something that costs money or a caller until a person looks at it. One of a kind for each call, raised again or cleared in place."""

    class Kind(models.TextChoices):
        OVERRUN = "overrun", _("Call goes on past its cap")

    kind = models.CharField(max_length=24, choices=Kind.choices)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="alarms")
    text = models.CharField(max_length=300, help_text="What is wrong and what to do.")
    amount = models.DecimalField(
        max_digits=18, decimal_places=4, null=True, blank=True, help_text="What it has cost so far; empty: unknown."
    )
    currency = models.CharField(max_length=3, blank=True)
    raised_at = models.DateTimeField(default=timezone.now)
    cleared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["session", "kind"], name="alarm_once"),
            models.CheckConstraint(
                condition=models.Q(amount__isnull=True, currency="") | models.Q(amount__isnull=False) & ~models.Q(currency=""),
                name="alarm_has_currency_or_no_amount",
            ),
        ]
        indexes = [models.Index(fields=["kind"], condition=models.Q(cleared_at=None), name="alarm_open")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.session_id}"


# Django finds an application's models in this module.
from calls.alerting.rows import Alert as Alert  # noqa: E402
from calls.alerting.rows import AlertMail as AlertMail  # noqa: E402
from calls.alerting.rows import AlertRule as AlertRule  # noqa: E402
from calls.budget_rows import Budget as Budget  # noqa: E402
from calls.budget_rows import BudgetNotice as BudgetNotice  # noqa: E402
from calls.budget_rows import CallSpend as CallSpend  # noqa: E402
from calls.budget_rows import SpendDay as SpendDay  # noqa: E402
from calls.listing.rows import CallExport as CallExport  # noqa: E402
from calls.listing.rows import CallWords as CallWords  # noqa: E402
from calls.listing.rows import ChosenColumns as ChosenColumns  # noqa: E402
from calls.listing.rows import SavedView as SavedView  # noqa: E402
from calls.live_rows import OperatorOrder as OperatorOrder  # noqa: E402
from calls.outgoing.rows import OutgoingDelivery as OutgoingDelivery  # noqa: E402
from calls.outgoing.rows import WebhookAttempt as WebhookAttempt  # noqa: E402
from calls.outgoing.rows import WebhookEndpoint as WebhookEndpoint  # noqa: E402
from calls.outgoing.rows import WebhookMessage as WebhookMessage  # noqa: E402
from calls.page.rows import CallNote as CallNote  # noqa: E402
from calls.page.rows import CallShare as CallShare  # noqa: E402
from calls.page.rows import CallTag as CallTag  # noqa: E402
from calls.page.rows import Waveform as Waveform  # noqa: E402
from calls.rehearsing.rows import RehearsalResult as RehearsalResult  # noqa: E402
from calls.rehearsing.rows import RehearsalRule as RehearsalRule  # noqa: E402
from calls.rehearsing.rows import RehearsalRun as RehearsalRun  # noqa: E402
from calls.rehearsing.rows import Scenario as Scenario  # noqa: E402
