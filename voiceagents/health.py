"""`/healthz`: this process answers. `/readyz`: what it needs answers too. `/metrics`: the same as numbers.

While Postgres is away the doors still work (deliveries are spooled), so whoever balances sends webhooks by `/healthz`, people by `/readyz`.
"""

from collections.abc import Callable

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from telephony import line_health
from telephony.away import DATABASE, Away


@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 if Postgres and Valkey answer, else 503; the body names each."""
    parts = {"postgres": _answers(_ask_postgres), "valkey": _answers(_ask_valkey)}
    ready = all(parts.values())
    body: dict[str, object] = {"status": "ok" if ready else "unavailable", **{name: "ok" if up else "down" for name, up in parts.items()}}
    waits = line_health.spooled()
    body["webhooks_spooled"] = waits.deliveries if waits is not None else "unreadable"
    return JsonResponse(body, status=200 if ready else 503)


@require_safe
def metrics(_request: HttpRequest) -> HttpResponse:
    """Prometheus' text format. Answers while Postgres is away, too."""
    return HttpResponse(line_health.metrics(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _ask_postgres() -> None:
    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    DATABASE.ask(ask)


def _ask_valkey() -> None:
    cache.get("readyz")


def _answers(ask: Callable[[], None]) -> bool:
    try:
        ask()
    except (DatabaseError, Away, RedisError, OSError):
        return False
    return True
