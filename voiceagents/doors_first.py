"""The carrier's doors are reached before everything that is there for people: sessions, languages, content policies, login guards.

Its machines send hundreds of reports in a minute, and the whole chain doubled what a request costs before its door begins to work, most of
it for changing between threads and the event loop. What a door needs of it is done here: the host is checked, an answer has its length.
"""

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.urls import resolve
from django.utils.decorators import sync_and_async_middleware

CARRIERS: Final = "/api/v1/webhooks/"
# A door that waits for Postgres gives up after two seconds: this many may wait, the next ones queue behind them.
_MOST_AT_ONCE: Final = 64
_threads: Final = ThreadPoolExecutor(max_workers=_MOST_AT_ONCE, thread_name_prefix="door")

Answer = HttpResponse | Awaitable[HttpResponse]


@sync_and_async_middleware
def doors_first(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Answer]:
    if not iscoroutinefunction(get_response):
        return lambda request: _at_door(request) if _is_for_door(request) else get_response(request)
    at_door = sync_to_async(_at_door, thread_sensitive=False, executor=_threads)

    async def respond(request: HttpRequest) -> HttpResponse:
        answer: HttpResponse = await (at_door(request) if _is_for_door(request) else get_response(request))
        return answer

    return respond


def _is_for_door(request: HttpRequest) -> bool:
    return request.path_info.startswith(CARRIERS)


def _at_door(request: HttpRequest) -> HttpResponse:
    """What the door answers. Raises `DisallowedHost` and `Resolver404`, which Django answers with 400 and 404."""
    request.get_host()
    match = request.resolver_match = resolve(request.path_info)
    answer: HttpResponse = match.func(request, *match.args, **match.kwargs)
    answer.headers.setdefault("Content-Length", str(len(answer.content)))
    answer.headers.setdefault("X-Content-Type-Options", "nosniff")
    return answer
