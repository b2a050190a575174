"""No row can keep the character NUL, and Postgres' refusal would be a failure of ours. So a request that holds one is refused before any
page or door reads it: in its address, form, cookies or password.

JSON is judged where it is read (`agents.api_fields`), and what the carrier delivers by its own doors, which stand before this.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, QueryDict, parse_cookie
from django.http.request import UnreadablePostError
from django.utils.translation import gettext as _

from voiceagents.refusals import API, refused

NUL: Final = "\0"
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class NoNulMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if any(NUL in text for text in _texts(request)):
            why = _("What was sent holds a character that no text has (NUL). Take it out, and send it again.")
            return refused(request, why)
        return self._get_response(request)


def without_nul(sockets: Any) -> Any:
    """The same for sockets: one whose address or cookies hold a NUL is not opened."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        cookies = (text for name, value in scope["headers"] if name == b"cookie" for text in parse_cookie(value.decode("latin-1")).values())
        if any(NUL in text for text in (scope["path"], *cookies)):
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await sockets(scope, receive, send)

    return application


def _texts(request: HttpRequest) -> Iterator[str]:
    yield request.path_info
    if "%00" in request.META.get("QUERY_STRING", ""):
        yield from _of(request.GET)
    yield from request.COOKIES.values()
    yield _password(request.META.get("HTTP_AUTHORIZATION", ""))
    # The API takes no forms: it refuses them unread.
    if request.method == "POST" and request.content_type in _FORMS and not request.path_info.startswith(API):
        try:
            yield from _of(request.POST)
        except UnreadablePostError:
            return  # its sender is gone


def _of(sent: QueryDict) -> Iterable[str]:
    return (text for name, values in sent.lists() for text in (name, *values))


def _password(header: str) -> str:
    """The name and the password of somebody who sends them with each request."""
    scheme, _space, told = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(told).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""
