"""The operator's own schema of what to read out of a call: whether it is one, and whether a model's answer fits it.

JSON Schema, draft 2020-12. Nothing it says may reach the network, run for ever, or grow beyond what a model reads with every call.
Words about a misfit name places and rules, never values: values are what a caller said.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types
from jsonschema.exceptions import SchemaError, ValidationError  # type: ignore[import-untyped]  # as above
from referencing import Registry

MOST_CHARACTERS: Final = 8_000
DEEPEST: Final = 10
MOST_FLAWS: Final = 8
_LONGEST_PATTERN = 200
# A repeated group is where a pattern can take time without end on a short text.
_REPEATED_GROUP = re.compile(r"\)(?:[*+?]|\{)")
_NOWHERE: Registry[Any] = Registry()


def problem(schema: object) -> str:
    """Why this cannot be an extraction schema, and what to write; empty if it can. None means that there is none, which is right."""
    if schema is None or schema == {}:
        return ""
    if not isinstance(schema, Mapping) or schema.get("type") != "object" or not isinstance(schema.get("properties"), Mapping):
        return _('Write a JSON Schema that describes an object: {"type": "object", "properties": {…}}.')
    if _is_deeper(schema, DEEPEST * 2):
        return _("The schema is nested too deeply. Keep it within %(most)d levels.") % {"most": DEEPEST}
    if len(json.dumps(schema, ensure_ascii=False)) > MOST_CHARACTERS:
        return _("The schema is longer than %(most)d characters. The model reads it with every call: shorten it.") % {
            "most": MOST_CHARACTERS
        }
    for name, value in _keywords(schema):
        if name in ("$ref", "$dynamicRef") and not (isinstance(value, str) and (value == "#" or value.startswith("#/"))):
            return _("$ref may only point into the schema itself, as #/$defs/address does.")
        if name == "$ref" and (wrong := _reference_problem(schema, value)):
            return wrong
        if name in ("$id", "$anchor", "$dynamicAnchor", "$vocabulary"):
            return _("Leave %(name)s out: the schema stands alone.") % {"name": name}
        patterns = value if name == "patternProperties" and isinstance(value, Mapping) else [value] if name == "pattern" else []
        for pattern in patterns:
            if wrong := _pattern_problem(pattern):
                return wrong
    try:
        if b"\\u0000" in json.dumps(schema, ensure_ascii=False).encode():
            return _("Remove the NUL character: the database cannot store it.")
        Draft202012Validator.check_schema(schema)
        list(_validator(schema).iter_errors({}))
    except SchemaError as error:
        return _("This is no JSON Schema (draft 2020-12): at %(place)s, %(rule)s.") % {"place": _place(error), "rule": error.message[:200]}
    except UnicodeEncodeError:
        return _("The schema holds half a character (a lone surrogate). Write it anew.")
    except RecursionError:
        return _("The schema refers to itself without an end. Take the circle of $ref out.")
    return ""


def flaws(schema: Mapping[str, Any], value: object) -> list[str]:
    """Where `value` does not fit, as `extraction.amount: type`; empty if it does. Never a word of the value itself."""
    try:
        found = sorted(_validator(schema).iter_errors(value), key=lambda error: [str(step) for step in error.absolute_path])
        return [f"{_place(error)}: {error.validator}" for error in found[:MOST_FLAWS]]
    except RecursionError:
        return ["(all of it): nested without an end"]


def moved(schema: Any, under: str) -> Any:
    """The schema as it has to be written at `under` (`#/properties/extraction`) of a larger one: its references lead there."""
    if isinstance(schema, Mapping):
        return {
            name: _moved_reference(value, under) if name in ("$ref", "$dynamicRef") else moved(value, under)
            for name, value in schema.items()
        }
    return [moved(value, under) for value in schema] if isinstance(schema, list) else schema


def _moved_reference(value: Any, under: str) -> Any:
    return under + value[1:] if isinstance(value, str) and value.startswith("#") else value


def _validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema, registry=_NOWHERE)


def _place(error: ValidationError | SchemaError) -> str:
    return ".".join(str(step) for step in error.absolute_path) or "(all of it)"


def _pattern_problem(pattern: object) -> str:
    if not isinstance(pattern, str):
        return ""  # the draft's own schema says it better
    try:
        re.compile(pattern)
    except (re.error, RecursionError):
        return _("A pattern is no regular expression.")
    if len(pattern) > _LONGEST_PATTERN or _REPEATED_GROUP.search(pattern):
        return _("A pattern must be short and may not repeat a group: write [a-z0-9]+ instead of ([a-z]|[0-9])+.")
    return ""


def _reference_problem(schema: Mapping[str, Any], reference: str) -> str:
    """Follows a reference to something that is none."""
    for _step in range(DEEPEST):
        found: Any = schema
        for name in reference[2:].split("/") if reference != "#" else ():
            found = found.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping | bool):
            return _("A $ref of the schema leads nowhere. Write what it names under $defs.")
        following = found.get("$ref") if isinstance(found, Mapping) else None
        if not isinstance(following, str):
            return ""
        reference = following
    return _("The schema refers to itself without an end. Take the circle of $ref out.")


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(schema, Mapping):
        for name, value in schema.items():
            yield str(name), value
            yield from _keywords(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _keywords(value)


def _is_deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)
