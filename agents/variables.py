"""{{…}} in prompts and sentences: which there are, and how they are filled in when a call begins. Pure.

A name that does not exist is refused when the agent is saved, never read out to a caller. A customer fact that nobody gave is its
stand-in (`{{customer.name|there}}`) or nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

# For texts that hold no date or time.
NEVER: Final = datetime.min.replace(tzinfo=UTC)
_PLACE: Final = re.compile(r"\{\{([^{}]*)\}\}")
_CUSTOMER: Final = re.compile(r"customer\.[a-z][a-z0-9_]{0,39}")
KNOWN: Final = ("caller_number", "agent_name", "date", "time")
EXAMPLES: Final = "{{caller_number}}, {{agent_name}}, {{date}}, {{time}}, {{customer.name}}"
# Known when the agent is published, and the same in every call.
_STANDING: Final = frozenset({"agent_name"})


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What one call fills in. `now` is local to the agent's callers; `caller_number` is E.164, empty if withheld."""

    agent_name: str
    now: datetime
    caller_number: str = ""
    customer: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        match name:
            case "caller_number":
                return self.caller_number
            case "agent_name":
                return self.agent_name
            case "date":
                return f"{self.now:%A}, {self.now.day} {self.now:%B %Y}"
            case "time":
                return f"{self.now.hour % 12 or 12}:{self.now:%M %p}"
        return str(self.customer.get(name.removeprefix("customer."), ""))


def _parts(inside: str) -> tuple[str, str]:
    name, _bar, stand_in = inside.partition("|")
    return name.strip(), stand_in.strip()


def unknown(text: str) -> list[str]:
    """The names in `text` that no call could fill in, each once, as they were written."""
    return [name for name in named(text) if name not in KNOWN and not _CUSTOMER.fullmatch(name)]


def named(text: str) -> list[str]:
    """The names in `text` that a call fills in, each once."""
    return list(dict.fromkeys(_parts(inside)[0] for inside in _PLACE.findall(text)))


def fill(text: str, facts: CallFacts) -> str:
    """`text` as it reads in this call. What a fact holds is never filled in again, so a customer cannot name another variable."""

    def value(match: re.Match[str]) -> str:
        name, stand_in = _parts(match.group(1))
        return facts.value(name).strip() or stand_in

    return _PLACE.sub(value, text)


def stands_still(text: str) -> bool:
    """Whether `text` reads the same in every call of the agent, so that its audio can be made beforehand."""
    return all(_parts(inside)[0] in _STANDING for inside in _PLACE.findall(text))
