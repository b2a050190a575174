"""The product as it is deployed (web, media, worker, hooks, beat) and the simulator around it, on the test's database and free ports."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from deploy.local import demo, roles, stack
from deploy.local.ports import free_port
from deploy.local.supervisor import Supervisor
from deploy.local.valkey import Valkey

UP_S = 120


@dataclass(frozen=True)
class Everything:
    """`url`: the dashboard's root. `simulator`: the port on which calls are ordered. `died`: who did not stay up, or None."""

    url: str
    simulator: int
    environment: dict[str, str]
    died: Callable[[], tuple[str, str] | None]


def _environment(directory: Path, simulator: int, web: int, media: int) -> dict[str, str]:
    parts = urlsplit(os.environ["DATABASE_URL"])
    return {
        **stack.base_environment(),
        **demo.simulated(web, media, simulator),
        "DATABASE_URL": urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}")),
        "WEBHOOK_SPOOL_DIR": str(directory / "webhooks"),
        "STATIC_ROOT": str(directory / "static"),
        "DATABASE_POOL_SIZE": "8",
        "RECONCILE_S": "1",
        "JOB_SWEEP_S": "1",
        "LOG_LEVEL": "WARNING",
    }


def _simulator_settings(values: dict[str, str]) -> Path:
    path = demo.simulator_settings(values, speech="tones")
    text = path.read_text(encoding="utf-8")
    # The carrier takes minutes over these and the demo seconds; what follows from them is the same.
    path.write_text(text.replace("delay_s = 3.0", "delay_s = 0.5"), encoding="utf-8")
    return path


@contextmanager
def everything(directory: Path, patch: pytest.MonkeyPatch) -> Iterator[Everything]:
    """Within, all of it is up. What it writes stays below `directory`: the demo of this checkout, if it runs, is left alone."""
    patch.setattr(demo, "LOCAL", directory)
    for module in ("roles", "supervisor"):
        patch.setattr(f"deploy.local.{module}.RUN", directory / "run")
    patch.setattr("deploy.local.supervisor.LOGS", directory / "log")
    (directory / "webhooks").mkdir()
    simulator, web, media = free_port(), free_port(), free_port()
    values = _environment(directory, simulator, web, media)
    valkey = Valkey(directory / "valkey", durable=False)
    valkey.start()
    values["REDIS_URL"] = valkey.url
    supervisor = Supervisor(values, to_files=True)
    try:
        supervisor.start(roles.simulator(simulator, _simulator_settings(values), directory / "simulator"))
        for role in roles.product(worker_processes=2):
            # What no page is needed for starts beside what web waits for: the static files.
            if role.name != "web":
                supervisor.start(replace(role, stop_s=10))
        stack.manage(values, "collectstatic", "--no-input", "--verbosity", "0")
        supervisor.start(replace(roles.product()[0], stop_s=10))
        stack.wait_until_up("the simulator", f"http://127.0.0.1:{simulator}/healthz", supervisor.died, UP_S)
        stack.manage(values, "prepare_storage")
        for name, port in (("web", web), ("media", media)):
            stack.wait_until_up(name, f"http://127.0.0.1:{port}/readyz", supervisor.died, UP_S)
        yield Everything(f"http://127.0.0.1:{web}", simulator, values, supervisor.died)
    finally:
        supervisor.stop()
        valkey.stop()
