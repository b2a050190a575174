"""Exotel's refusals as one typed error each, with a sentence for the operator and the answer to "is it worth another try?".

The message repeats Exotel's own words only with every number masked: a DND refusal names the person's phone.
"""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

_DIGITS: Final = re.compile(r"\+?\d[\d\s().-]{5,}\d|[0-9X]{8,}")
_MAX_WORDS: Final = 160


class CarrierCategory(StrEnum):
    BAD_REQUEST = "bad-request"
    AUTHENTICATION = "authentication"
    PAYMENT = "payment"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    UNSUPPORTED = "unsupported"
    BUSY = "busy"
    RATE_LIMITED = "rate-limited"
    SERVER = "server"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    PROTOCOL = "protocol"


class CarrierError(Exception):
    """Exotel did not do what was asked. `message` is for operators; `status` is the HTTP status, 0 if there was no answer.

    `retry_after_s`: when another try makes sense, if that is known.
    """

    def __init__(
        self, category: CarrierCategory, message: str, *, retryable: bool, status: int = 0, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.category = category
        self.message = message
        self.retryable = retryable
        self.status = status


class OutcomeUnknown(CarrierError):
    """A call was asked for and nobody knows whether Exotel places it. Never ask again: find out from the list of calls."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(CarrierCategory.TIMEOUT if status == 0 else CarrierCategory.SERVER, message, retryable=False, status=status)


class Held(CarrierError):
    """Exotel was not asked at all: the account's requests of this minute are used up. Ask again in `wait_s`; it counts as no try."""

    def __init__(self, wait_s: float) -> None:
        message = "Exotel's limit of requests per minute is used up. This one waits for its turn."
        super().__init__(CarrierCategory.RATE_LIMITED, message, retryable=True, retry_after_s=wait_s)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class _Meaning:
    category: CarrierCategory
    retryable: bool
    advice: str


_BY_STATUS: Final = {
    400: _Meaning(CarrierCategory.BAD_REQUEST, False, "Exotel found a parameter wrong. Check the numbers and the exophone."),
    401: _Meaning(
        CarrierCategory.AUTHENTICATION, False, "Exotel refused our credentials. Check EXOTEL_API_KEY, EXOTEL_API_TOKEN and EXOTEL_SID."
    ),
    402: _Meaning(CarrierCategory.PAYMENT, False, "Exotel asks for payment. Top up the account's credit."),
    403: _Meaning(
        CarrierCategory.FORBIDDEN,
        False,
        "Exotel does not permit this: the number is on the do-not-disturb list, or the account lacks the feature.",
    ),
    404: _Meaning(CarrierCategory.NOT_FOUND, False, "Exotel does not know this. Check EXOTEL_SID, EXOTEL_SUBDOMAIN and the call's id."),
    405: _Meaning(CarrierCategory.UNSUPPORTED, False, "Exotel does not offer this."),
    408: _Meaning(CarrierCategory.TIMEOUT, True, "Exotel gave up waiting."),
    429: _Meaning(CarrierCategory.RATE_LIMITED, True, "Exotel's limit of calls per minute is reached. Place fewer calls at once."),
}
_BY_CODE: Final = {  # of the v2 envelope
    1002: _BY_STATUS[400],
    1010: _BY_STATUS[401],
    10706: _Meaning(CarrierCategory.BUSY, True, "The line is busy. Try later."),
    10716: _Meaning(CarrierCategory.NOT_FOUND, False, "Exotel does not know this exophone on the account. Check the phone's number."),
    10724: _BY_STATUS[429],
    10744: _Meaning(CarrierCategory.NOT_FOUND, False, "Exotel does not know this call."),
}
_SERVER: Final = _Meaning(CarrierCategory.SERVER, True, "Exotel failed on its side.")
_OTHER: Final = _Meaning(CarrierCategory.BAD_REQUEST, False, "Exotel refused the request.")
_STRANGE: Final = _Meaning(CarrierCategory.PROTOCOL, False, "This was not Exotel's API. Check EXOTEL_BASE_URL and EXOTEL_SUBDOMAIN.")


def from_answer(status: int, body: bytes, retry_after: str = "") -> CarrierError:
    """The error that an answer other than success means: JSON or XML `RestException`, the v2 envelope, or anything else.

    `retry_after` is the header of that name: seconds. A date, which Exotel is not known to send, is not read.
    """
    words, code, told_status = _explained(body)
    effective = status if status >= 400 else told_status
    meaning = _BY_CODE.get(code) or _BY_STATUS.get(effective)
    if meaning is None:
        meaning = _SERVER if effective >= 500 else _OTHER if 400 <= effective < 500 else _STRANGE
    message = f"{meaning.advice} (HTTP {status}{f', code {code}' if code else ''})"
    if said := safe_words(words):
        message = f"{message} Exotel says: {said}"
    wait_s = float(retry_after) if retry_after.strip().isascii() and retry_after.strip().isdigit() else None
    return CarrierError(meaning.category, message, retryable=meaning.retryable, status=status, retry_after_s=wait_s)


def safe_words(text: str) -> str:
    """Exotel's sentence without anybody's number, on one line and of a length that fits a row."""
    told = "".join(character if character.isprintable() else " " for character in text)
    return _DIGITS.sub("•••", " ".join(told.split()))[:_MAX_WORDS]


def refusal_in(body: Any) -> CarrierError | None:
    """The error inside a decoded answer that came with HTTP 200, as the v2 envelope does."""
    if isinstance(body, dict) and ("RestException" in body or _is_failed_envelope(body)):
        return from_answer(200, msgspec.json.encode(body))
    return None


def _is_failed_envelope(body: dict[str, Any]) -> bool:
    response = body.get("response")
    return isinstance(response, dict) and response.get("status") == "failure"


def _explained(body: bytes) -> tuple[str, int, int]:
    """Exotel's sentence, its code and the status it tells, as far as the body has them."""
    try:
        told: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        told = _from_xml(body)
    if not isinstance(told, dict):
        return "", 0, 0
    if isinstance(exception := told.get("RestException"), dict):
        return str(exception.get("Message") or ""), _number(exception.get("Code")), _number(exception.get("Status"))
    response = told.get("response")
    problem = response.get("error_data") if isinstance(response, dict) else None
    if isinstance(problem, dict):
        words = str(problem.get("description") or problem.get("message") or "")
        return words, _number(problem.get("code")), _number(told.get("http_code"))
    return "", 0, 0


def _from_xml(body: bytes) -> dict[str, Any] | None:
    root = xml_root(body)
    exception = root.find("RestException") if root is not None else None
    return None if exception is None else {"RestException": {child.tag: child.text or "" for child in exception}}


def xml_root(body: bytes) -> ET.Element | None:
    """The root of one of Exotel's XML answers; None for anything else. Documents that declare entities are not read at all."""
    if body.lstrip()[:1] != b"<" or b"<!" in body:
        return None
    try:
        return ET.fromstring(body)  # noqa: S314 - no document type gets this far, so there are no entities to expand
    except ET.ParseError:
        return None


def _number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0
