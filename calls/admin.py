"""Calls in the admin: everything to look at, nothing to edit. The one thing to do is to run a stuck job again."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from agents.readonly import ReadOnlyAdmin, ReadOnlyInline
from agents.visibility import sees_everything
from calls import commands, price_admin
from calls.admin_numbers import NumbersMasked
from calls.admin_words import LastErrorInWords
from calls.models import (
    Alarm,
    Analysis,
    Attempt,
    CallEvent,
    CallExport,
    CallLog,
    Charge,
    Job,
    Recording,
    RecordingDeletion,
    Session,
    ToolRun,
    Transfer,
    Turn,
    UsageLine,
)

# Registered by being imported.
__all__ = ["price_admin"]


class OwnOnly(NumbersMasked, ReadOnlyAdmin):  # type: ignore[misc]  # unfold redefines what it mixes
    """Operators see the rows of their own calls. `owner_path` leads from the row to the call's owner."""

    owner_path = "session__owner"
    list_select_related: ClassVar[tuple[str, ...]] = ("session",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows if sees_everything(request.user) else rows.filter(**{self.owner_path: request.user.pk})


class CallLogInline(NumbersMasked, ReadOnlyInline):  # type: ignore[misc]  # as above
    model = CallLog
    fields = (
        "direction",
        "status",
        "from_phone",
        "to_phone",
        "started_at",
        "answered_at",
        "ended_at",
        "duration_s",
        "ended_by",
        "confirmation",
        "failure",
    )
    readonly_fields = fields
    show_change_link = True
    hide_title = False


class TurnInline(ReadOnlyInline):
    model = Turn
    fields = ("number", "speaker", "text", "interrupted", "started_ms", "latency_ms")
    readonly_fields = fields
    per_page = 50  # type: ignore[assignment]  # unfold declares only its default, None
    ordering = ("started_ms", "number")


class ToolRunInline(NumbersMasked, ReadOnlyInline):  # type: ignore[misc]  # as above
    model = ToolRun
    fields = ("started_at", "tool", "arguments", "state", "tries", "result", "ended_at")
    readonly_fields = fields
    per_page = 50  # type: ignore[assignment]  # as above


class TransferInline(ReadOnlyInline):
    model = Transfer
    fields = ("name", "numbers", "decided_at", "asked_at", "outcome", "outcome_at")
    readonly_fields = fields


class EventInline(ReadOnlyInline):
    model = CallEvent
    fields = ("created_at", "source", "kind", "facts", "carrier_time")
    readonly_fields = fields
    per_page = 50  # type: ignore[assignment]  # as above


class JobInline(LastErrorInWords, ReadOnlyInline):  # type: ignore[misc]  # as above
    model = Job
    fields = ("kind", "state", "attempts", "run_at", "problem")
    readonly_fields = fields
    show_change_link = True
    hide_title = False


@admin.register(Session)
class SessionAdmin(OwnOnly):
    owner_path = "owner"
    list_display = ("session_id", "agent", "state", "end_reason", "started_at", "ended_at", "page")
    list_filter = ("state", "end_reason", "created_at")
    list_select_related = ("agent",)
    search_fields = ("session_id", "user_phone", "agent_phone")
    inlines = (CallLogInline, TurnInline, ToolRunInline, TransferInline, EventInline, JobInline)
    # The token that opens the media socket is nobody's to read.
    fields = (
        "session_id", "owner", "agent", "agent_version", "user_phone", "agent_phone", "customer", "state", "started_at", "ended_at",
        "end_reason", "hangup_requested_at", "stream_sid", "seen_at", "created_at", "page",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description=_("Call page"))
    def page(self, session: Session) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("call-page", args=[session.session_id]), _("Open"))


@admin.register(CallLog)
class CallLogAdmin(OwnOnly):
    owner_path = "owner"
    list_display = (
        "created_at",
        "session",
        "direction",
        "status",
        "from_phone",
        "to_phone",
        "duration_s",
        "ended_by",
        "confirmation",
        "failure",
    )
    list_filter = ("status", "direction", "ended_by", "confirmation", "created_at")
    search_fields = ("session__session_id", "call_sid", "from_phone", "to_phone")


@admin.register(Turn)
class TurnAdmin(OwnOnly):
    list_display = ("session", "number", "speaker", "interrupted", "latency_ms")
    list_filter = ("speaker", "interrupted")
    search_fields = ("session__session_id",)


@admin.register(Alarm)
class AlarmAdmin(OwnOnly):
    list_display = ("raised_at", "kind", "session", "text", "amount", "currency", "cleared_at")
    list_filter = ("kind", ("cleared_at", admin.EmptyFieldListFilter), "raised_at")
    search_fields = ("session__session_id", "text")


@admin.register(Recording)
class RecordingAdmin(OwnOnly):
    list_display = ("session", "state", "content_type", "size_bytes", "duration_ms", "created_at")
    list_filter = ("state",)
    search_fields = ("session__session_id", "key")


@admin.register(RecordingDeletion)
class RecordingDeletionAdmin(OwnOnly):
    list_display = ("session", "deleted_at", "reason", "key", "found_after")
    search_fields = ("session__session_id", "key")


@admin.register(Analysis)
class AnalysisAdmin(OwnOnly):
    list_display = ("session", "outcome", "sentiment", "model", "created_at")
    list_filter = ("outcome", "sentiment")
    search_fields = ("session__session_id",)


@admin.register(UsageLine)
class UsageLineAdmin(OwnOnly):
    list_display = ("session", "kind", "provider", "model", "quantity", "unit", "purpose", "created_at")
    list_filter = ("kind", "provider", "purpose")
    search_fields = ("session__session_id", "evidence")


@admin.register(Charge)
class ChargeAdmin(OwnOnly):
    list_display = ("session", "usage_line", "part", "shown_amount", "unit_price", "price_per", "price_list", "created_at")
    list_filter = ("part", "currency", "price_list", ("superseded_by", admin.EmptyFieldListFilter))
    list_select_related = ("session", "usage_line")
    search_fields = ("session__session_id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Superseded ones too: the books keep what was said before."""
        rows = Charge.ever.select_related("superseded_by")
        return rows if sees_everything(request.user) else rows.filter(session__owner=request.user.pk)

    @admin.display(description=_("Amount"), ordering="amount")
    def shown_amount(self, charge: Charge) -> str:
        return _("%(amount)s (superseded)") % {"amount": charge} if hasattr(charge, "superseded_by") else str(charge)


@admin.register(CallExport)
class CallExportAdmin(OwnOnly):
    """Who took calls out of here. Everybody sees their own exports, superusers all."""

    owner_path = "user"
    list_display = ("began_at", "user", "form", "calls", "with_numbers", "query", "ended_at")
    list_filter = ("form", "with_numbers", "began_at")
    list_select_related = ("user",)


class AttemptInline(ReadOnlyInline):
    model = Attempt
    fields = ("number", "provider", "started_at", "request_id", "outcome")
    readonly_fields = fields


@admin.register(Job)
class JobAdmin(LastErrorInWords, OwnOnly):  # type: ignore[misc]  # as above
    list_display = ("kind", "session", "state", "attempts", "run_at", "problem")
    list_filter = ("state", "kind")
    search_fields = ("session__session_id",)
    fields = ("kind", "session", "state", "attempts", "run_at", "lease_until", "problem", "created_at", "finished_at")
    readonly_fields = fields
    inlines = (AttemptInline,)
    actions = ("run_again",)

    def has_run_permission(self, request: HttpRequest) -> bool:
        """Running a job again is a change, although its row is not edited by hand."""
        return bool(request.user.has_perm("calls.change_job"))

    @admin.action(description=_("Run again"), permissions=["run"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Puts parked jobs back into the queue; what is queued, running or done is left alone."""
        chosen = list(queryset)
        again = sum(commands.retry_job(job, by=request.user.get_username()) for job in chosen)
        left = len(chosen) - again
        if again:
            message = ngettext("%(n)d job runs again.", "%(n)d jobs run again.", again)
            self.message_user(request, message % {"n": again}, messages.SUCCESS)
        if left:
            message = ngettext(
                "%(n)d job was left alone: only a parked one can run again.",
                "%(n)d jobs were left alone: only parked ones can run again.",
                left,
            )
            self.message_user(request, message % {"n": left}, messages.WARNING)
