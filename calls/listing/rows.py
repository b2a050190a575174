"""What makes a list of ten million calls quick, and what each person chose for it. Parts of `calls.models`, written by `calls.commands`.

Every index ends in what the list is sorted by, so that a page is the next forty entries of one of them.
"""

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Coalesce, Collate, Reverse
from django.utils import timezone

from calls.listing import facets

NEWEST = ("created_at", "session")


class ListedFacts(models.Model):
    """What the list shows and is narrowed by, beside how the call stands. Written by the commands that come to know it."""

    is_test = models.BooleanField(default=False, help_text="Somebody tried an agent out: never mixed into what real calls show.")
    outcome = models.CharField(max_length=24, blank=True, help_text="What the talk achieved; empty while nobody has read it.")
    cost = models.DecimalField(
        max_digits=18,
        decimal_places=9,
        null=True,
        blank=True,
        help_text="In the billing currency, with taxes; NULL: unknown or no rate.",
    )
    unpriced = models.PositiveSmallIntegerField(default=0, help_text="Charges whose price nobody knows: they come on top.")
    latency_ms = models.PositiveIntegerField(null=True, blank=True, help_text="The median over the call's turns.")
    talk_s = models.GeneratedField(
        expression=Coalesce(
            F("duration_s"),
            Func(
                F("ended_at"),
                F("answered_at"),
                # Bounded: a carrier's stamp of the year 9999 must not make the row unwritable.
                template="CASE WHEN %(expressions)s >= interval '0'"
                " THEN LEAST(EXTRACT(EPOCH FROM %(expressions)s), 2147483647)::integer END",
                arg_joiner=" - ",
                output_field=models.IntegerField(),
            ),
        ),
        output_field=models.IntegerField(null=True),
        db_persist=True,
        help_text="The carrier's figure, else what our own stamps say.",
    )

    class Meta:
        abstract = True


# The list is sorted by the copies of a call's `created_at`: whoever changes it (a repair, an import) changes them too.
SAME_BEGINNING = pgtrigger.Trigger(
    name="session_same_beginning",
    operation=pgtrigger.UpdateOf("created_at"),  # type: ignore[no-untyped-call]  # it alone has no annotations
    when=pgtrigger.After,
    condition=pgtrigger.Condition("OLD.created_at IS DISTINCT FROM NEW.created_at"),
    func="""
UPDATE calls_calllog SET created_at = NEW.created_at WHERE session_id = NEW.id;
UPDATE calls_callwords SET created_at = NEW.created_at WHERE session_id = NEW.id;
RETURN NULL;
""",
)

RARE_ENDERS = ("carrier", "operator", "watchdog", "crash", "unknown")
CALL_INDEXES = [
    models.Index(fields=NEWEST, name="call_newest"),
    models.Index(fields=["owner", *NEWEST], name="call_newest_of_owner"),
    models.Index(fields=["agent", *NEWEST], name="call_newest_of_agent"),
    models.Index(fields=["status", *NEWEST], name="call_newest_by_status"),
    models.Index(fields=["direction", *NEWEST], name="call_newest_by_direction"),
    models.Index(fields=["outcome", *NEWEST], condition=~Q(outcome=""), name="call_newest_by_outcome"),
    models.Index(fields=["ended_by", *NEWEST], condition=Q(ended_by__in=RARE_ENDERS), name="call_newest_by_rare_ender"),
    models.Index(fields=NEWEST, condition=Q(confirmation="not-confirmed"), name="call_newest_unconfirmed"),
    models.Index(fields=NEWEST, condition=Q(is_test=True), name="call_newest_test"),
    models.Index(fields=["talk_s", "session"], condition=Q(talk_s__isnull=False), name="call_longest"),
    models.Index(fields=["cost", "session"], condition=Q(cost__isnull=False), name="call_costliest"),
    models.Index(fields=["latency_ms", "session"], condition=Q(latency_ms__isnull=False), name="call_slowest"),
    # People know the last digits of a number. Byte order, because only that serves LIKE whatever the database's own order is.
    models.Index(Collate(Reverse("from_phone"), "C"), name="call_from_backwards"),
    models.Index(Collate(Reverse("to_phone"), "C"), name="call_to_backwards"),
    # Without a list of what is to be sorted in later: whoever searches would have to read it.
    GinIndex(Func(template=facets.expression(), output_field=ArrayField(models.TextField())), name="call_facets", fastupdate=False),
]


class CallWords(models.Model):
    """Which words were said in a call. Beside the call's own row, which is narrow because it is walked by the thousand.

    `words` is made by `calls.listing.words`, not by Postgres' parser: that cuts Hindi at every vowel sign, or drops it, depending on the
    server's locale. It has no positions: half the size, and a phrase is looked up in the turns.
    """

    session = models.OneToOneField("calls.Session", on_delete=models.CASCADE, primary_key=True, related_name="said_words")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    agent = models.ForeignKey("agents.Agent", on_delete=models.CASCADE, related_name="+", db_index=False)
    created_at = models.DateTimeField(help_text="The call's.")
    words = SearchVectorField()

    class Meta:
        indexes = [
            models.Index(fields=NEWEST, name="words_newest"),
            models.Index(fields=["owner", *NEWEST], name="words_newest_of_owner"),
            models.Index(fields=["agent", *NEWEST], name="words_newest_of_agent"),
            GinIndex(fields=["words"], name="words_said"),
        ]

    def __str__(self) -> str:
        return f"words of {self.session_id}"


class SavedView(models.Model):
    """A person's own name for a way to look at the list: filters, order and columns. Private."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    query = models.JSONField(default=dict, help_text="Filters and order, as the address of the list names them.")
    columns = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="saved_view_once")]

    def __str__(self) -> str:
        return self.name


class ChosenColumns(models.Model):
    """The columns in which a person last wanted the list."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    columns = models.JSONField(default=list)

    def __str__(self) -> str:
        return ", ".join(self.columns)


class CallExport(models.Model):
    """The audit line of an export: who took which calls out of here, when, and how many it were."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    form = models.CharField(max_length=8, help_text="csv or xlsx")
    query = models.JSONField(default=dict, help_text="Filters and order, as the address of the list names them.")
    with_numbers = models.BooleanField(help_text="Whether callers' numbers were written out.")
    calls = models.PositiveIntegerField(default=0, help_text="Written so far.")
    began_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="Empty: it was broken off, or runs.")

    class Meta:
        ordering = ["-id"]
        permissions = [("export_calls", "Can export calls")]

    def __str__(self) -> str:
        return f"{self.calls} calls as {self.form} by {self.user_id}"
