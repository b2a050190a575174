"""What a delivery carries, however Exotel wrote it: query, form, multipart and JSON merged into one mapping, checked, secrets taken out."""

import re
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import msgspec
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParser, MultiPartParserError

MAX_BODY_BYTES = 1024 * 1024
_MAX_DEPTH = 8
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s\"']+@")
_MEDIA_TOKEN = re.compile(r"(/api/v1/media/exotel/)[^\s?\"'}]+")


class Unreadable(Exception):
    """The delivery is not one: `status` is the HTTP answer, `message` says what is wrong with it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def read(request: HttpRequest) -> dict[str, Any]:
    """Every parameter of the request, the body's before the query's. Raises `Unreadable`."""
    try:
        params = {**_flat(request.GET), **_body(request)}
    except (SuspiciousOperation, MultiPartParserError) as error:
        raise Unreadable(
            400, "The form cannot be read. Send it as application/x-www-form-urlencoded, multipart/form-data or JSON."
        ) from error
    _check(params, 0)
    return params


def _body(request: HttpRequest) -> dict[str, Any]:
    """What the body says, whatever the method: some clients send a form or JSON with their GET."""
    try:
        announced = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        announced = 0
    # A body may come without its length, so what was announced is checked first and what has come is checked again.
    raw = b"" if announced > MAX_BODY_BYTES else request.read(MAX_BODY_BYTES + 1)
    if announced > MAX_BODY_BYTES or len(raw) > MAX_BODY_BYTES:
        raise Unreadable(413, f"The body has more than {MAX_BODY_BYTES} bytes. No delivery of a carrier is that large.")
    if not raw.strip():
        return {}
    kind = (request.content_type or "").lower()
    if kind == "multipart/form-data":
        meta = {**request.META, "CONTENT_LENGTH": str(len(raw))}
        form, _files = MultiPartParser(meta, BytesIO(raw), [], "utf-8").parse()
        return _flat(form)
    if kind.endswith("json") or raw.lstrip()[:1] in (b"{", b"["):
        return _json(raw)
    return _flat(QueryDict(raw, encoding="utf-8"))


def _json(raw: bytes) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Unreadable(400, "The body is not valid JSON.") from error
    if not isinstance(told, dict):
        raise Unreadable(400, "The JSON body must be an object with one member for each parameter.")
    return told


def _flat(form: QueryDict) -> dict[str, Any]:
    """A repeated name keeps its last value; a name ending in `[]` keeps them all."""
    return {name: values if name.endswith("[]") else values[-1] for name, values in form.lists() if values}


def _check(value: object, depth: int) -> None:
    """Refuses what Postgres cannot store: NUL and half a surrogate pair in text; and nesting that no carrier sends."""
    if depth > _MAX_DEPTH:
        raise Unreadable(400, "The parameters are nested too deeply.")
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise Unreadable(400, "A parameter holds characters that are no text.")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            _check(name, depth + 1)
            _check(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth + 1)


def without_secrets(params: Mapping[str, Any], secrets: tuple[str, ...]) -> dict[str, Any]:
    """`params` as they may be stored: without `key`, and without credentials or tokens of ours inside an address."""
    return {name: _clean(value, secrets) for name, value in params.items() if name.lower() != "key"}


def _clean(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        value = _MEDIA_TOKEN.sub(r"\1***", _CREDENTIALS.sub("***@", value))
        for secret in secrets:
            value = value.replace(secret, "***")
        return value
    if isinstance(value, Mapping):
        return {name: _clean(inner, secrets) for name, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner, secrets) for inner in value]
    return value
