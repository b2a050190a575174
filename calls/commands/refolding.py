"""Rebuilds a call's columns from its events, for when they disagree: after a change of the fold, or of a row by hand."""

from typing import Any

from django.db import transaction

from calls import broadcast
from calls.commands.timeline import events_of
from calls.models import CallLog, Session
from calls.timeline import COLUMNS, fold


def refold(session: Session, *, write: bool) -> dict[str, tuple[Any, Any]]:
    """Each column that differs from what the events say, as it is and as they say. With `write`, their word is stored."""
    with transaction.atomic():
        log = CallLog.objects.select_for_update(no_key=True).get(session=session)
        facts = fold(events_of(session))
        told = {name: getattr(facts, name) for name in COLUMNS}
        differing = {name: (getattr(log, name), value) for name, value in told.items() if getattr(log, name) != value}
        if differing and write:
            CallLog.objects.filter(pk=log.pk).update(**{name: value for name, (_, value) in differing.items()})
            broadcast.call_changed_on_commit(session)
    return differing
