"""Tells Postgres who is behind a change. Only for requests that people and their programs make: the carrier's doors change no settings."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from pghistory.middleware import HistoryMiddleware

# Reports of calls, hundreds in a minute.
_CARRIERS = "/api/v1/webhooks/"
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class WhoMiddleware(HistoryMiddleware):
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        super().__init__(get_response)
        self._plain = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in _CHANGING or request.path.startswith(_CARRIERS):
            return self._plain(request)
        answer: HttpResponse = super().__call__(request)
        return answer
