"""Tells Postgres who is behind a change. The carrier's requests do not come here (`voiceagents.doors_first`): they change no settings."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from pghistory.middleware import HistoryMiddleware

_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class WhoMiddleware(HistoryMiddleware):
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        super().__init__(get_response)
        self._plain = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in _CHANGING:
            return self._plain(request)
        answer: HttpResponse = super().__call__(request)
        return answer
