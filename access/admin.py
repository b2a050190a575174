"""Keys in the admin: to see which there are and to revoke them. They are made on the page of their owner, who alone is shown the secret."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from access import keys
from access.models import ApiKey
from agents.readonly import ReadOnlyAdmin


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("prefix", "name", "owner", "may", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("revoked_at", "expires_at")
    list_select_related = ("owner",)
    search_fields = ("prefix", "name", "owner__username")
    fields = ("prefix", "name", "owner", "may", "requests_per_minute", "created_at", "expires_at", "last_used_at", "revoked_at")
    readonly_fields = fields
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return keys.visible(request.user)

    @admin.display(description=_("Scopes"))
    def may(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.action(description=_("Revoke the chosen keys"), permissions=["view"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        count = sum(keys.revoke(key) for key in chosen)
        told: Any = ngettext("%(count)d key opens nothing any more.", "%(count)d keys open nothing any more.", count) % {"count": count}
        messages.success(request, told)
