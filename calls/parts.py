"""The parts of many calls as flat lists for programs: sessions, turns, recordings, charges. Reads only, by key, newest first."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Q, QuerySet

from agents.visibility import own as visible
from calls.models import Charge, Recording, Session, Turn
from calls.queries import User, visible_sessions

# What a filter's name means on a session; the parts reach it through their session.
_OF_SESSION: Final = {
    "session_id": "session_id",
    "agent": "agent_id",
    "state": "state",
    "since": "created_at__gte",
    "until": "created_at__lt",
}
_OF_TURN: Final = {"speaker": "speaker", "interrupted": "interrupted", "latency_least_ms": "latency_ms__gte"}
_OF_RECORDING: Final = {"state": "state"}
_OF_CHARGE: Final = {
    "kind": "usage_line__kind",
    "provider": "usage_line__provider",
    "model": "usage_line__model",
    "currency": "currency",
    "unpriced": "amount__isnull",
}


def sessions(user: User, wanted: Mapping[str, Any]) -> QuerySet[Session]:
    return visible_sessions(user).filter(_condition(wanted, _OF_SESSION))


def turns(user: User, wanted: Mapping[str, Any]) -> QuerySet[Turn]:
    return _narrowed(Turn.objects.select_related("session"), user, wanted, _OF_TURN)


def recordings(user: User, wanted: Mapping[str, Any]) -> QuerySet[Recording]:
    rows = Recording.objects.select_related("session").prefetch_related("session__recording_deletions")
    return _narrowed(rows, user, wanted, _OF_RECORDING)


def charges(user: User, wanted: Mapping[str, Any]) -> QuerySet[Charge]:
    return _narrowed(Charge.objects.select_related("session", "usage_line"), user, wanted, _OF_CHARGE)


def _narrowed(rows: QuerySet[Any], user: User, wanted: Mapping[str, Any], own: Mapping[str, str]) -> QuerySet[Any]:
    through = {name: f"session__{path}" for name, path in _OF_SESSION.items() if name not in own}
    return visible(rows, user, "session__owner").filter(_condition(wanted, {**through, **own}))


def _condition(wanted: Mapping[str, Any], paths: Mapping[str, str]) -> Q:
    return Q(**{paths[name]: value for name, value in wanted.items() if name in paths})
