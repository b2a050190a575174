"""What changed from one version of an agent to the next, in words of the reader's language. Asks nothing and nobody."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

_LONG_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Change:
    """One field of the stored spec, dotted (`llm.temperature`); None where a side does not have it."""

    field: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.field}: {_short(self.old)} → {_short(self.new)}"


def changes(old: dict[str, Any] | None, new: dict[str, Any]) -> list[Change]:
    """Every difference between two stored specs, in the new one's order. Without an old one nothing has changed: it is the first."""
    if old is None:
        return []
    before, after = dict(_flat(old)), dict(_flat(new))
    names = [*after, *(name for name in before if name not in after)]
    return [Change(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _flat(stored: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in stored.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _short(value: Any) -> str:
    if isinstance(value, str):
        if len(value) > _LONG_CHARACTERS:
            return ngettext("%(count)d character", "%(count)d characters", len(value)) % {"count": len(value)}
        return f"“{value}”"
    if isinstance(value, list):
        if len(str(value)) > _LONG_CHARACTERS:
            return ngettext("%(count)d entry", "%(count)d entries", len(value)) % {"count": len(value)}
        return ", ".join(str(one) for one in value) or _("nothing")
    return _("nothing") if value is None else str(value)
