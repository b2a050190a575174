"""JSON is taken at its word: a number is no text, a text is no number, and what Postgres cannot keep is refused."""

import math
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

_DEEPEST: Final = 60
_WORDS: Final = {
    "text": gettext_lazy("Not a text. Write it in quotation marks."),
    "whole": gettext_lazy("A valid integer is required."),
    "number": gettext_lazy("A valid number is required."),
    "boolean": gettext_lazy("This must be true or false."),
    "list": gettext_lazy("This must be a list."),
    "object": gettext_lazy("This must be an object."),
    "amount": gettext_lazy("Write the amount as a text, such as “12.50”: a number would lose digits on its way."),
}
_KINDS: Final[tuple[tuple[tuple[type, ...], str], ...]] = (
    ((serializers.BooleanField,), "boolean"),
    ((serializers.DecimalField,), "amount"),
    ((serializers.IntegerField, serializers.PrimaryKeyRelatedField), "whole"),
    ((serializers.FloatField,), "number"),
    ((serializers.ListField, serializers.ListSerializer), "list"),
    ((serializers.DictField,), "object"),
    (
        (serializers.CharField, serializers.DateTimeField, serializers.DateField, serializers.SlugRelatedField),
        "text",
    ),
)


def mistyped(field: Any, value: Any) -> str:
    """What is wrong with the JSON type of a value, where DRF would make of it what the field wants; empty if nothing is."""
    if value is None:
        return ""
    if isinstance(field, serializers.JSONField):
        return ""
    kind = next((kind for classes, kind in _KINDS if isinstance(field, classes)), "")
    fits = {
        "boolean": isinstance(value, bool),
        "amount": isinstance(value, str),
        "whole": not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer())),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "list": isinstance(value, list),
        "object": isinstance(value, Mapping),
        "text": isinstance(value, str),
    }
    if kind and not fits[kind]:
        return str(_WORDS[kind])
    child = getattr(field, "child", None)
    if child is None or isinstance(child, serializers.BaseSerializer):
        return ""
    inner = value.values() if isinstance(value, Mapping) else value
    return next((words for one in inner if (words := mistyped(child, one))), "")


def refuse_empty(told: Mapping[str, Any]) -> None:
    """For addresses, where an empty filter is a mistake and not a wish. Raises `ValidationError`."""
    if empty := [name for name, value in told.items() if not value]:
        raise serializers.ValidationError({name: [_("This says nothing. Say what to look for, or leave it out.")] for name in empty})


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = gettext_lazy("The body is too large. Send at most one megabyte.")


class Conflict(APIException):
    """The request makes sense, and does not fit what is there."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class StrictJSON(JSONParser):
    """Also refuses what no row can hold: NUL characters, lone surrogates, numbers that are none, and bodies nested without end."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        raw = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(raw) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise TooLarge
        try:
            told = super().parse(BytesIO(raw), media_type, parser_context)
        except RecursionError as error:
            raise ParseError(_("The body is nested too deeply.")) from error
        if problem := unkeepable(told):
            raise ParseError(problem)
        return told


def unkeepable(told: Any) -> str:
    """Why no row could hold this JSON; empty if one could."""
    waiting = [(told, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _DEEPEST:
            return _("The body is nested too deeply.")
        if isinstance(value, Mapping):
            waiting += [(inner, depth + 1) for inner in (*value.keys(), *value.values())]
        elif isinstance(value, list):
            waiting += [(inner, depth + 1) for inner in value]
        elif isinstance(value, str) and ("\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value)):
            return _("The body holds characters that no text has: NUL, or half of a pair (\\ud800 to \\udfff).")
        elif isinstance(value, float) and not math.isfinite(value):
            return _("The body holds a number that is none.")
    return ""
