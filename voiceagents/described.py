"""The API's own description (OpenAPI 3.1): what DRF knows of each door, and what all of them have in common."""

from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from access.once import KEY_FORM, LONGEST_KEY
from access.scopes import needed
from agents.serializers import StrictMixin
from voiceagents.refusals import CONTENT_TYPE

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do, in one text."},
        "errors": {"type": "object", "additionalProperties": True, "description": "The same, field by field."},
    },
    "required": ["type", "title", "status"],
}
_REFUSALS: Final = {
    "400": ("BadRequest", "Something in the request makes no sense. `errors` says what, field by field."),
    "401": ("Unauthorised", "No credentials, or some that open nothing."),
    "403": ("Forbidden", "The key lacks the scope that this needs, or the person the right."),
    "404": ("NotFound", "There is no such thing, or it is somebody else's."),
    "409": (
        "Conflict",
        "It does not fit what is there, or the Idempotency-Key was used for something else, or is in use: then with Retry-After.",
    ),
    "413": ("TooLarge", "More than a megabyte."),
    "415": ("UnsupportedMediaType", "The body is not application/json."),
    "429": ("TooManyRequests", "More requests than the key may send in a minute. Retry-After says when the next is let in."),
}
_ALWAYS: Final = ("401", "403", "429")
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_COUNTED: Final = {
    "RateLimit-Limit": "Requests a minute.",
    "RateLimit-Remaining": "How many of them are left.",
    "RateLimit-Reset": "Seconds until the next minute begins.",
}
_KEY_PARAMETER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Any text of your own. The same request sent again with it within a day is answered as the first was, and does nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": KEY_FORM},
}


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself, without annotations
    target_class = "access.authentication.KeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "va_…", "description": "A key from the page “API keys”."}


class Description(AutoSchema):
    """Says of strict bodies that they are, and of each door which scope a key needs for it."""

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]  # it has no annotations
        if isinstance(serializer, StrictMixin):
            schema["additionalProperties"] = False
        return schema

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        door: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        scope = needed(getattr(self.view, "basename", ""), self.method, getattr(self.view, "action", "") or "")
        if door is not None and scope is not None:
            door["description"] = f"{door.get('description', '')}\n\nScope of the key: `{scope}`.".strip()
        return door


def with_common_parts(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Adds to each operation its refusals, the count of requests, and the Idempotency-Key of a POST."""
    parts = result.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = _PROBLEM
    answers = parts.setdefault("responses", {})
    for name, words in _REFUSALS.values():
        content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        answers[name] = {"description": words, "content": content}
    for name in ("Conflict", "TooManyRequests"):
        answers[name]["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    counted = {name: {"description": words, "schema": {"type": "integer"}} for name, words in _COUNTED.items()}
    _say_anything_once(parts["schemas"])
    for path, doors in result.get("paths", {}).items():
        for method in _METHODS:
            if (door := doors.get(method)) is not None:
                _complete(path, method, door, counted)
    return result


def _say_anything_once(schema: Any) -> None:
    """Any JSON is one schema: said as "anything or null, but not both", a null would be neither."""
    if isinstance(schema, dict):
        if {} in schema.get("oneOf", ()):
            del schema["oneOf"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            _say_anything_once(part)


def _complete(path: str, method: str, door: dict[str, Any], counted: dict[str, Any]) -> None:
    codes = set(_ALWAYS)
    if "{" in path:
        codes.add("404")
    if door.get("parameters") or "requestBody" in door or method != "get":
        codes.add("400")
    if method != "get":
        codes |= {"409", "413", "415"}
    for code, answer in door["responses"].items():
        if code.startswith("2"):
            answer["headers"] = {**counted, **answer.get("headers", {})}
    for code in sorted(codes):
        door["responses"].setdefault(code, {"$ref": f"#/components/responses/{_REFUSALS[code][0]}"})
    if method == "post":
        door.setdefault("parameters", []).append(_KEY_PARAMETER)
