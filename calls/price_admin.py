"""The operator's own prices and exchange rates in the admin: added there, ended there, never edited. A part of `calls.admin`."""

from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from calls import commands
from calls.models import ExchangeRate, PriceOverride


class _NeverDeleted(ModelAdmin):
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(PriceOverride)
class PriceOverrideAdmin(_NeverDeleted):
    """A row is written once; afterwards only its end can be set, because calls were charged by the rest."""

    list_display = ("provider", "model", "unit", "language", "shown_price", "effective_from", "effective_until", "reason", "created_by")
    list_filter = ("kind", "provider", "currency")
    list_select_related = ("created_by",)
    search_fields = ("provider", "model", "reason")
    fields = (
        "kind", "provider", "model", "language", "unit", "price", "per", "pulse", "currency", "tax_percent", "effective_from",
        "effective_until", "reason",
    )  # fmt: skip

    @admin.display(description=_("Price"), ordering="price")
    def shown_price(self, row: PriceOverride) -> str:
        pulse = f", pulse {row.pulse}" if row.pulse > 1 else ""
        return f"{row.price.normalize():f} {row.currency} / {row.per:,}{pulse}"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return (*(name for name in self.fields if name != "effective_until"), "created_by", "created_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields if obj is None else (*self.fields, "created_by", "created_at")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"effective_from": timezone.localdate(), "currency": "USD", **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            commands.end_price_override(obj, on=obj.effective_until)
        else:
            obj.created_by_id = request.user.pk
            commands.store_price_override(obj)
        self.message_user(request, _what_next(obj.effective_from), messages.INFO)


@admin.register(ExchangeRate)
class ExchangeRateAdmin(_NeverDeleted):
    list_display = ("on", "base", "quote", "rate", "source", "created_by")
    list_filter = ("base", "quote")
    list_select_related = ("created_by",)
    fields = ("base", "quote", "rate", "on", "source")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"on": timezone.localdate(), **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        stored = commands.add_exchange_rate(
            base=obj.base, quote=obj.quote, rate=obj.rate, on=obj.on, source=obj.source, by=request.user if request.user.pk else None
        )
        obj.pk = stored.pk
        self.message_user(request, _("Calls that were accounted without a rate get this one by manage.py price_calls."), messages.INFO)


def _what_next(since: date) -> SafeString:
    words = _("Unpriced calls get it by manage.py price_calls, calls that were charged otherwise by manage.py reprice --from %(day)s.")
    return format_html('{} <a href="{}">{}</a>', words % {"day": since.isoformat()}, reverse("money"), _("Money"))
