"""The media process around its calls: warming up, saying how it is, and stopping. Never on the audio path."""

import asyncio
import gc
import json
import re
import sys
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.db import connections

from agents import assembly
from calls import conductor
from providers.breakers import PROCESS_HEALTH, Condition
from telephony import admission, vacancies
from telephony.draining import Drain

Message = MutableMapping[str, Any]

_YOUNG_OBJECTS: Final = 10_000
_UNFIT: Final = re.compile(r"[^\w./:-]")  # in a label's value
# How long a thread that writes rows may keep the interpreter from the calls' audio. Python's own 5 ms is a quarter of a frame, and is
# waited again after every send.
SWITCH_S: Final = 0.000_5


async def lifespan(receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
    """Starts ready to speak: connections to the providers in use are open before the first call."""
    await receive()  # lifespan.startup
    sys.setswitchinterval(SWITCH_S)
    await assembly.warm()
    await sync_to_async(connections.close_all)()  # warming up read rows; no request's end gives that connection back
    settle_memory()
    drain = Drain()
    drain.install()
    watching = [
        asyncio.create_task(conductor.watch_lag(), name="lag"),
        asyncio.create_task(vacancies.report(conductor.room), name="vacancies"),
    ]
    await send({"type": "lifespan.startup.complete"})
    await receive()  # lifespan.shutdown
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    await send({"type": "lifespan.shutdown.complete"})


def settle_memory() -> None:
    """Takes what start-up made (150,000 objects and more) out of the garbage collector's sight: a pass over it stops every call's audio
    for a tenth of a second. What calls make is freed by counting, almost all of it; the rest is looked for less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 10)


async def http(scope: MutableMapping[str, Any], send: Callable[[Message], Awaitable[None]]) -> None:
    """`/healthz`: this process answers. `/readyz`: it could take a call now; 503 while it drains, is full, runs late or has no database.

    `/metrics`: the same as numbers, in Prometheus' text format, and how the providers are that chains have asked. Nothing personal is in
    any of them.
    """
    kind = b"application/json"
    status, body = 404, b'{"error": "not found"}'
    if scope["path"] == "/healthz":
        status, body = 200, b'{"status": "ok"}'
    elif scope["path"] == "/readyz":
        status, body = await _readiness()
    elif scope["path"] == "/metrics":
        status, kind, body = 200, b"text/plain; version=0.0.4; charset=utf-8", _all_metrics().encode()
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def _readiness() -> tuple[int, bytes]:
    """The body says for how many calls there is room, so that whoever balances can send the next one where there is most.

    `resting` names the providers that are left alone because they failed: calls go to their stand-ins.
    """
    has_database = await admission.database_answers()
    load = conductor.load()
    is_ready = load.room > 0 and has_database
    told = {
        "status": "ok" if is_ready else "unavailable",
        "room": load.room if has_database else 0,
        "calls": load.calls,
        "lag_ms": round(load.lag_ms, 1),
        "draining": load.is_draining,
        "postgres": "ok" if has_database else "down",
        "resting": [" ".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in PROCESS_HEALTH.resting],
    }
    return (200 if is_ready else 503), json.dumps(told).encode()


def _all_metrics() -> str:
    return metrics(conductor.load(), len(asyncio.all_tasks())) + provider_metrics(PROCESS_HEALTH.conditions)


def metrics(load: conductor.Load, tasks: int) -> str:
    """Prometheus' text format: name, kind, help and one value each. Pure."""
    rows = (
        ("voiceagents_media_calls", "gauge", "Calls from handshake to last row.", load.calls),
        ("voiceagents_media_room", "gauge", "How many more calls this process takes.", load.room),
        ("voiceagents_media_loop_lag_ms", "gauge", "How late the event loop runs, median of two seconds.", round(load.lag_ms, 3)),
        ("voiceagents_media_draining", "gauge", "1 while the process stops.", int(load.is_draining)),
        ("voiceagents_media_refused_total", "counter", "Sockets refused for lack of room.", load.refused),
        ("voiceagents_media_tasks", "gauge", "Tasks on the event loop.", tasks),
    )
    return "".join(f"# HELP {name} {words}\n# TYPE {name} {kind}\n{name} {value}\n" for name, kind, words, value in rows)


def provider_metrics(conditions: Sequence[Condition]) -> str:
    """How the providers are that chains have asked, a line for each: provider and model are its labels. Pure."""
    rows = (
        ("voiceagents_provider_resting", "gauge", "1 while the breaker is open.", lambda each: int(each.is_resting)),
        ("voiceagents_provider_failures_in_row", "gauge", "Failures since the last success.", lambda each: each.failures_in_row),
        ("voiceagents_provider_failures_total", "counter", "Failures of this process.", lambda each: each.failures),
    )
    if not conditions:
        return ""
    told = []
    for name, kind, words, value in rows:
        told.append(f"# HELP {name} {words}\n# TYPE {name} {kind}\n")
        told += [f"{name}{{{_labels(each)}}} {value(each)}\n" for each in conditions]
    return "".join(told)


def _labels(condition: Condition) -> str:
    names = condition.key if isinstance(condition.key, tuple) else (condition.key, "")
    written = zip(("provider", "model"), (_UNFIT.sub("_", str(name)) for name in names), strict=False)
    return ",".join(f'{label}="{name}"' for label, name in written)
