"""Checks a value against the part of JSON Schema that tool parameters use. Pure.

Problems are worded for the model that wrote the value: it reads them and tries again. They name the field, never the value.
"""

import re
from collections.abc import Iterator
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "number": (int, float),
    "integer": (int,),
}


def problems(schema: dict[str, Any], value: Any, where: str = "arguments") -> list[str]:
    """What is wrong with `value`; empty if nothing. Unknown keywords are ignored, as JSON Schema says."""
    return list(_problems(schema, value, where))


def _problems(schema: dict[str, Any], value: Any, where: str) -> Iterator[str]:
    wanted = schema.get("type")
    names = [wanted] if isinstance(wanted, str) else list(wanted or ())
    if names and not any(_is_a(value, name) for name in names):
        yield f"{where} must be {' or '.join(names)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} must be one of {', '.join(map(str, schema['enum']))}"
    if "const" in schema and value != schema["const"]:
        yield f"{where} must be {schema['const']}"
    match value:
        case dict():
            yield from _object_problems(schema, value, where)
        case list():
            yield from _size_problems(schema, len(value), where, "minItems", "maxItems", "items")
            for index, item in enumerate(value):
                yield from _problems(schema.get("items", {}), item, f"{where}[{index}]")
        case str():
            yield from _size_problems(schema, len(value), where, "minLength", "maxLength", "characters")
            if "pattern" in schema and not re.search(schema["pattern"], value):
                yield f"{where} must match {schema['pattern']}"
        case bool() | None:
            pass
        case int() | float():
            if "minimum" in schema and value < schema["minimum"]:
                yield f"{where} must be at least {schema['minimum']}"
            if "maximum" in schema and value > schema["maximum"]:
                yield f"{where} must be at most {schema['maximum']}"


def _is_a(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(name, (object,)))


def _object_problems(schema: dict[str, Any], value: dict[str, Any], where: str) -> Iterator[str]:
    properties: dict[str, Any] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where}.{name} is missing"
    for name, item in value.items():
        if name in properties:
            yield from _problems(properties[name], item, f"{where}.{name}")
        elif schema.get("additionalProperties") is False:
            yield f"{where}.{name} is not known"


def _size_problems(schema: dict[str, Any], size: int, where: str, least: str, most: str, things: str) -> Iterator[str]:
    if least in schema and size < schema[least]:
        yield f"{where} must have at least {schema[least]} {things}"
    if most in schema and size > schema[most]:
        yield f"{where} must have at most {schema[most]} {things}"
