"""Every refusal of the API as one JSON shape (RFC 9457): what is wrong in `detail`, field by field in `errors`."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect, JsonResponse
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import exception_handler

from agents.api_fields import TooLarge
from voiceagents.refusals import API, CONTENT_TYPE, problem, refused


class JSONAlways(DefaultContentNegotiation):
    """The API speaks JSON to everybody: a client that asks for something else can read an answer better than a 406."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        chosen = next(iter(renderers))
        return chosen, chosen.media_type or "application/json"


def as_problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. An error that is not meant for the client stays one: None lets it be reported and answered with 500."""
    if isinstance(error, RequestDataTooBig):
        error = TooLarge()
    response = exception_handler(error, context)
    if response is None:
        return None
    facts = response.data
    told = problem(response.status_code)
    if isinstance(facts, dict) and set(facts) == {"detail"}:
        told["detail"] = str(facts["detail"])
    else:
        told["detail"] = " ".join(f"{path}: {message}" if path else message for path, message in _flat(facts)) or told["title"]
        told["errors"] = facts if isinstance(facts, dict) else {"non_field_errors": facts}
    response.data = told
    response.content_type = CONTENT_TYPE
    return response


def _flat(facts: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(facts, dict):
        for name, inner in facts.items():
            yield from _flat(inner, path if name == "non_field_errors" else f"{path}.{name}".lstrip("."))
    elif isinstance(facts, list | tuple):
        for inner in facts:
            yield from _flat(inner, path)
    elif facts is not None:
        yield path, str(facts)


@csrf_exempt
def nowhere(request: HttpRequest) -> HttpResponse:
    """What no path of the API is. One that only lacks its last slash leads on, with its method and body."""
    if not request.path.endswith("/"):
        try:
            found = resolve(f"{request.path}/")
        except Resolver404:
            found = None
        if found is not None and found.func is not nowhere:
            query = f"?{request.META['QUERY_STRING']}" if request.META.get("QUERY_STRING") else ""
            return HttpResponsePermanentRedirect(f"{request.path}/{query}", preserve_request=True)
    detail = _("There is nothing at %(path)s. GET /api/v1/schema/ lists every path.") % {"path": request.path[:200]}
    return JsonResponse(problem(HTTPStatus.NOT_FOUND, detail), status=HTTPStatus.NOT_FOUND, content_type=CONTENT_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django itself refuses before a page or a door is reached."""
    return refused(request)


def server_error(request: HttpRequest) -> HttpResponse:
    """Our own failure, told to a program in the shape that it reads."""
    if not request.path.startswith(API):
        return defaults.server_error(request)
    detail = _("This is our failure, and it has been logged. A request with an Idempotency-Key can be sent again without harm.")
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return JsonResponse(problem(status, detail), status=status, content_type=CONTENT_TYPE)
