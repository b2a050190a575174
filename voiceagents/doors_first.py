"""The carrier's doors are reached before everything that is there for people: sessions, languages, content policies, login guards.

Its machines send hundreds of reports in a minute, and the whole chain doubled what a request costs before its door begins to work, most of
it for changing between threads and the event loop. What a door needs of it is done here: the host is checked, an answer has its length.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch, resolve

CARRIERS: Final = "/api/v1/webhooks/"
# A door that waits for Postgres gives up after two seconds: this many may wait, the next ones queue behind them.
_callers: Final = ThreadPoolExecutor(max_workers=64, thread_name_prefix="door")
# Nobody waits for a callback, and its sender comes again: a flood of them queues by itself, and takes few turns from callers.
_callbacks: Final = ThreadPoolExecutor(max_workers=6, thread_name_prefix="callback")


def doors_first(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """The middleware, where no `Doors` stand before it."""
    return lambda request: _at_door(request, _door(request)) if _is_for_door(request) else get_response(request)


class Doors(ASGIHandler):
    """Django's entry for a server of events. A middleware would not do: with a blocking one behind it, Django runs it in a thread of the
    request's own, as many as come, and starts another to close it. What was delivered is kept also when its sender is gone meanwhile.
    """

    def __init__(self) -> None:
        super().__init__()
        self._doors = convert_exception_to_response(self._answer)
        self._of_caller, self._of_callback = (
            sync_to_async(_at_door, thread_sensitive=False, executor=each) for each in (_callers, _callbacks)
        )

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        if not scope["path"].startswith(CARRIERS):
            await super().handle(scope, receive, send)
            return
        with suppress(RequestAborted), closing(await self.read_body(receive)) as body:
            answer: Any
            request, answer = self.create_request(scope, body)
            if request is not None:
                answer = await self._doors(request)  # type: ignore[misc]  # the stubs leave it open whether it is awaited
                request.close()
            await self.send_response(answer, send)

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        door = _door(request)
        return await (self._of_callback if getattr(door.func, "comes_again", False) else self._of_caller)(request, door)


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
