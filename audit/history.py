"""The newest changes of everything that is followed, each with what it was before. Reads only."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.apps import apps
from django.db import models
from django.db.models import OuterRef, Subquery
from django.utils.dateparse import parse_datetime

from audit.models import STANDING, User

ROWS: Final = 50


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that changed, as it is stored; `None` where a side did not have it."""

    field: "models.Field[Any, Any]"
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One change. `who` is None for the system itself: a job, a command, a migration. `program`: the API key's prefix, if one was used."""

    at: datetime
    deed: str  # insert, update, delete, private
    model: type[models.Model]
    key: Any
    name: str
    who: Any
    path: str
    program: str = ""
    differences: list[Difference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the history is narrowed to. `before` continues it."""

    kind: str = ""
    user_id: int | None = None
    before: datetime | None = None


def event_models() -> dict[str, type[models.Model]]:
    """By the name of what they follow, in the order in which `audit.models` names them."""
    found = [model for model in apps.get_app_config("audit").get_models() if hasattr(model, "pgh_tracked_model")]
    return {str(_followed(model)._meta.model_name): model for model in found}


def _followed(event_model: Any) -> type[models.Model]:
    """The model itself, not our proxy of it."""
    model: type[models.Model] = event_model.pgh_tracked_model._meta.concrete_model
    return model


def entries(wanted: Wanted, limit: int = ROWS) -> tuple[list[Entry], datetime | None]:
    """The newest changes, and where to go on; changes of one moment, which belong together, are never parted, however many."""
    chosen = event_models()
    if wanted.kind:
        chosen = {name: model for name, model in chosen.items() if name == wanted.kind}
    found = [event for model in chosen.values() for event in _newest(model, wanted, limit + 1)]
    found.sort(key=lambda event: (event.pgh_created_at, event.pgh_id), reverse=True)
    cut = limit
    while 0 < cut < len(found) and found[cut].pgh_created_at == found[cut - 1].pgh_created_at:
        cut += 1
    shown, more = found[:cut], len(found) > limit
    return list(_read(shown)), shown[-1].pgh_created_at if more and shown else None


def _newest(model: Any, wanted: Wanted, limit: int) -> list[Any]:
    """So many, and what else is of the last one's moment."""
    rows = model.objects.select_related("pgh_context").exclude(pgh_label=STANDING)
    if wanted.before is not None:
        rows = rows.filter(pgh_created_at__lt=wanted.before)
    if wanted.user_id is not None:
        rows = rows.filter(pgh_context__metadata__user=wanted.user_id)
    if _has_snapshots(model):
        before = model.objects.filter(pgh_obj_id=OuterRef("pgh_obj_id"), pgh_id__lt=OuterRef("pgh_id")).order_by("-pgh_id")
        rows = rows.annotate(previous_id=Subquery(before.values("pgh_id")[:1]))
    rows = rows.order_by("-pgh_created_at", "-pgh_id")
    found = list(rows[:limit])
    if len(found) == limit:
        found += rows.filter(pgh_created_at=found[-1].pgh_created_at, pgh_id__lt=found[-1].pgh_id)
    return found


def _has_snapshots(model: Any) -> bool:
    return hasattr(model, "pgh_obj")


def _read(events: list[Any]) -> Iterator[Entry]:
    people = User.objects.in_bulk({who for event in events if (who := _who(event)) is not None})
    previous: dict[tuple[type[models.Model], int], Any] = {}
    for model in {type(event) for event in events}:
        wanted = [event.previous_id for event in events if type(event) is model and getattr(event, "previous_id", None)]
        previous |= {(model, pk): row for pk, row in model.objects.in_bulk(wanted).items()}
    for event in events:
        model = type(event)
        yield Entry(
            at=event.pgh_created_at,
            deed=event.pgh_label,
            model=_followed(model),
            key=getattr(event, "pgh_obj_id", None),
            name=_name(event),
            who=people.get(_who(event)),
            path=(event.pgh_context.metadata or {}).get("url", "") if event.pgh_context else "",
            program=str((event.pgh_context.metadata or {}).get("api_key", "")) if event.pgh_context else "",
            differences=list(_differences(event, previous.get((model, getattr(event, "previous_id", None) or 0)))),
        )


def _who(event: Any) -> int | None:
    who = (event.pgh_context.metadata or {}).get("user") if event.pgh_context else None
    return who if isinstance(who, int) else None


def _name(event: Any) -> str:
    for field_name in ("name", "username", "number", "url", "model", "scope", "base"):
        if value := getattr(event, field_name, ""):
            return str(value)
    return ""


def _differences(event: Any, before: Any) -> Iterator[Difference]:
    """Of an update what changed; of a bond what it ties. What was made or deleted is told by its name."""
    fields = [each for each in type(event)._meta.get_fields() if isinstance(each, models.Field) and not each.name.startswith("pgh_")]
    fields = [each for each in fields if each.name != "id"]
    if not _has_snapshots(type(event)):
        is_tied = event.pgh_label == "insert"
        for each in fields:
            value = getattr(event, each.attname)
            yield Difference(each, None if is_tied else value, value if is_tied else None)
    elif event.pgh_label == "update" and before is not None:
        for each in fields:
            old, new = getattr(before, each.attname), getattr(event, each.attname)
            if old != new:
                yield Difference(each, old, new)


def moment(text: str) -> datetime | None:
    """The cursor of a page; None for nonsense, which begins at the newest."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
