"""Callers' numbers in the admin: masked, and not searched by, for those who may not see them in full."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest

from calls import queries, wording
from calls.models import Session

_PHONES: Final = frozenset({"user_phone", "from_phone", "to_phone"})


def _number(name: str) -> Callable[[Any], str]:
    @admin.display(description=name.replace("_", " ").capitalize())
    def masked(row: Any) -> str:
        number = getattr(row, name)
        return wording.mask_number(number) if number else ""

    return masked


def _words(name: str) -> Callable[[Any], str]:
    @admin.display(description=name.capitalize())
    def masked(row: Any) -> str:
        session: Session | None = row if isinstance(row, Session) else row.session
        return str(wording.without_number(getattr(row, name), session.user_phone if session is not None else ""))

    return masked


_MASKED: Final[dict[str, Any]] = {
    **{name: _number(name) for name in _PHONES},
    **{name: _words(name) for name in ("customer", "arguments", "result", "body")},
}


def _masked(names: Sequence[Any]) -> list[Any]:
    return [_MASKED.get(name, name) if isinstance(name, str) else name for name in names]


class NumbersMasked:
    """Mixed into an admin, or an inline, of a call's rows."""

    def get_list_display(self, request: HttpRequest) -> Any:
        return self._seen(request, super().get_list_display(request))  # type: ignore[misc]  # the admin mixed in has it

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self._seen(request, super().get_fields(request, obj))  # type: ignore[misc]  # as above

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self._seen(request, super().get_readonly_fields(request, obj))  # type: ignore[misc]  # as above

    def get_search_fields(self, request: HttpRequest) -> Any:
        names: Sequence[str] = super().get_search_fields(request)  # type: ignore[misc]  # as above
        return names if queries.sees_numbers(request.user) else [name for name in names if name not in _PHONES]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """An address may narrow a list by any field of the row: by a number only for those who see it."""
        if _PHONES & set(lookup.split("__")) and (request is None or not queries.sees_numbers(request.user)):
            return False
        return bool(super().lookup_allowed(lookup, value, request))  # type: ignore[misc]  # as above

    def _seen(self, request: HttpRequest, names: Sequence[Any]) -> Any:
        return names if queries.sees_numbers(request.user) else _masked(names)
