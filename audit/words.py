"""Changes in words. Never a secret, a whole telephone number or what follows the path of an address."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.contrib.auth.models import Permission
from django.db import models
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.history import Difference, Entry
from audit.models import PRIVATE

LONGEST: Final = 120
_DEEDS: Final = {
    "insert": (gettext_lazy("made"), "good"),
    "update": (gettext_lazy("changed"), "wait"),
    "delete": (gettext_lazy("deleted"), "bad"),
    PRIVATE: (gettext_lazy("replaced a secret"), "warn"),
}
_TIED: Final = {"insert": (gettext_lazy("given"), "good"), "delete": (gettext_lazy("taken away"), "bad")}
_MAY: Final = {
    "add": gettext_lazy("may add"),
    "change": gettext_lazy("may change"),
    "delete": gettext_lazy("may delete"),
    "view": gettext_lazy("may see"),
}
# Whose keys tell, and whose values may hold what operators put there.
_KEYS_ONLY: Final = frozenset({"headers", "fixed"})
_ADDRESSES: Final = frozenset({"url"})


@dataclass(frozen=True, slots=True)
class ChangeLine:
    label: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One row of the page. `who` is empty for the system itself; `link` leads to what was changed, if it is still there."""

    at: Any
    who: str
    deed: Any
    tone: str
    kind: str
    name: str
    link: str
    changes: list[ChangeLine]


class Names:
    """What foreign keys point to, asked for once each."""

    def __init__(self) -> None:
        self._known: dict[tuple[type[models.Model], Any], str] = {}

    def of(self, model: Any, key: Any) -> str:
        if (model, key) not in self._known:
            row = model._base_manager.filter(pk=key).first()
            told = permission_words(row) if isinstance(row, Permission) else str(row)
            self._known[model, key] = told if row is not None else f"#{key}"
        return self._known[model, key]


def permission_words(permission: Permission) -> str:
    """Django keeps what a permission is called in English, for every kind of row anew."""
    kind = permission.content_type
    may = _MAY.get(permission.codename.removesuffix(f"_{kind.model}"))
    return f"{kind.name}: {may}" if may else f"{kind.name}: {_(permission.name)}"


def entry_line(entry: Entry, names: Names) -> EntryLine:
    is_bond = entry.key is None
    deed, tone = (_TIED if is_bond else _DEEDS).get(entry.deed, (entry.deed, "quiet"))
    return EntryLine(
        at=entry.at,
        who=_who_words(entry),
        deed=deed,
        tone=tone,
        kind=kind_words(entry.model),
        name=_address(entry.name) if "://" in entry.name else entry.name,
        link=_link(entry),
        changes=[_change_line(difference, names) for difference in entry.differences],
    )


def _who_words(entry: Entry) -> str:
    name = entry.who.get_username() if entry.who is not None else ""
    return f"{name} · {entry.program}…" if entry.program else name


_KINDS: Final = {
    "agent": gettext_lazy("Agent"),
    "destination": gettext_lazy("Destination"),
    "httptool": gettext_lazy("HTTP tool"),
    "phone": gettext_lazy("Phone"),
    "priceoverride": gettext_lazy("Own price"),
    "exchangerate": gettext_lazy("Exchange rate"),
    "budget": gettext_lazy("Budget"),
    "alertrule": gettext_lazy("Alert rule"),
    "scenario": gettext_lazy("Scenario"),
    "rehearsalrule": gettext_lazy("Rehearsals before publishing"),
    "webhookendpoint": gettext_lazy("Webhook endpoint"),
    "apikey": gettext_lazy("API key"),
    "user": gettext_lazy("Person"),
    "group": gettext_lazy("Group"),
    "user_groups": gettext_lazy("Membership"),
    "user_user_permissions": gettext_lazy("Permission of a person"),
    "group_permissions": gettext_lazy("Permission of a group"),
}


def kind_words(model: type[models.Model]) -> str:
    name = str((model._meta.concrete_model or model)._meta.model_name)  # of a proxy, what it stands for
    return str(_KINDS.get(name, name))


def _link(entry: Entry) -> str:
    if entry.deed == "delete" or entry.key is None:
        return ""
    if entry.model._meta.model_name == "agent":
        return reverse("agent-page", args=[entry.key])
    if entry.model._meta.model_name == "scenario":
        scenario: Any = entry.model._base_manager.filter(pk=entry.key).first()
        return reverse("scenario-edit", args=[scenario.agent_id, scenario.pk]) if scenario is not None else ""
    try:
        return reverse(f"admin:{entry.model._meta.app_label}_{entry.model._meta.model_name}_change", args=[entry.key])
    except NoReverseMatch:
        return ""


def _change_line(difference: Difference, names: Names) -> ChangeLine:
    field = difference.field
    old, new = difference.old, difference.new
    label = str(field.verbose_name).capitalize()
    if isinstance(old, dict) and isinstance(new, dict):
        return ChangeLine(label, *_dict_words(field.name, old, new))
    if isinstance(old, str) and isinstance(new, str) and max(len(old), len(new)) > LONGEST:
        return ChangeLine(
            label, _("%(count)s characters") % {"count": f"{len(old):,}"}, _("%(count)s characters") % {"count": f"{len(new):,}"}
        )
    return ChangeLine(label, _value_words(field, old, names), _value_words(field, new, names))


def _dict_words(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, str]:
    """Only the keys that differ, on either side."""
    differing = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]

    def side(values: Mapping[str, Any]) -> str:
        there = [key for key in differing if key in values]
        if name in _KEYS_ONLY:
            return ", ".join(there)
        return _cut(", ".join(f"{key}: {json.dumps(values[key], ensure_ascii=False)}" for key in there))

    return side(old), side(new)


def _value_words(field: Any, value: Any, names: Names) -> str:
    if value is None or value in ("", [], {}):
        return ""
    if field.is_relation:
        return names.of(field.remote_field.model, value)
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if field.name in _ADDRESSES:
        return _address(str(value))
    if isinstance(value, dict | list):
        return ", ".join(value) if field.name in _KEYS_ONLY else _cut(json.dumps(value, ensure_ascii=False))
    return _cut(str(value))


def _address(url: str) -> str:
    """Host and path: what stands behind a question mark may be a key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}" + ("?…" if parts.query else "")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
