"""Every refusal of the API as one JSON shape (RFC 9457): what is wrong in `detail`, field by field in `errors`."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from rest_framework.response import Response
from rest_framework.views import exception_handler

CONTENT_TYPE = "application/problem+json"


def as_problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. An error that is not meant for the client stays one: None lets it be reported and answered with 500."""
    response = exception_handler(error, context)
    if response is None:
        return None
    facts = response.data
    problem: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(response.status_code).phrase, "status": response.status_code}
    if isinstance(facts, dict) and set(facts) == {"detail"}:
        problem["detail"] = str(facts["detail"])
    else:
        problem["detail"] = " ".join(f"{path}: {message}" if path else message for path, message in _flat(facts)) or problem["title"]
        problem["errors"] = facts if isinstance(facts, dict) else {"non_field_errors": facts}
    response.data = problem
    response.content_type = CONTENT_TYPE
    return response


def _flat(facts: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(facts, dict):
        for name, inner in facts.items():
            yield from _flat(inner, path if name == "non_field_errors" else f"{path}.{name}".lstrip("."))
    elif isinstance(facts, list | tuple):
        for inner in facts:
            yield from _flat(inner, path)
    elif facts is not None:
        yield path, str(facts)
