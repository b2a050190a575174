"""Agents to begin with: one TOML file each, with a prompt, a first message, manners and tools that fit together.

A starter is copied into a form once and then belongs to whoever filled it in; changing a file changes no agent. Its tools are made
switched off, because only the operator knows the address of their own service.
"""

import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from agents.models import Agent, HttpTool

_DIRECTORY = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Starter:
    """`fields` are those of an `Agent`, `tools` those of its `HttpTool`s, by name."""

    key: str
    title: str
    summary: str
    order: int
    fields: dict[str, Any]
    tools: tuple[dict[str, Any], ...] = field(default=())

    def agent(self, owner: Any) -> Agent:
        """A new agent of theirs, unsaved."""
        return Agent(owner=owner, **self.fields)

    def make_tools(self, agent: Agent) -> list[HttpTool]:
        """The starter's tools as rows of a saved agent, switched off."""
        return HttpTool.objects.bulk_create([HttpTool(agent=agent, active=False, **tool) for tool in self.tools])


@lru_cache(maxsize=1)
def starters() -> dict[str, Starter]:
    """By key, in the order in which they are offered."""
    found = [_read(path) for path in _DIRECTORY.glob("*.toml")]
    return {starter.key: starter for starter in sorted(found, key=lambda starter: starter.order)}


def _read(path: Path) -> Starter:
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    fields = {**told["agent"], "prompt": told["agent"]["prompt"].strip()}
    return Starter(path.stem, told["title"], told["summary"], told["order"], fields, tuple(told.get("tools", ())))
