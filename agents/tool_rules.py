"""Whether a destination or a tool can work as it is written, and what to write instead. Asks nobody outside: forms must not hang.

Whether an address may be reached is decided at the socket, when it is known which machine it is (`providers.operator_http`).
"""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import phonenumbers
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from agents import variables

if TYPE_CHECKING:
    from agents.tool_rows import HttpTool

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
RESERVED: Final = frozenset({"end_call", "transfer_call", "collect_digits"})
MOST_SCHEMA_CHARACTERS = 8000
MOST_HEADERS = 20
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]{0,2000}")
# Ours to set: the body's size and kind, the connection, and what makes a repeat recognisable.
_OUR_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type", "idempotency-key", "upgrade"})
PATH_ARGUMENT: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_WITHOUT_VARIABLES = re.compile(r"\{\{[^{}]*\}\}")


def clean_numbers(numbers: object, most: int) -> list[str]:
    """The numbers in E.164. Raises `ValidationError` for the field `numbers`."""
    listed = [part.strip() for part in re.split(r"[,\n]", numbers)] if isinstance(numbers, str) else numbers
    if not isinstance(listed, list) or not 1 <= len(listed) <= most:
        raise ValidationError({"numbers": _("Write a list of 1 to %(most)d numbers.") % {"most": most}})
    clean = []
    for number in listed:
        try:
            parsed = phonenumbers.parse(str(number), "IN")
        except phonenumbers.NumberParseException:
            parsed = None
        if parsed is None or not phonenumbers.is_possible_number(parsed):
            message = _("“%(number)s” is not a phone number. Write it with its country code, for example +919876543210.")
            raise ValidationError({"numbers": message % {"number": str(number)[:40]}})
        clean.append(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    return list(dict.fromkeys(clean))


def sentence_problem(text: str) -> str:
    """Why a prepared sentence cannot be said; empty if it can."""
    return unknown_problem(variables.unknown(text or ""))


def unknown_problem(names: list[str]) -> str:
    if not names:
        return ""
    written = ", ".join("{{" + name + "}}" for name in names)
    return _("There is no %(names)s. There are: %(known)s.") % {"names": written, "known": variables.EXAMPLES}


def http_tool_problems(tool: "HttpTool") -> dict[str, str]:
    """What keeps a tool from working, by field; empty if nothing does."""
    found = {
        "name": _name_problem(tool.name or ""),
        "parameters": _schema_problem(tool.parameters),
        "url": _url_problem(tool.url or "", tool.parameters),
        "headers": _headers_problem(tool.headers),
        "secret_headers": secrets_problem(tool.secret_headers),
        "fixed": _fixed_problem(tool.fixed),
        "meanwhile": sentence_problem(tool.meanwhile),
        "timeout_ms": "" if 500 <= (tool.timeout_ms or 0) <= 20_000 else _("Write a time-out from 500 to 20000 ms."),
    }
    return {field: problem for field, problem in found.items() if problem}


def _name_problem(name: str) -> str:
    if not _NAME.fullmatch(name):
        return _("Use small letters, digits and _, for example book_appointment.")
    return _("The agent has a tool %(name)s of its own. Choose another name.") % {"name": name} if name in RESERVED else ""


def _schema_problem(schema: object) -> str:
    if not isinstance(schema, Mapping):
        return _("Write a JSON Schema object, or nothing.")
    if schema.get("type", "object") != "object" or not isinstance(schema.get("properties", {}), Mapping):
        return _('The schema must describe an object: {"type": "object", "properties": {…}}.')
    if not all(isinstance(each, Mapping) for each in schema.get("properties", {}).values()):
        return _('Each property must be described by an object, for example {"type": "string"}.')
    required = schema.get("required", [])
    if not isinstance(required, list) or [name for name in required if name not in schema.get("properties", {})]:
        return _("required must list names of properties.")
    return _("The schema is too long: every reply reads it. Shorten it.") if len(json.dumps(schema)) > MOST_SCHEMA_CHARACTERS else ""


def _url_problem(url: str, schema: object) -> str:
    plain = _WITHOUT_VARIABLES.sub("x", url)
    try:
        parts = urlsplit(PATH_ARGUMENT.sub("x", plain))
        _port = parts.port
    except ValueError:
        return _("This is not an address. Write for example https://api.example.com/orders/{order_id}.")
    schemes = ("https", "http") if settings.TOOL_ALLOWED_NETWORKS else ("https",)
    if parts.scheme not in schemes or not parts.hostname:
        return _("The address must start with https:// and name a host.")
    if parts.username or parts.password or parts.fragment:
        return _("Leave names, passwords and #… out of the address. Put secrets into the secret headers.")
    head = plain.split("/", 3)[:3]
    if any("{" in part or "}" in part for part in head) or any("{{" in part for part in url.split("/", 3)[:3]):
        return _("The host must be fixed: only the path and the query may hold arguments.")
    properties = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    missing = [name for name in PATH_ARGUMENT.findall(plain) if name not in properties]
    if missing:
        return _("{%(name)s} stands in the address, but is no property of the parameters.") % {"name": missing[0]}
    return unknown_problem(variables.unknown(url))


def _headers_problem(headers: object) -> str:
    if not isinstance(headers, Mapping) or len(headers) > MOST_HEADERS:
        return _("Write an object of at most %(most)d headers.") % {"most": MOST_HEADERS}
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(str(name)) or not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            return _("%(name)s cannot be sent as a header: use plain letters, and text without line breaks.") % {"name": str(name)[:64]}
        if str(name).lower() in _OUR_HEADERS:
            return _("%(name)s is set by us. Leave it out.") % {"name": name}
    return ""


def secrets_problem(stored: Any) -> str:
    try:
        headers = json.loads(stored or "{}")
    except ValueError:
        return _('Write a JSON object, for example {"Authorization": "Bearer …"}.')
    return _headers_problem(headers)


def _fixed_problem(fixed: object) -> str:
    if not isinstance(fixed, Mapping):
        return _("Write an object of names and values.")
    return unknown_problem([name for value in fixed.values() if isinstance(value, str) for name in variables.unknown(value)])
