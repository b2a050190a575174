"""JSON answers of the scripted model: what a scenario's rule says, or else the smallest thing that has the shape asked for. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from simulator.openai_requests import ChatRequest
from simulator.replies import Heard, Replies, ScriptedReply, choose

_DEEPEST = 40
_WORDS = 200


def answer(chat: ChatRequest, replies: Replies, heard: Heard) -> ScriptedReply:
    """A rule counts only if it names the prompt it is for: what callers say is inside the request, and other rules would hear that."""
    rules = [rule for rule in replies.rules if rule.prompt is not None]
    scripted = choose(rules, heard)
    if any(rule.prompt and rule.prompt.search(heard.system) and rule.heard.search((heard.user_messages or ("",))[-1]) for rule in rules):
        return scripted
    described = chat.raw["response_format"].get("json_schema", {})
    schema = described.get("schema", {"type": "object"})
    last = " ".join((heard.user_messages or ("",))[-1].split())
    return ScriptedReply(json.dumps(instance(schema, schema, f"A simulated reading of: {last}"[:_WORDS]), ensure_ascii=False))


def instance(schema: Any, root: Mapping[str, Any], words: str, depth: int = 0) -> Any:
    """Something that fits the schema, as far as everyday schemas go: first choices, least numbers, what is required and what is simple."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return None
    if "$ref" in schema:
        return instance(_resolved(schema["$ref"], root), root, words, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if schema.get(name):
            return instance(schema[name][0], root, words, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {})
        wanted = schema.get("required", properties)
        return {name: instance(inner, root, words, depth + 1) for name, inner in properties.items() if name in wanted}
    if kind == "array":
        return [instance(schema.get("items", {}), root, words, depth + 1) for _ in range(int(schema.get("minItems", 0)))]
    if kind in ("integer", "number"):
        return schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    if kind == "boolean":
        return False
    return None if kind == "null" else words[: schema.get("maxLength", _WORDS)].ljust(schema.get("minLength", 0), ".")


def _resolved(reference: Any, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for step in str(reference).removeprefix("#").strip("/").split("/"):
        if step:
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found
