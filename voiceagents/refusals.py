"""A refusal in the shape that whoever asked can read: a problem (RFC 9457) for programs, a page for people."""

import json
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.translation import gettext as _

CONTENT_TYPE: Final = "application/problem+json"
API: Final = "/api/"


def problem(status: int, detail: str = "") -> dict[str, Any]:
    known: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return {**known, "detail": detail} if detail else known


def refused(request: HttpRequest, why: str = "") -> HttpResponse:
    """A 400 with this reason: a problem for programs, a page for people, a notice where only a part of a page was asked for."""
    why = why or _("The request could not be read: its address, headers or encoding make no sense.")
    if request.path_info.startswith(API):
        return JsonResponse(problem(HTTPStatus.BAD_REQUEST, why), status=HTTPStatus.BAD_REQUEST, content_type=CONTENT_TYPE)
    headers = {"HX-Trigger": json.dumps({"notice": why})} if "HX-Request" in request.headers else {}
    # Without the request: whoever sent it may be nobody that a page could be made for.
    return HttpResponse(loader.get_template("400.html").render({"why": why}), status=HTTPStatus.BAD_REQUEST, headers=headers)
