"""What an API key may do, as a table. Pure: what is not in the table no key may do."""

from collections.abc import Collection
from typing import Final

RESOURCES: Final[dict[str, tuple[str, ...]]] = {
    "agents": ("read", "write"),
    "phones": ("read", "write"),
    "calls": ("read", "write", "dial"),
    "webhooks": ("read", "write"),
    "budgets": ("read", "write"),
    "rehearsals": ("read", "write", "run"),
}
"""`write` includes `read`. `calls:write` hangs up; only `calls:dial` rings somebody's phone. Only `rehearsals:run` holds conversations."""

SCOPES: Final = tuple(f"{resource}:{deed}" for resource, deeds in RESOURCES.items() for deed in deeds)

# The router's names of the doors.
RESOURCE_OF: Final[dict[str, str]] = {
    "agent": "agents",
    "destination": "agents",
    "tool": "agents",
    "phone": "phones",
    "call": "calls",
    "session": "calls",
    "turn": "calls",
    "recording": "calls",
    "charge": "calls",
    "webhook-endpoint": "webhooks",
    "webhook-message": "webhooks",
    "budget": "budgets",
    "scenario": "rehearsals",
    "rehearsal": "rehearsals",
}


def needed(door: str, method: str, action: str) -> str | None:
    """The scope that a request needs; None for a door that no key may enter."""
    resource = RESOURCE_OF.get(door)
    if resource is None:
        return None
    if method in ("GET", "HEAD", "OPTIONS"):
        return f"{resource}:read"
    if door == "call" and action == "create":
        return "calls:dial"
    if door == "rehearsal":
        return "rehearsals:run"
    return f"{resource}:write"


def covers(granted: Collection[str], scope: str) -> bool:
    resource, _colon, deed = scope.partition(":")
    return scope in granted or (deed == "read" and f"{resource}:write" in granted)
