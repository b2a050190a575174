"""What the fake S3 says: its errors and its lists, in XML."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from secrets import token_hex
from xml.etree.ElementTree import Element, SubElement, tostring

from starlette.responses import Response

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_XML = "application/xml"
_CODES = {
    400: "InvalidRequest",
    403: "AccessDenied",
    404: "NoSuchKey",
    409: "OperationAborted",
    429: "SlowDown",
    500: "InternalError",
    503: "SlowDown",
}

Fields = Mapping[str, "str | int | bool | Fields"]


class Refused(Exception):
    """A request that S3 answers with an error document."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def by_status(status: int) -> Refused:
    """The error that S3 would send with an HTTP status, for ordered faults."""
    code = _CODES.get(status, "InternalError" if status >= 500 else "InvalidRequest")
    return Refused(status, code, f"Ordered failure with status {status}.")


def request_headers() -> dict[str, str]:
    """The headers behind every answer: identification, and leave for a browser to read it."""
    return {
        "x-amz-request-id": token_hex(8).upper(),
        "x-amz-id-2": token_hex(16),
        "server": "SimulatedS3",
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "ETag, Content-Range, Content-Length, Accept-Ranges",
    }


def error_answer(refused: Refused, resource: str, *, has_body: bool = True) -> Response:
    """An error document; a HEAD gets the status alone."""
    headers = request_headers()
    root = Element("Error")
    fields = {"Code": refused.code, "Message": str(refused), "Resource": resource, "RequestId": headers["x-amz-request-id"]}
    for name, value in fields.items():
        SubElement(root, name).text = value
    return Response(_document(root) if has_body else b"", refused.status, headers, _XML)


def xml_answer(name: str, fields: Fields, lists: Iterable[tuple[str, Fields]] = ()) -> Response:
    """A result document: plain fields, then repeated elements."""
    root = Element(name, xmlns=_NAMESPACE)
    _fill(root, fields)
    for item, inner in lists:
        _fill(SubElement(root, item), inner)
    return Response(_document(root), 200, request_headers(), _XML)


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _fill(element: Element, fields: Fields) -> None:
    for name, value in fields.items():
        child = SubElement(element, name)
        if isinstance(value, Mapping):
            _fill(child, value)
        else:
            child.text = str(value).lower() if isinstance(value, bool) else str(value)


def _document(root: Element) -> bytes:
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))
