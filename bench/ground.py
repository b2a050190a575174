"""Starts what is measured and what it needs: Postgres, Valkey, the simulator, web, media, and the peers if asked for."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import process
from bench.line import Line, Subject
from bench.peers import start
from deploy.local import demo, roles, stack
from deploy.local.places import RUN
from deploy.local.ports import free_port
from deploy.local.postgres import Postgres
from deploy.local.roles import Role
from deploy.local.supervisor import Supervisor
from deploy.local.valkey import Valkey

ENDPOINTING_MS, STT_DELAY_MS, LLM_FIRST_TOKEN_MS, TTS_FIRST_BYTE_MS = 300, 50, 150, 100
HEARING_MS = ENDPOINTING_MS + STT_DELAY_MS
SCRIPTED_MS = HEARING_MS + LLM_FIRST_TOKEN_MS + TTS_FIRST_BYTE_MS
RELAY, PIPECAT = "+918047112234", "+918047112235"


@dataclass(frozen=True)
class Ground:
    line: Line
    subjects: list[Subject]


@contextlib.contextmanager
def ground(*, peers: str = "", first: bool = False) -> Iterator[Ground]:
    """Everything up and pinned: the subjects on one core, the rest on the others. All ports are free ones, so two may run at once.

    `peers`: "relay", "all", or nobody beside ours.
    """
    if peers == "all":
        start.install()
    measured, others = process.cores()
    if first:
        process.put_ahead(os.getpid(), process.NEXT)
    os.sched_setaffinity(0, others)  # inherited by everything that is started below; what is measured is moved afterwards
    web, media, simulator, relay, pipecat = (free_port() for _ in range(5))
    values = {
        **stack.base_environment(),
        **demo.simulated(web, media, simulator),
        "MEDIA_MAX_SESSIONS": "2000",
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
        supervisor.start(roles.simulator(simulator, _settings(values, {RELAY: relay, PIPECAT: pipecat}), directory / "simulator"))
        stack.prepare(values)
        stack.manage(values, "seed_demo", "--password", "unused-by-the-bench", "--number", demo.EXOPHONE)
        stack.wait_until_up("the simulator", f"http://127.0.0.1:{simulator}/healthz", supervisor.died)
        stack.manage(values, "prepare_storage")
        # What the worker does when a version is published. It has no part in a call, so it does not run while calls are measured.
        stack.manage(values, "shell", "-c", "from agents import preparing\nwhile preparing.prepare(): pass")
        for role in roles.product()[:2]:
            supervisor.start(role)
        stack.wait_until_up("web", f"http://127.0.0.1:{web}/readyz", supervisor.died)
        stack.wait_until_up("media", f"http://127.0.0.1:{media}/readyz", supervisor.died)
        subjects = [Subject("voiceagents", demo.EXOPHONE, _pid("media"), SCRIPTED_MS)]
        if peers:
            _start_peer(supervisor, start.relay(relay, simulator), relay)
            # The relay asks no model and no voice: its turns are made of fewer waits.
            subjects += [Subject("bare relay", RELAY, _pid("bench-relay"), HEARING_MS, can_be_interrupted=False)]
        if peers == "all":
            _start_peer(supervisor, start.pipecat(pipecat, simulator), pipecat)
            subjects += [Subject("Pipecat", PIPECAT, _pid("bench-pipecat"), SCRIPTED_MS)]
        for subject in subjects:
            process.pin(subject.pid, measured)
        # The simulator is the clock: what else runs on its core for these calls (web, Postgres, ourselves) must not hold it up.
        if first and not all(
            [process.put_ahead(pid, process.FIRST) for pid in (*(subject.pid for subject in subjects), _pid("simulator"))]
        ):
            print("Other work could not be put behind ours: that takes root.", flush=True)
        yield Ground(Line(simulator, _pid("simulator"), min(measured)), subjects)


def _start_peer(supervisor: Supervisor, role: Role, port: int) -> None:
    supervisor.start(role)
    stack.wait_until_up(role.name, f"http://127.0.0.1:{port}/healthz", supervisor.died)


def _pid(role: str) -> int:
    return int((RUN / f"{role}.pid").read_text(encoding="utf-8"))


def _settings(values: dict[str, str], peers: dict[str, int]) -> Path:
    path = demo.simulator_settings(values, speech="tones")
    text = path.read_text(encoding="utf-8")
    vendors = f"llm_first_token_ms = {LLM_FIRST_TOKEN_MS}\ntts_first_byte_ms = {TTS_FIRST_BYTE_MS}\nstt_delay_ms = {STT_DELAY_MS}\n"
    exotel = "[exotel]\nmax_streams = 2000\nkeeps_recordings = false\nconnects_per_minute = 10000\n"
    phones = "".join(
        f'[[exotel.exophones]]\nnumber = "{number}"\nvoicebot_url = "ws://127.0.0.1:{port}/"\n' for number, port in peers.items()
    )
    path.write_text(vendors + text.replace("[exotel]\n", exotel) + phones, encoding="utf-8")
    return path
