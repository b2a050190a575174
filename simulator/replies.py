"""How the scripted language model decides what to say: the first rule that fits what it heard.

Pure: the whole conversation is in the request, so the choice is computed from it anew each time and nothing is remembered. `times` is
counted by replaying the earlier user messages; two calls with the same script never disturb each other.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STANDARD = Path(__file__).with_name("replies.toml")
_PLACEHOLDER = re.compile(r"\{(\d+|last)\}")


class RuleRefused(ValueError):
    """A `[[reply]]` that cannot be understood; the message says which and why."""


@dataclass(frozen=True, slots=True)
class ScriptedTool:
    """A call of the tool `name`. Texts in `arguments` may hold `{1}` and `{last}`."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, repr(sorted(self.arguments.items()))))


@dataclass(frozen=True, slots=True)
class ReplyRule:
    """`heard` is searched in the last user message, `prompt` (if given) in the system prompt; `times` None means always."""

    heard: re.Pattern[str]
    say: str = ""
    tool: ScriptedTool | None = None
    times: int | None = None
    after_tool: str = ""
    prompt: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """What the model says, and the tool it asks for behind the words. `arguments` are complete."""

    say: str
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heard:
    """The conversation as far as a rule may look at it. `after_tool`: the last message is a tool's result."""

    system: str
    user_messages: tuple[str, ...]
    after_tool: bool = False


Layer = tuple[ReplyRule, ...]


class Replies:
    """The standard rules, and on top of them the rules of the calls that are running (newest first)."""

    def __init__(self, standard: Layer) -> None:
        self._standard = standard
        self._layers: list[Layer] = []

    @classmethod
    def standard(cls) -> "Replies":
        return cls(parse(tomllib.loads(STANDARD.read_text("utf-8")).get("reply", [])))

    def push(self, layer: Layer) -> None:
        """Puts the rules of a scenario on top. A call that ends removes the same layer once."""
        self._layers.insert(0, layer)

    def remove(self, layer: Layer) -> None:
        if layer in self._layers:
            self._layers.remove(layer)

    @property
    def rules(self) -> Layer:
        distinct = dict.fromkeys(self._layers)  # a hundred calls of one scenario are one layer
        return tuple(rule for layer in (*distinct, self._standard) for rule in layer)

    def choose(self, heard: Heard) -> ScriptedReply:
        return choose(self.rules, heard)


def choose(rules: Sequence[ReplyRule], heard: Heard) -> ScriptedReply:
    """What the model answers now. With nothing said by the user yet, the rules see an empty text."""
    left = {place: rule.times for place, rule in enumerate(rules) if rule.times is not None}
    answered = heard.user_messages or ("",)
    for message in answered[:-1]:
        place, _ = _first_fit(rules, left, heard.system, message)
        if place in left:
            left[place] -= 1
    place, match = _first_fit(rules, left, heard.system, answered[-1])
    if match is None:
        return ScriptedReply("" if heard.after_tool else f"I heard: {answered[-1].strip()} How else may I help you?")
    rule = rules[place]
    if heard.after_tool:
        return ScriptedReply(_filled(rule.after_tool, match, answered[-1]))
    say = _filled(rule.say, match, answered[-1])
    if rule.tool is None:
        return ScriptedReply(say)
    return ScriptedReply(say, rule.tool.name, _filled_all(rule.tool.arguments, match, answered[-1]))


def parse(tables: Sequence[Mapping[str, Any]]) -> Layer:
    """`[[reply]]` tables as rules; raises `RuleRefused`."""
    return tuple(_parsed(number, table) for number, table in enumerate(tables, start=1))


def _parsed(number: int, table: Mapping[str, Any]) -> ReplyRule:
    where = f"reply {number}"
    unknown = set(table) - {"heard", "say", "tool", "times", "after_tool", "prompt"}
    if unknown:
        raise RuleRefused(f"{where} has unknown keys: {', '.join(sorted(unknown))}")
    tool = table.get("tool")
    if tool is not None and (not isinstance(tool, Mapping) or not tool.get("name") or not isinstance(tool.get("arguments", {}), Mapping)):
        raise RuleRefused(f'{where}: tool must be {{ name = "...", arguments = {{...}} }}')
    times = table.get("times")
    if times is not None and (type(times) is not int or times < 1):
        raise RuleRefused(f"{where}: times must be a whole number from 1 on")
    try:
        return ReplyRule(
            heard=re.compile(str(table.get("heard", "")), re.DOTALL),
            say=str(table.get("say", "")),
            tool=None if tool is None else ScriptedTool(str(tool["name"]), dict(tool.get("arguments", {}))),
            times=times,
            after_tool=str(table.get("after_tool", "")),
            prompt=re.compile(str(table["prompt"]), re.DOTALL) if "prompt" in table else None,
        )
    except re.error as error:
        raise RuleRefused(f"{where}: not a regular expression: {error}") from error


def _first_fit(rules: Sequence[ReplyRule], left: Mapping[int, int], system: str, message: str) -> tuple[int, re.Match[str] | None]:
    for place, rule in enumerate(rules):
        if left.get(place, 1) < 1 or (rule.prompt is not None and not rule.prompt.search(system)):
            continue
        match = rule.heard.search(message)
        if match is not None:
            return place, match
    return -1, None


def _filled(template: str, match: re.Match[str], last: str) -> str:
    def value(placeholder: re.Match[str]) -> str:
        name = placeholder.group(1)
        if name == "last":
            return last.strip()
        return (match.group(int(name)) or "") if int(name) <= (match.re.groups) else placeholder.group(0)

    return _PLACEHOLDER.sub(value, template)


def _filled_all(value: Any, match: re.Match[str], last: str) -> Any:
    if isinstance(value, str):
        return _filled(value, match, last)
    if isinstance(value, Mapping):
        return {key: _filled_all(inner, match, last) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled_all(inner, match, last) for inner in value]
    return value
