"""Admin pages that only show: for rows that our own commands write and nobody edits by hand."""

from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline


class _NeverChanged:
    """Neither added nor changed nor deleted by anybody, a superuser included."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(_NeverChanged, ModelAdmin):  # type: ignore[misc]  # unfold redefines what it mixes
    show_full_result_count = False  # counting a table of millions costs more than the page
    list_per_page = 50


class ReadOnlyInline(_NeverChanged, TabularInline):  # type: ignore[misc]  # unfold redefines what it mixes
    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = False
    hide_title = True
