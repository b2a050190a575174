"""Live calls on the simulated line while something else goes on."""

import asyncio
import contextlib
import itertools
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from torture.ground import NUMBER

SPREAD_S = 4.0
SAID = ("question one", "question two")


def scenario(caller: str) -> Mapping[str, Any]:
    """What this caller says nobody else says, and so are the answers: what is said again and again is bought once for all calls."""
    talk = [step for said in SAID for step in ({"say": f"{said.capitalize()} from {caller}."}, _WAIT)]
    return {
        "name": "torture",
        "expect": {"closed_by": "agent"},
        "step": [_WAIT, *talk, {"say": "Thank you and goodbye."}, {"wait_for_close": {"deadline_s": 60}}],
        "reply": [
            {"heard": r"(?i)good ?-?bye|\bbye\b", "say": "Goodbye.", "tool": {"name": "end_call", "arguments": {}}},
            {
                "heard": r"(?i)question (\w+) from (\w+)",
                "say": "Caller {2}, this is the answer to question {1}, and it takes a little while.",
            },
            {"heard": r"\S", "say": "Here is your answer."},
        ],
    }


_WAIT: Mapping[str, Any] = {"wait_for_agent": {"quiet_ms": 700, "deadline_s": 60}}


_numbers = itertools.count(1)


@dataclass
class Calls:
    """Calls that run in a thread of their own. `reports`: of those that came to an end; `placed`: how many were begun.

    Until `over` is set each caller calls again when his call has ended.
    """

    count: int
    outside: str
    over: threading.Event
    placed: int = 0
    reports: list[dict[str, Any]] = field(default_factory=list)

    async def place(self) -> None:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=self.outside, timeout=httpx.Timeout(30, read=400), limits=limits, trust_env=False) as http:
            await asyncio.gather(*(self._caller(http, place) for place in range(self.count)))

    async def _caller(self, http: httpx.AsyncClient, place: int) -> None:
        await asyncio.sleep(SPREAD_S * place / self.count)
        await self._one(http)
        while not self.over.is_set():
            await self._one(http)

    async def _one(self, http: httpx.AsyncClient) -> None:
        caller = next(_numbers)
        self.placed += 1
        order = {"to": NUMBER, "from": f"+9196{caller:08d}", "scenario": scenario(f"{caller:06d}")}
        # A call that breaks off has no report: it counts as cut.
        with contextlib.suppress(httpx.HTTPError):
            async with http.stream("POST", "/control/calls", json=order) as answer:
                answer.raise_for_status()
                async for text in answer.aiter_lines():
                    if text.startswith('{"event": "report"'):
                        self.reports.append(json.loads(text)["report"])


@contextlib.contextmanager
def calling(outside: str, count: int, *, again: bool = False) -> Iterator[Calls]:
    """The block runs while the calls do; at its end they are waited for. `again`: as long as the block runs there are `count` calls."""
    over = threading.Event()
    if not again:
        over.set()
    calls = Calls(count, outside, over)
    thread = threading.Thread(target=lambda: asyncio.run(calls.place()), name="callers", daemon=True)
    thread.start()
    try:
        yield calls
    finally:
        over.set()
        thread.join(400)


def wait_for_talk(seconds: float) -> None:
    """Until every call has begun and is well under way."""
    time.sleep(SPREAD_S + seconds)
