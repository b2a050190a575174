"""An operator's HTTP tool as the engine runs it: the model's arguments become one request, the answer becomes words for the model.

Secret headers are decrypted when the request is made and held by nobody. A tool that acts sends an idempotency key, so that the service too
can tell a repeat from a second wish.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import structlog
from channels.db import database_sync_to_async
from django.conf import settings

from agents import variables
from agents.encryption import Undecipherable
from agents.ledger import Ledger
from agents.spec import HttpToolSpec
from agents.tool_rules import PATH_ARGUMENT
from agents.tools import LEDGER_MS, NOT_AGAIN, Ran, SecretDigits, kept
from agents.variables import CallFacts
from engine.ports import ToolSpec
from engine.tools import Tool, ToolOutcome
from providers.operator_http import NotSent, OutcomeUnknown, ServiceAnswer, ServiceRequest, ask

logger = structlog.get_logger()

_LONGEST_ANSWER_CHARS = 6000
_SECRETS_LIMIT_S = 2.0
# Of their own: a database that hangs must not use up the threads in which names are looked up.
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="tools")
_PLACES = re.compile(r"(\{\{[^{}]*\}\})")


def http_tool(spec: HttpToolSpec, facts: CallFacts, secrets: SecretDigits, ledger: Ledger | None, session_id: str) -> Tool:
    """The tool of one call. Its own time-out ends it; the engine's is further away, so that what came of it is still written down."""

    async def body(arguments: dict[str, Any]) -> Ran:
        try:
            request = request_of(spec, arguments, facts, secrets, await _secret_headers(spec), session_id)
            answer = await ask(request, timeout_ms=spec.timeout_ms, allowed=settings.TOOL_ALLOWED_NETWORKS)
        except NotSent as error:
            logger.warning("tool_not_sent", tool=spec.name, reason=error.message)
            return Ran("failed", ToolOutcome(f"It could not be done: {error.message} Tell the caller that it is not possible now."))
        except OutcomeUnknown as error:
            logger.warning("tool_outcome_unknown", tool=spec.name, reason=error.message)
            return (
                Ran("unknown", ToolOutcome(NOT_AGAIN))
                if spec.acts
                else Ran("failed", ToolOutcome(f"{error.message} Try once more, or go on."))
            )
        return result_of(spec, answer, secrets)

    declared = ToolSpec(spec.name, spec.description, spec.parameters)
    meanwhile = variables.fill(spec.meanwhile, facts) or None
    return Tool(declared, kept(spec.name, body, ledger, acts=spec.acts), timeout_ms=spec.timeout_ms + LEDGER_MS, meanwhile=meanwhile)


def request_of(
    spec: HttpToolSpec,
    arguments: Mapping[str, Any],
    facts: CallFacts,
    secrets: SecretDigits,
    secret_headers: Mapping[str, str],
    session_id: str,
) -> ServiceRequest:
    """The request that these arguments mean. Raises `NotSent` if secret digits would go into an address, where they are kept in logs."""
    rest = dict(arguments)
    in_path = {name: rest.pop(name) for name in PATH_ARGUMENT.findall(_without_variables(spec.url)) if name in rest}
    fixed = {name: variables.fill(value, facts) if isinstance(value, str) else value for name, value in spec.fixed.items()}
    has_body = spec.method not in ("GET", "DELETE")
    shown = in_path if has_body else {**rest, **in_path}
    if any(secrets.get(value) is not None for value in shown.values()):
        raise NotSent("Secret digits can only be sent in a request's body, so not with this tool.")
    url = "".join(
        quote(variables.fill(part, facts), safe="") if part.startswith("{{") else PATH_ARGUMENT.sub(lambda m: _in_path(m, in_path), part)
        for part in _PLACES.split(spec.url)
    )
    headers = {**spec.headers, **secret_headers, "X-Session-Id": session_id}
    if spec.acts:
        headers["Idempotency-Key"] = idempotency_key(session_id, spec.name, arguments)
    payload = {**rest, **fixed}
    if has_body:
        return ServiceRequest(spec.method, url, headers, body={name: _revealed(value, secrets) for name, value in payload.items()})
    return ServiceRequest(spec.method, url, headers, query={name: _as_text(value) for name, value in payload.items()})


def idempotency_key(session_id: str, tool: str, arguments: Mapping[str, Any]) -> str:
    """The same for the same wish in the same call, and telling nothing of it."""
    canonical = json.dumps([session_id, tool, arguments], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:40]


def result_of(spec: HttpToolSpec, answer: ServiceAnswer, secrets: SecretDigits) -> Ran:
    """What an answer means for the model and the ledger."""
    text = secrets.hide(answer.text.strip())[:_LONGEST_ANSWER_CHARS]
    if 200 <= answer.status < 300:
        return Ran("done", ToolOutcome(text or "It was done."))
    if answer.status >= 500 and spec.acts:
        return Ran("unknown", ToolOutcome(NOT_AGAIN))
    told = f"The service refused (HTTP {answer.status}). {text}".strip()
    return Ran("failed", ToolOutcome(told))


async def _secret_headers(spec: HttpToolSpec) -> dict[str, str]:
    """Read anew for each request: a rotated secret counts at once, and none stays in memory. Raises `NotSent`."""
    from agents.models import HttpTool

    def read() -> dict[str, str]:
        row = HttpTool.objects.filter(pk=spec.id).only("secret_headers").first()
        return row.secrets if row is not None else {}

    try:
        async with asyncio.timeout(_SECRETS_LIMIT_S):
            found: dict[str, str] = await database_sync_to_async(read, thread_sensitive=False, executor=_threads)()
    except Undecipherable as error:
        logger.error("tool_secret_unreadable", tool=spec.name, reason=str(error))
        raise NotSent("Its secret cannot be read on this server.") from error
    except Exception as error:
        logger.warning("tool_secret_not_read", tool=spec.name, error=type(error).__name__)
        raise NotSent("Its secret could not be read just now.") from error
    return found


def _without_variables(url: str) -> str:
    return _PLACES.sub("", url)


def _in_path(match: re.Match[str], values: Mapping[str, Any]) -> str:
    return quote(_as_text(values.get(match.group(1), "")), safe="")


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _revealed(value: Any, secrets: SecretDigits) -> Any:
    match value:
        case dict():
            return {name: _revealed(item, secrets) for name, item in value.items()}
        case list():
            return [_revealed(item, secrets) for item in value]
    return value if (digits := secrets.get(value)) is None else digits
