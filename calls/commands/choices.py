"""What people chose for their list of calls, and the audit line of what they took out of it."""

from collections.abc import Mapping, Sequence

import structlog
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.utils import timezone

from calls.models import CallExport, ChosenColumns, SavedView

logger = structlog.get_logger()

Person = AbstractBaseUser | AnonymousUser
MOST_VIEWS = 40


class TooManyViews(Exception):
    message = f"You have {MOST_VIEWS} saved views. Delete one that you no longer need, then save this one."


def save_view(user: Person, name: str, query: Mapping[str, str], columns: Sequence[str]) -> SavedView:
    """Keeps a view under a name of the user's; a view of that name is replaced. Raises `TooManyViews`."""
    with transaction.atomic():
        if SavedView.objects.filter(user_id=user.pk or 0).exclude(name=name).count() >= MOST_VIEWS:
            raise TooManyViews
        view, _ = SavedView.objects.update_or_create(
            user_id=user.pk or 0, name=name, defaults={"query": dict(query), "columns": list(columns)}
        )
    return view


def delete_view(user: Person, view_id: int) -> bool:
    """False if the user has no such view."""
    deleted, _ = SavedView.objects.filter(user_id=user.pk or 0, pk=view_id).delete()
    return bool(deleted)


def choose_columns(user: Person, columns: Sequence[str]) -> None:
    ChosenColumns.objects.update_or_create(user_id=user.pk or 0, defaults={"columns": list(columns)})


def begin_export(user: Person, form: str, query: Mapping[str, str], *, with_numbers: bool) -> CallExport:
    """The audit line, written before the first call leaves."""
    export = CallExport.objects.create(user_id=user.pk or 0, form=form, query=dict(query), with_numbers=with_numbers)
    logger.info("calls_export_began", export_id=export.pk, user_id=user.pk or 0, form=form, with_numbers=with_numbers)
    return export


def note_export(export: CallExport, calls: int, *, is_over: bool = False) -> None:
    """How many calls have been written by now."""
    CallExport.objects.filter(pk=export.pk).update(calls=calls, ended_at=timezone.now() if is_over else None)
    if is_over:
        logger.info("calls_exported", export_id=export.pk, calls=calls)
