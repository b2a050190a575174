"""Everything that the parts stand on: Postgres, Valkey, the simulator, the gate before it, and a database made ready."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import demo, stack
from deploy.local.places import LOCAL, ROOT
from deploy.local.ports import free_port
from deploy.local.postgres import Postgres, die_with_parent
from deploy.local.valkey import Valkey
from torture import stops
from torture.gate import Gate

NUMBER = demo.EXOPHONE
LEASE_S = 900


@dataclass
class Ground:
    """What runs. `environment` is the product's, with the simulator reached directly; workers that are to be held go through the gate."""

    directory: Path
    environment: dict[str, str]
    postgres: Postgres | None
    valkey: Valkey | None
    gate: Gate
    outside: str
    services: list[subprocess.Popen[bytes]] = field(default_factory=list)
    nursery: subprocess.Popen[bytes] | None = None

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    def through_the_gate(self) -> dict[str, str]:
        gate = self.gate.url
        return {
            **self.environment,
            "EXOTEL_BASE_URL": f"{gate}/exotel",
            "DEEPGRAM_BASE_URL": f"{gate}/deepgram",
            "OPENAI_BASE_URL": f"{gate}/openai/v1",
            "AWS_S3_ENDPOINT_URL": f"{gate}/s3",
            "PGAPPNAME": stops.DOOMED,
        }


def ground_directory() -> Path:
    """On the checkout's own disk, as production's would be, and passable for the account that Postgres runs as."""
    directory = Path(tempfile.mkdtemp(prefix="voiceagents-torture-"))
    directory.chmod(0o711)
    return directory


@contextlib.contextmanager
def ground() -> Iterator[Ground]:
    """Starts it all and makes this process a client of the product's database, so that parts can use the product's models."""
    LOCAL.mkdir(exist_ok=True)
    web, media, simulator = (free_port() for _ in range(3))
    values = {
        **stack.base_environment(),
        **demo.simulated(web, media, simulator),
        "JOB_LEASE_S": str(LEASE_S),
        "JOB_SWEEP_S": "1",
        "RECONCILE_S": "2",
        "EXOTEL_REQUESTS_PER_MINUTE": "100000",
        "LOG_LEVEL": "INFO",
        "RECORDING_MAX_BYTES": str(4 << 20),
    }
    directory = ground_directory()
    with contextlib.ExitStack() as running:
        running.callback(_remove, directory)
        (directory / "postgres").mkdir()
        (directory / "logs").mkdir()
        postgres, valkey = Postgres(directory / "postgres"), Valkey(directory / "valkey")
        running.callback(postgres.stop)
        postgres.start()
        running.callback(valkey.stop)
        valkey.start()
        values |= {
            "DATABASE_URL": postgres.url(),
            "REDIS_URL": valkey.url,
            "RECORDING_SPOOL_DIR": str(directory / "spool"),
            "STATIC_ROOT": str(directory / "static"),
        }
        outside = f"http://127.0.0.1:{simulator}"
        gate = running.enter_context(Gate(outside).serving())
        made = Ground(directory, values, postgres, valkey, gate, outside)
        running.callback(_stop_all, made.services)
        text = demo.simulator_settings(values, speech="tones").read_text(encoding="utf-8")
        settings = directory / "simulator.toml"
        text = text.replace("_delay_s = 3.0", "_delay_s = 0.5").replace("[exotel]\n", _EXOTEL) + _SILENT
        settings.write_text(text, encoding="utf-8")
        arguments = [
            "-m",
            "simulator",
            "serve",
            "--port",
            str(simulator),
            "--settings",
            str(settings),
            "--data",
            str(directory / "outside"),
        ]
        made.services.append(spawn(arguments, values, made.logs / "simulator.log"))
        stack.prepare(values)
        stack.manage(values, "seed_demo", "--password", "unused-by-torture", "--number", NUMBER)
        stack.wait_until_up("the simulator", f"{outside}/healthz", lambda: None)
        stack.manage(values, "prepare_storage")
        stops.install(values["DATABASE_URL"])
        os.environ.update(values)
        os.environ["DJANGO_SETTINGS_MODULE"] = "voiceagents.settings"
        os.environ["PGAPPNAME"] = stops.OURS
        os.environ["LOG_LEVEL"] = "CRITICAL"  # this process is the torturer, not a part of the product
        import django

        django.setup()
        yield made


# Whoever is called from here hears nobody: for dials that are to be counted, not talked on.
SILENT_NUMBER = "+918047112299"
_SILENT = f'[[exotel.exophones]]\nnumber = "{SILENT_NUMBER}"\n'
_EXOTEL = "[exotel]\nmax_streams = 2000\nconnects_per_minute = 100000\n"


def spawn(arguments: list[str], environment: dict[str, str], log: Path, *, is_asked: bool = False) -> subprocess.Popen[bytes]:
    """A process group of its own that ends with us even if we are killed. `is_asked`: we write to its input and read its output."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE if is_asked else subprocess.DEVNULL,
            stdout=subprocess.PIPE if is_asked else output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(signal.SIGTERM),
        )


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """-9 for the whole tree: no handler, no farewell."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


def _stop_all(services: list[subprocess.Popen[bytes]]) -> None:
    for service in services:
        kill_group(service)


def _remove(directory: Path) -> None:
    if os.environ.get("TORTURE_KEEP") == "1":
        print(f"Everything of this run is kept in {directory}.")
        return
    shutil.rmtree(directory, ignore_errors=True)
