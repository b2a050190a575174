"""`make bench`: N simulated calls at once against the real processes, with every outside wait scripted and subtracted.

The media process has a core of its own; simulator, web, Postgres and the callers share the others. Speech is the simulator's tone code, so
recognition costs next to nothing and what is measured is ours. `make bench-peers` measures a bare relay and Pipecat in the same run.
"""

import argparse
import contextlib
import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench import process
from bench.figures import Figures, table
from bench.line import Line, Subject, measure, place
from bench.peers import start
from deploy.local import demo, roles, stack
from deploy.local.places import RUN
from deploy.local.ports import free_port
from deploy.local.postgres import Postgres
from deploy.local.supervisor import Supervisor
from deploy.local.valkey import Valkey

ENDPOINTING_MS, STT_DELAY_MS, LLM_FIRST_TOKEN_MS, TTS_FIRST_BYTE_MS = 300, 50, 150, 100
HEARING_MS = ENDPOINTING_MS + STT_DELAY_MS
SCRIPTED_MS = HEARING_MS + LLM_FIRST_TOKEN_MS + TTS_FIRST_BYTE_MS
RELAY, PIPECAT = "+918047112234", "+918047112235"


def main() -> int:
    options = _options()
    measured, others = process.cores()
    os.sched_setaffinity(0, others)  # inherited by everything that is started below; what is measured is moved afterwards
    web, media, simulator, relay, pipecat = (free_port() for _ in range(5))
    values = {
        **stack.base_environment(),
        **demo.simulated(web, media, simulator),
        "MEDIA_MAX_SESSIONS": "1000",
        "MEDIA_MAX_LAG_MS": "5000",  # a full core is what is being measured here, not refused
        "LOG_LEVEL": "WARNING",
    }
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
        settings = _settings(values, options.frame_ms, {RELAY: relay, PIPECAT: pipecat})
        supervisor.start(roles.simulator(simulator, settings, directory / "simulator"))
        stack.prepare(values)
        stack.manage(values, "seed_demo", "--password", "unused-by-the-bench", "--number", demo.EXOPHONE)
        stack.wait_until_up("the simulator", f"http://127.0.0.1:{simulator}/healthz", supervisor.died)
        for role in roles.product()[:2]:
            supervisor.start(role)
        stack.wait_until_up("web", f"http://127.0.0.1:{web}/readyz", supervisor.died)
        stack.wait_until_up("media", f"http://127.0.0.1:{media}/readyz", supervisor.died)
        subjects = [Subject("voiceagents", demo.EXOPHONE, _pid("media"), SCRIPTED_MS)]
        if options.peers:
            for role, port in ((start.relay(relay, simulator), relay), (start.pipecat(pipecat, simulator), pipecat)):
                supervisor.start(role)
                stack.wait_until_up(role.name, f"http://127.0.0.1:{port}/healthz", supervisor.died)
            # The relay asks no model and no voice: its turns are made of fewer waits.
            subjects += [Subject("bare relay", RELAY, _pid("bench-relay"), HEARING_MS)]
            subjects += [Subject("Pipecat", PIPECAT, _pid("bench-pipecat"), SCRIPTED_MS)]
        for subject in subjects:
            process.pin(subject.pid, measured)
        print(_machine(options.frame_ms), flush=True)
        line = Line(simulator, _pid("simulator"), values, options.scenario)
        print(table(_rows(line, subjects, options.calls)))
    return 0


def _rows(line: Line, subjects: list[Subject], counts: list[int]) -> list[Figures]:
    rows = []
    for subject in subjects:
        place(line, subject, 1)  # warms every cache and connection
        for calls in counts:
            rows.append(measure(line, subject, calls))
            time.sleep(1)
    return rows


def _pid(role: str) -> int:
    return int((RUN / f"{role}.pid").read_text(encoding="utf-8"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    default = os.environ.get("CALLS", "1 10 25").split()
    parser.add_argument(
        "--calls", nargs="+", type=int, default=[int(calls) for calls in default], help="how many calls at once, one row each"
    )
    parser.add_argument("--frame-ms", type=int, default=20, choices=(20, 100), help="how much audio Exotel puts into a message")
    parser.add_argument("--scenario", default="bench")
    parser.add_argument("--peers", action="store_true", help="measure a bare relay and Pipecat in the same run")
    return parser.parse_args()


def _settings(values: dict[str, str], frame_ms: int, peers: dict[str, int]) -> Path:
    path = demo.simulator_settings(values, speech="tones")
    text = path.read_text(encoding="utf-8")
    vendors = f"llm_first_token_ms = {LLM_FIRST_TOKEN_MS}\ntts_first_byte_ms = {TTS_FIRST_BYTE_MS}\nstt_delay_ms = {STT_DELAY_MS}\n"
    exotel = f"[exotel]\nframe_ms = {frame_ms}\nmax_streams = 1000\nconnects_per_minute = 10000\n"
    phones = "".join(
        f'[[exotel.exophones]]\nnumber = "{number}"\nvoicebot_url = "ws://127.0.0.1:{port}/"\n' for number, port in peers.items()
    )
    path.write_text(vendors + text.replace("[exotel]\n", exotel) + phones, encoding="utf-8")
    return path


def _machine(frame_ms: int) -> str:
    model = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), ""
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {model or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"frames of {frame_ms} ms; scripted waits of {SCRIPTED_MS} ms a turn are subtracted ({HEARING_MS} ms from the bare relay's)\n"
    )


if __name__ == "__main__":
    raise SystemExit(main())
