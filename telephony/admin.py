"""The phone line in the admin: numbers to edit, deliveries to look at."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from agents.readonly import ReadOnlyAdmin
from agents.visibility import sees_everything, visible_agents
from calls.models import Session
from calls.queries import sees_numbers
from telephony.models import Phone, WebhookDelivery


@admin.register(Phone)
class PhoneAdmin(ModelAdmin):
    list_display = ("number", "label", "agent", "active")
    list_filter = ("active",)
    list_select_related = ("agent",)
    search_fields = ("number", "label", "agent__name")
    fieldsets = (
        (
            None,
            {
                "description": _(
                    "A number rented from Exotel and the agent that answers it. Point its flow at this server as the README says."
                ),
                "fields": ("number", "label", "agent", "active"),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Phone]:
        phones = Phone.objects.order_by("number")
        return phones if sees_everything(request.user) else phones.filter(agent__in=visible_agents(request.user))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """An operator gives numbers to their own agents only, and always to one: a number without an agent belongs to nobody."""
        if db_field.name == "agent":
            kwargs["queryset"] = visible_agents(request.user)
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "agent" and field is not None and not sees_everything(request.user):
            field.required = True
        return field


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "door", "call_sid", "session_id", "state", "copies", "reason")
    list_filter = ("state", "door", "received_at")
    search_fields = ("call_sid", "session_id")
    fields = (
        "door", "received_at", "state", "reason", "call_sid", "session_id", "copies", "attempts", "method", "content_type", "as_received",
        "fingerprint",
    )  # fmt: skip
    readonly_fields = fields

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What the carrier sent has callers' numbers in it."""
        return [name for name in self.fields if name != "as_received" or sees_numbers(request.user)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        """Operators see what belongs to their calls; what nobody could be found for is for superusers."""
        deliveries = WebhookDelivery.objects.order_by("-id")
        if sees_everything(request.user):
            return deliveries
        return deliveries.filter(session_id__in=Session.objects.filter(owner_id=request.user.pk).values("session_id"))

    @admin.display(description=_("As received"))
    def as_received(self, delivery: WebhookDelivery) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(delivery.params, indent=2, ensure_ascii=False, sort_keys=True))
