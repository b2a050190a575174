"""Exotel's two ways to answer: XML on the bare path, JSON behind `.json`. The same names in both."""

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulator.exotel.connecting import Refused


def wants_json(request: Request) -> bool:
    return request.url.path.endswith(".json") or "/v2_beta/" in request.url.path


def answer(request: Request, body: Mapping[str, Any], status: int = 200) -> Response:
    if wants_json(request):
        return JSONResponse(dict(body), status_code=status)
    root = Element("TwilioResponse")
    for name, value in body.items():
        _append(root, name, value)
    document = b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root)
    return Response(document, status_code=status, media_type="application/xml")


def refusal(request: Request, reason: Refused) -> Response:
    """A `RestException`. 429 says when to come back, as the newer portal describes."""
    response = answer(request, {"RestException": {"Status": reason.status, "Message": reason.message}}, reason.status)
    if reason.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Exotel"'
    if reason.status == 429:
        response.headers["Retry-After"] = "60"
    return response


def _append(parent: Element, name: str, value: Any) -> None:
    """Lists become repeated children named in the singular; nothing becomes an empty element."""
    child = SubElement(parent, name)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _append(child, key, inner)
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, Mapping) and len(inner) == 1:
                key, only = next(iter(inner.items()))
                _append(child, key, only)
            else:
                _append(child, name.removesuffix("s"), inner)
    elif value is not None:
        child.text = str(value)
