"""Destinations and HTTP tools in the admin. Operators see those of their own agents; a stored secret is never shown, only replaced."""

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from agents.models import Destination, HttpTool
from agents.visibility import visible_agents


class PartOfAgentAdmin(ModelAdmin):
    list_filter = ("active",)
    list_select_related = ("agent",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(agent__in=visible_agents(request.user))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "agent":
            kwargs["queryset"] = visible_agents(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """One by one: each publishes its agent's next version."""
        for row in queryset:
            row.delete(by=request.user)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.save(by=request.user)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        obj.delete(by=request.user)


@admin.register(Destination)
class DestinationAdmin(PartOfAgentAdmin):
    list_display = ("name", "agent", "numbers", "active")
    search_fields = ("name", "agent__name")
    fields = ("agent", "name", "description", "numbers", ("ring_s", "active"), "handover", "is_fallback")


class HttpToolForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's form has no parameters at run time
    new_secret_headers = forms.CharField(
        required=False,
        label=_("Secret headers"),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2, "autocomplete": "off"}),
        help_text=_('An object such as {"Authorization": "Bearer …"}. Empty: they stay as they are; {}: none. They are never shown again.'),
    )

    class Meta:
        model = HttpTool
        fields = (
            "agent",
            "name",
            "description",
            "parameters",
            "method",
            "url",
            "headers",
            "fixed",
            "timeout_ms",
            "meanwhile",
            "acts",
            "active",
        )

    def clean_new_secret_headers(self) -> str:
        """Judged before it is put on the instance: a refusal names this field, the only one on the page."""
        text: str = self.cleaned_data["new_secret_headers"].strip()
        if text:
            from agents.tool_rules import secrets_problem

            if problem := secrets_problem(text):
                raise ValidationError(problem)
            self.instance.secret_headers = json.dumps(json.loads(text))
        return ""


@admin.register(HttpTool)
class HttpToolAdmin(PartOfAgentAdmin):
    form = HttpToolForm
    list_display = ("name", "agent", "method", "host", "acts", "active")
    search_fields = ("name", "agent__name")
    fields = (
        "agent", "name", "description", "parameters", ("method", "url"), "headers", "new_secret_headers", "secret_names", "fixed",
        ("timeout_ms", "acts", "active"), "meanwhile",
    )  # fmt: skip
    readonly_fields = ("secret_names",)

    @admin.display(description=_("Host"))
    def host(self, tool: HttpTool) -> str:
        return tool.url.split("/")[2] if tool.url.count("/") >= 2 else tool.url

    @admin.display(description=_("Stored secret headers"))
    def secret_names(self, tool: HttpTool) -> str:
        return ", ".join(sorted(tool.secrets)) or "–"
