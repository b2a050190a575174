"""What can go wrong, in the server's own words where it has any."""

from collections.abc import Iterator
from typing import Any

import httpx


class Unreachable(Exception):
    """The server did not answer, however often it was asked. Whether a request had its effect is not known."""


class ApiError(Exception):
    """The server refused. `errors` says why, field by field, if it was a matter of fields."""

    def __init__(self, status: int, detail: str, errors: dict[str, Any]) -> None:
        super().__init__(f"{status}: {detail}")
        self.status, self.detail, self.errors = status, detail, errors

    @classmethod
    def of(cls, answer: httpx.Response) -> "ApiError":
        try:
            told = answer.json()
        except ValueError:
            told = {}
        if not isinstance(told, dict):
            told = {}
        detail = told.get("detail") or told.get("title") or _without_reason(answer)
        errors = told.get("errors")
        return cls(answer.status_code, str(detail), errors if isinstance(errors, dict) else {})

    def lines(self) -> Iterator[str]:
        """For people: each field with what is wrong with it, or else the whole."""
        if not self.errors:
            yield self.detail
        for field, told in self.errors.items():
            yield from _lines("" if field == "non_field_errors" else field, told)


def _without_reason(answer: httpx.Response) -> str:
    if answer.is_redirect:
        return f"The server sends requests on to {answer.headers.get('Location', 'elsewhere')}. Use the address that it has there."
    return f"The server answered {answer.status_code} without a reason."


def _lines(path: str, told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        for name, inner in told.items():
            yield from _lines(f"{path}.{name}".lstrip("."), inner)
    elif isinstance(told, list):
        for inner in told:
            yield from _lines(path, inner)
    elif told:
        yield f"{path}: {told}" if path else str(told)
