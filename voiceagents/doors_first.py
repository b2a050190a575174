"""The carrier's doors are reached before everything that is there for people: sessions, languages, content policies, login guards.

Its machines send hundreds of reports in a minute, and the whole chain doubled what a request costs before its door begins to work, most of
it for changing between threads and the event loop. What a door needs of it is done here: the host is checked, an answer has its length.
"""

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch, resolve
from django.utils.decorators import sync_and_async_middleware

CARRIERS: Final = "/api/v1/webhooks/"
# A door that waits for Postgres gives up after two seconds: this many may wait, the next ones queue behind them.
_callers: Final = ThreadPoolExecutor(max_workers=64, thread_name_prefix="door")
# Nobody waits for a callback, and its sender comes again: a flood of them queues by itself, and takes few turns from callers.
_callbacks: Final = ThreadPoolExecutor(max_workers=6, thread_name_prefix="callback")

Answer = HttpResponse | Awaitable[HttpResponse]


@sync_and_async_middleware
def doors_first(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Answer]:
    if not iscoroutinefunction(get_response):
        return lambda request: _at_door(request, _door(request)) if _is_for_door(request) else get_response(request)
    of_caller, of_callback = (sync_to_async(_at_door, thread_sensitive=False, executor=each) for each in (_callers, _callbacks))

    async def respond(request: HttpRequest) -> HttpResponse:
        if not _is_for_door(request):
            answer: HttpResponse = await get_response(request)
            return answer
        door = _door(request)
        return await (of_callback if getattr(door.func, "comes_again", False) else of_caller)(request, door)

    return respond


def _is_for_door(request: HttpRequest) -> bool:
    return request.path_info.startswith(CARRIERS)


def _door(request: HttpRequest) -> ResolverMatch:
    """Raises `DisallowedHost` and `Resolver404`, which Django answers with 400 and 404."""
    request.get_host()
    request.resolver_match = resolve(request.path_info)
    return request.resolver_match


def _at_door(request: HttpRequest, door: ResolverMatch) -> HttpResponse:
    answer: HttpResponse = door.func(request, *door.args, **door.kwargs)
    answer.headers.setdefault("Content-Length", str(len(answer.content)))
    answer.headers.setdefault("X-Content-Type-Options", "nosniff")
    return answer
