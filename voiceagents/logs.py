"""Logs as facts in fields, with the call's id in context and everything personal masked before it is written."""

import logging
import logging.config
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

# Nine or more digits in a row, however separated: a phone number until proven otherwise.
_NUMBER = re.compile(r"(?:(?<![\w.-])|(?<=%2[Bb]))\+?\d(?:[ -]?\d){8,14}(?![\w.-])")
_SECRET_NAMES = re.compile(r"(?i)(authorization|api[_-]?key|token|secret|password|passwd|cookie)")
_URL_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")
_QUERY_KEY = re.compile(r"(?i)((?:[?&]|\b)(?:key|token|secret|signature|x-amz-[a-z-]+)=)[^&\s\"']+")
_PATH_TOKEN = re.compile(r"(/api/v1/media/exotel/|/shared/)[^\s?/\"']+")
_PERSONAL_FIELDS = {"text", "transcript", "prompt", "digit", "digits", "arguments", "body", "params", "heard", "generated", "message_text"}
_NEVER_MASKED = {"level", "timestamp", "logger", "session_id", "duration_ms", "quantity", "size_bytes"}


def mask(text: str) -> str:
    """Text that is safe to log: phone numbers keep their last two digits, credentials disappear."""
    text = _URL_CREDENTIALS.sub("***@", text)
    text = _QUERY_KEY.sub(r"\1***", text)
    text = _PATH_TOKEN.sub(r"\1***", text)
    return _NUMBER.sub(lambda match: "*" * 6 + match.group()[-2:], text)


def mask_fields(_logger: Any, _method: str, facts: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: drops what must never be written, masks what may hold a number."""
    for name, value in list(facts.items()):
        if name in _PERSONAL_FIELDS or _SECRET_NAMES.search(name):
            facts[name] = "***"
        elif value is None or isinstance(value, bool | int | float) or name in _NEVER_MASKED:
            continue
        elif isinstance(value, list | tuple):
            facts[name] = [mask(str(item)) for item in value]
        else:
            facts[name] = mask(str(value))  # objects too: what their text holds is not ours to know
    return facts


def configure(*, level: str, as_json: bool) -> None:
    """Routes structlog and the standard library through the same processors to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "facts": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": [structlog.stdlib.ExtraAdder(allow={"status_code"}), *shared],
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.StackInfoRenderer(),
                        structlog.processors.format_exc_info,
                        mask_fields,
                        last,
                    ],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "facts"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                # Libraries whose INFO lines hold URLs, bodies or one line per request.
                **{
                    name: {"level": "WARNING"}
                    for name in ("httpx", "httpcore", "httpx2", "openai", "botocore", "boto3", "s3transfer", "urllib3")
                },
                "websockets": {"level": "WARNING"},
                "uvicorn.access": {"level": "WARNING"},
                "axes": {"level": "WARNING"},
            },
        }
    )
