"""`/healthz`: this process answers. `/readyz`: what it needs answers too."""

from collections.abc import Callable

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError


@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 if Postgres and Valkey answer, else 503; the body names each."""
    parts = {"postgres": _answers(_ask_postgres), "valkey": _answers(_ask_valkey)}
    ready = all(parts.values())
    body = {"status": "ok" if ready else "unavailable", **{name: "ok" if up else "down" for name, up in parts.items()}}
    return JsonResponse(body, status=200 if ready else 503)


def _ask_postgres() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_valkey() -> None:
    cache.get("readyz")


def _answers(ask: Callable[[], None]) -> bool:
    try:
        ask()
    except (DatabaseError, RedisError, OSError):
        return False
    return True
