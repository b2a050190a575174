"""Places simulated calls on one subject and measures the subject's process meanwhile."""

import asyncio
import json
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.figures import Figures, figures, hushes_ms, stream_of
from bench.process import Load, measured
from simulator.scenario import load_table

SCENARIOS = Path(__file__).with_name("scenarios")
_VOICES = ("elevenlabs.speech", "deepgram.speech", "openai.speech")
_CALLS_BEGUN_A_SECOND = 10
_LEAST_SPREAD_S = 10.0
"""Callers do not speak in chorus: begun together, N calls of one script would all want their answers in the same millisecond."""
_AFTER_S = 1.5
"""Rows and goodbyes after the last report are the subject's too."""


@dataclass(frozen=True)
class Subject:
    """Whoever answers the calls to `number` in process `pid`. `scripted_ms`: the waits its turns are made of that are not its own.

    `can_be_interrupted`: the bare relay plays on whatever the caller says.
    """

    name: str
    number: str
    pid: int
    scripted_ms: float
    can_be_interrupted: bool = True


@dataclass(frozen=True)
class Line:
    """The running simulator that places the calls, in process `pid`. `core`: where the subjects run."""

    port: int
    pid: int
    core: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def control(self, method: str, door: str, body: Mapping[str, Any] | None = None) -> Any:
        """What the simulator's own door answers."""
        request = urllib.request.Request(
            f"{self.url}/control/{door}", json.dumps(body).encode() if body is not None else None, method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def set_frames(self, frame_ms: int) -> None:
        self.control("POST", "settings", {"exotel": {"frame_ms": frame_ms}})


def measure(line: Line, subject: Subject, calls: int, frame_ms: int, idle_cpu_share: float) -> Figures:
    """`calls` at once, from the first ring to the last report, on the subject alone."""
    line.set_frames(frame_ms)
    line.control("DELETE", "overheard")
    line.control("DELETE", "lateness")
    with measured(subject.pid, line.pid, line.core) as load:
        reports = place(line, subject, calls, "conversation")
        time.sleep(_AFTER_S)
    load.line_late_ms = line.control("DELETE", "lateness")["p95_ms"] or 0.0
    streams = line.control("DELETE", "overheard")["streams"]
    heard = reports.items() if subject.can_be_interrupted else ()
    hushes = [hush for number, report in heard for hush in hushes_ms(report, stream_of(_tag(number), streams))]
    return figures(
        list(reports.values()), hushes, load, subject=subject.name, frame_ms=frame_ms, calls=calls, scripted_ms=subject.scripted_ms,
        idle_cpu_share=idle_cpu_share,
    )  # fmt: skip


def idle(line: Line, subject: Subject, seconds: float) -> Load:
    """The subject without a call."""
    with measured(subject.pid, line.pid, line.core) as load:
        time.sleep(seconds)
    return load


def greetings(line: Line, subject: Subject, calls: int, *, without_voice: bool) -> list[Mapping[str, Any]]:
    """Calls that only hear the first words; with every voice provider answering 503 if `without_voice`."""
    if without_voice:
        for target in _VOICES:
            line.control("POST", "faults", {"target": target, "fault": "status", "status": 503})
    try:
        return list(place(line, subject, calls, "greeting", quietly=True).values())
    finally:
        line.control("DELETE", "faults")


def place(line: Line, subject: Subject, calls: int, scenario: str, *, quietly: bool = False) -> dict[int, dict[str, Any]]:
    """The report of each call that came to its end, by its number. Prints what was wrong with any, unless told not to."""
    reports = asyncio.run(_place_all(line, subject, calls, scenario))
    for problem, times in () if quietly else problems(list(reports.values())).items():
        print(f"  {subject.name}, {calls} at once: {times} calls: {problem}", flush=True)
    return reports


async def _place_all(line: Line, subject: Subject, calls: int, scenario: str) -> dict[int, dict[str, Any]]:
    script = json.dumps(load_table(SCENARIOS / f"{scenario}.toml"))
    spread_s = max(_LEAST_SPREAD_S, calls / _CALLS_BEGUN_A_SECOND) if calls > 1 else 0.0
    reports: dict[int, dict[str, Any]] = {}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=line.url, timeout=httpx.Timeout(30.0, read=300.0), limits=limits, trust_env=False) as http:

        async def one(number: int) -> None:
            await asyncio.sleep(spread_s * number / calls)
            part = json.loads(script.replace("{caller}", _tag(number)))
            order = {"to": subject.number, "from": f"+9198{10_000_000 + number}", "scenario": part}
            # A call that breaks off has no report: it counts as one that was not answered.
            with suppress(httpx.HTTPError):
                async with http.stream("POST", "/control/calls", json=order) as answer:
                    answer.raise_for_status()
                    async for text in answer.aiter_lines():
                        if text.startswith('{"event": "report"'):
                            reports[number] = json.loads(text)["report"]

        await asyncio.gather(*(one(number) for number in range(calls)))
    return reports


def _tag(number: int) -> str:
    """What the caller calls itself: by it the recogniser's stream is found again."""
    return f"{number:04d}"


def problems(reports: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Kinds of problems, numbers left out, with how many calls had each."""
    return Counter(kind for report in reports for kind in {re.sub(r"\d+", "#", problem) for problem in report["problems"]})
