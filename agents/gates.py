"""What may still keep an agent from being published: rooms above register who is asked. Words only; nothing here decides."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.models import Agent

Gate = Callable[["Agent", dict[str, Any]], str]

_gates: list[Gate] = []


def register(gate: Gate) -> None:
    """`gate(agent, stored spec)` gives what keeps this spec from being published, in words; "" if nothing does."""
    if gate not in _gates:
        _gates.append(gate)


def objections(agent: "Agent", spec: dict[str, Any]) -> list[str]:
    return [words for gate in _gates if (words := gate(agent, spec))]
