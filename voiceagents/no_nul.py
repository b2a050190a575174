"""No row can keep the character NUL, and Postgres' refusal would be a failure of ours. So a request that holds one is refused before any
page or door reads it: in its address, form, cookies or password.

JSON is judged where it is read (`agents.api_fields`), and what the carrier delivers by its own doors, which stand before this.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from django.conf import settings
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
        return _refusal(request, _texts(request)) or self._get_response(request)

    def process_view(self, request: HttpRequest, *_view: object) -> HttpResponse | None:
        """Forms, once there is somebody to read them."""
        return _refusal(request, _form(request))


def _refusal(request: HttpRequest, texts: Iterable[str]) -> HttpResponse | None:
    if not any(NUL in text for text in texts):
        return None
    return refused(request, _("What was sent holds a character that no text has (NUL). Take it out, and send it again."))


def without_nul(sockets: Any) -> Any:
    """The same for sockets: one whose address or cookies hold a NUL is not opened."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        told = (parse_cookie(value.decode("latin-1")) for name, value in scope["headers"] if name == b"cookie")
        if any(NUL in text for text in (scope["path"], *(text for cookies in told for text in _ours(cookies)))):
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await sockets(scope, receive, send)

    return application


def _texts(request: HttpRequest) -> Iterator[str]:
    yield request.path_info
    if "%00" in request.META.get("QUERY_STRING", ""):
        yield from _of(request.GET)
    yield from _ours(request.COOKIES)
    yield _password(request.META.get("HTTP_AUTHORIZATION", ""))


def _form(request: HttpRequest) -> Iterator[str]:
    # The API takes no forms: it refuses them unread.
    if request.method == "POST" and request.content_type in _FORMS and not request.path_info.startswith(API):
        try:
            yield from _of(request.POST)
        except UnreadablePostError:
            return  # its sender is gone


def _ours(cookies: Mapping[str, str]) -> Iterable[str]:
    """What other sites of the same domain have left in the browser is not read, so it is nobody's fault."""
    read = (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, settings.LANGUAGE_COOKIE_NAME)
    return (cookies[name] for name in read if name in cookies)


def _of(sent: QueryDict) -> Iterable[str]:
    return (text for name, values in sent.lists() for text in (name, *values))


def _password(header: str) -> str:
    """The name and the password of somebody who sends them with each request."""
    words = header.split(None, 1)
    if len(words) < 2 or words[0].lower() != "basic":
        return ""
    try:
        return base64.b64decode(words[1]).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""
