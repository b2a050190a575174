"""Places simulated calls on one subject and measures the subject's process meanwhile."""

import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench import process
from bench.figures import Figures, figures

SPREAD_S = 10
"""Callers do not speak in chorus: begun together, N calls of one script would all want their answers in the same millisecond."""


@dataclass(frozen=True)
class Subject:
    """Whoever answers the calls to `number` in process `pid`. `scripted_ms`: the waits its turns are made of that are not its own."""

    name: str
    number: str
    pid: int
    scripted_ms: float


@dataclass(frozen=True)
class Line:
    """The running simulator that places the calls."""

    port: int
    pid: int
    environment: dict[str, str]
    scenario: str


def measure(line: Line, subject: Subject, calls: int) -> Figures:
    """`calls` at once, from the first ring to the last report, on the subject alone."""
    before_cpu_ms, before_line_ms, before_mb = process.cpu_ms(subject.pid), process.cpu_ms(line.pid), process.rss_mb(subject.pid)
    began = time.monotonic()
    with _peak_mb(subject.pid) as peak:
        reports = place(line, subject, calls)
    elapsed_ms = (time.monotonic() - began) * 1000
    line_load = (process.cpu_ms(line.pid) - before_line_ms) / elapsed_ms
    time.sleep(1)  # rows and goodbyes after the last report are the subject's too
    return figures(
        reports,
        subject=subject.name,
        calls=calls,
        scripted_ms=subject.scripted_ms,
        cpu_ms=process.cpu_ms(subject.pid) - before_cpu_ms,
        grown_mb=max(peak) - before_mb,
        line_load=line_load,
    )


@contextmanager
def _peak_mb(pid: int) -> Iterator[list[float]]:
    seen, stop = [process.rss_mb(pid)], threading.Event()

    def watch() -> None:
        while not stop.wait(0.25):
            seen.append(process.rss_mb(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()


def place(line: Line, subject: Subject, calls: int) -> list[dict[str, Any]]:
    """Reports of all calls that were completed. Prints what was wrong with any; exits if none was."""
    command = [sys.executable, "-m", "simulator", "call", "--port", str(line.port), "--to", subject.number, "--scenario", line.scenario]
    done = subprocess.run(
        [*command, "--json", "--count", str(calls), "--concurrency", str(calls), "--over", str(SPREAD_S)],
        env=line.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    events = [json.loads(text) for text in done.stdout.splitlines() if text.startswith("{")]
    reports = [event["report"] for event in events if "report" in event]
    if not reports:
        raise SystemExit(f"No call to {subject.name} was completed: {done.stderr.strip()[-600:]}")
    for problem, times in _problems(reports).items():
        print(f"  {subject.name}, {calls} at once: {times} calls: {problem}", flush=True)
    return reports


def _problems(reports: list[dict[str, Any]]) -> dict[str, int]:
    """Kinds of problems, numbers left out, with how many calls had each."""
    return Counter(kind for report in reports for kind in {re.sub(r"\d+", "#", problem) for problem in report["problems"]})
