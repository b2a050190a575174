"""`make bench`: N simulated calls at once against the real processes, with every outside wait scripted and subtracted.

The media process has a core of its own; simulator, web, Postgres and the callers share the others. Speech is the simulator's tone code, so
recognition costs next to nothing and what is measured is ours.
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import process
from bench.figures import Figures, figures, table
from deploy.local import demo, roles, stack
from deploy.local.places import RUN
from deploy.local.ports import free_port
from deploy.local.postgres import Postgres
from deploy.local.supervisor import Supervisor
from deploy.local.valkey import Valkey

ENDPOINTING_MS, STT_DELAY_MS, LLM_FIRST_TOKEN_MS, TTS_FIRST_BYTE_MS = 300, 50, 150, 100
SCRIPTED_MS = ENDPOINTING_MS + STT_DELAY_MS + LLM_FIRST_TOKEN_MS + TTS_FIRST_BYTE_MS


def main() -> int:
    options = _options()
    measured, others = process.cores()
    os.sched_setaffinity(0, others)  # inherited by everything that is started below; the media process is moved afterwards
    ports = free_port(), free_port(), free_port()
    values = {**stack.base_environment(), **demo.simulated(*ports), "MEDIA_MAX_SESSIONS": "1000", "LOG_LEVEL": "WARNING"}
    with tempfile.TemporaryDirectory(prefix="voiceagents-bench-") as name, contextlib.ExitStack() as running:
        directory = Path(name)
        directory.chmod(0o711)
        (directory / "postgres").mkdir()
        postgres, valkey = Postgres(directory / "postgres", durable=False), Valkey(directory / "valkey", durable=False)
        running.callback(postgres.stop)
        postgres.start()
        running.callback(valkey.stop)
        valkey.start()
        values |= {"DATABASE_URL": postgres.url(), "REDIS_URL": valkey.url}
        supervisor = Supervisor(values, to_files=True)
        running.callback(supervisor.stop)
        supervisor.start(roles.simulator(ports[2], _settings(values, options.frame_ms), directory / "simulator"))
        stack.prepare(values)
        stack.manage(values, "seed_demo", "--password", "unused-by-the-bench", "--number", demo.EXOPHONE)
        stack.wait_until_up("the simulator", f"http://127.0.0.1:{ports[2]}/healthz", supervisor.died)
        for role in roles.product()[:2]:
            supervisor.start(role)
        stack.wait_until_up("web", f"http://127.0.0.1:{ports[0]}/readyz", supervisor.died)
        stack.wait_until_up("media", f"http://127.0.0.1:{ports[1]}/readyz", supervisor.died)
        media = int((RUN / "media.pid").read_text(encoding="utf-8"))
        process.pin(media, measured)
        print(_machine(options.frame_ms), flush=True)
        _place(values, ports[2], 1, options.scenario)  # warms every cache and connection
        rows = [_measure(values, ports[2], media, calls, options.scenario) for calls in options.calls]
        print(table(rows))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    default = os.environ.get("CALLS", "1 10 25").split()
    parser.add_argument(
        "--calls", nargs="+", type=int, default=[int(calls) for calls in default], help="how many calls at once, one row each"
    )
    parser.add_argument("--frame-ms", type=int, default=20, choices=(20, 100), help="how much audio Exotel puts into a message")
    parser.add_argument("--scenario", default="bench")
    return parser.parse_args()


def _settings(values: dict[str, str], frame_ms: int) -> Path:
    path = demo.simulator_settings(values, speech="tones")
    text = path.read_text(encoding="utf-8")
    vendors = f"llm_first_token_ms = {LLM_FIRST_TOKEN_MS}\ntts_first_byte_ms = {TTS_FIRST_BYTE_MS}\nstt_delay_ms = {STT_DELAY_MS}\n"
    path.write_text(vendors + text.replace("[exotel]\n", f"[exotel]\nframe_ms = {frame_ms}\nmax_streams = 1000\n"), encoding="utf-8")
    return path


def _measure(values: dict[str, str], port: int, media: int, calls: int, scenario: str) -> Figures:
    before_cpu_ms, before_mb = process.cpu_ms(media), process.rss_mb(media)
    peak, stop = [before_mb], threading.Event()

    def watch() -> None:
        while not stop.wait(0.25):
            peak.append(process.rss_mb(media))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        reports = _place(values, port, calls, scenario)
    finally:
        stop.set()
        watcher.join()
    time.sleep(1)
    used_ms = process.cpu_ms(media) - before_cpu_ms
    return figures(reports, calls=calls, scripted_ms=SCRIPTED_MS, cpu_ms=used_ms, grown_mb=max(peak) - before_mb)


def _place(values: dict[str, str], port: int, calls: int, scenario: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "simulator", "call", "--port", str(port), "--to", demo.EXOPHONE, "--scenario", scenario, "--json"]
    done = subprocess.run(
        [*command, "--count", str(calls), "--concurrency", str(calls)], env=values, capture_output=True, text=True, check=False
    )
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    reports = [event["report"] for event in events if "report" in event]
    if not reports:
        raise SystemExit(f"No call was completed: {done.stderr.strip()[-600:]}")
    for problem in {problem for report in reports for problem in report["problems"]}:
        print(f"  {problem}", flush=True)
    return reports


def _machine(frame_ms: int) -> str:
    model = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), ""
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {model or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"frames of {frame_ms} ms; scripted waits {SCRIPTED_MS} ms a turn are subtracted\n"
    )


if __name__ == "__main__":
    raise SystemExit(main())
