"""Lists of the API: pages by key that arriving rows do not shift, and filters of which none is ignored."""

from collections.abc import Iterable
from typing import Any

import django_filters as filters
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters.rest_framework.backends import DjangoFilterBackend
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from agents.api_fields import refuse_empty

PAGE_ROWS, MOST_ROWS = 50, 200


class Pages(CursorPagination):
    """Keyset pages, oldest first. `limit` is the size of a page, `cursor` comes from `next` and `previous`."""

    ordering = "id"
    page_size = PAGE_ROWS
    page_size_query_param = "limit"
    max_page_size = MOST_ROWS

    def get_page_size(self, request: Request) -> int:
        if (told := request.query_params.get("limit")) is None:
            return PAGE_ROWS
        if not (told.isascii() and told.isdigit() and len(told) <= 3 and 1 <= int(told) <= MOST_ROWS):
            raise ValidationError({"limit": [_("Use a number from 1 to %(most)d.") % {"most": MOST_ROWS}]})
        return int(told)

    def decode_cursor(self, request: Request) -> Any:
        try:
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                int(cursor.position)  # every list here is in the order of a number
            return cursor
        except (NotFound, ValueError) as error:
            raise ValidationError({"cursor": [_("This is no cursor. Take it from next or previous of a page.")]}) from error

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """As DRF tells it, with the bounds that are kept."""
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["name"] == "limit":
                parameter["schema"] = {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": PAGE_ROWS}
        return parameters


class NewestFirst(Pages):
    ordering = "-id"


class WholeFilter(filters.Filter):
    """A whole number from 1 on, such as an id."""

    field_class = forms.IntegerField  # type: ignore[assignment]  # the library names no wider type

    def __init__(self, field_name: str) -> None:
        super().__init__(field_name=field_name, min_value=1, max_value=2**63 - 1)


class TextFilter(filters.CharFilter):
    def __init__(self, *, lookup: str = "exact", method: str | None = None, label: str = "") -> None:
        super().__init__(lookup_expr=lookup, method=method, label=label)


class OneOfFilter(filters.ChoiceFilter):
    def __init__(self, choices: Iterable[tuple[str, Any]]) -> None:
        super().__init__(choices=list(choices))


class _Truth(forms.TypedChoiceField):
    def __init__(self, **more: Any) -> None:
        choices = [("true", "true"), ("false", "false")]
        super().__init__(choices=choices, coerce=lambda told: told == "true", empty_value=None, **more)


class TruthFilter(filters.Filter):
    """`true` or `false`, and nothing else."""

    field_class = _Truth

    def __init__(self) -> None:
        super().__init__()


class StrictFilters(DjangoFilterBackend):
    """Refuses a filter that does not exist: a misspelt one would otherwise show everything, silently. Lists only."""

    lists_only = True

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        if self.lists_only and getattr(view, "detail", False):
            return queryset
        filterset = self.get_filterset_class(view, queryset)
        known = {*(filterset.base_filters if filterset else ()), "cursor", "limit"}
        if unknown := [name for name in request.query_params if name not in known]:
            message = _("There is no such filter. The filters are: %(known)s.") % {"known": ", ".join(sorted(known))}
            raise ValidationError({name: [message] for name in unknown})
        refuse_empty(request.query_params)
        found: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return found


class OnlyPages(StrictFilters):
    """For a list below one row, such as an agent's versions: nothing narrows it, so every filter is refused."""

    lists_only = False

    def get_filterset_class(self, view: Any, queryset: QuerySet[Any] | None = None) -> None:
        return None
