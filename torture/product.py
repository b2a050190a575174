"""web, media, worker, hooks and beat as one service each, restarted when they die, as every deployment does it."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace

from deploy.local import roles, stack
from deploy.local.places import RUN
from deploy.local.supervisor import Supervisor
from torture.ground import Ground

WORKERS = 3


@contextlib.contextmanager
def product(ground: Ground, extra: dict[str, str] | None = None) -> Iterator[Supervisor]:
    """Every role, up and watched."""
    environment = {**ground.environment, "LOG_LEVEL": "WARNING", **(extra or {})}
    supervisor = Supervisor(environment, to_files=True, say=lambda text: print(f"  {text}", flush=True))
    over = threading.Event()
    (RUN / "beat-schedule").unlink(missing_ok=True)

    def watch() -> None:
        while not over.wait(0.5):
            supervisor.watch()

    watcher = threading.Thread(target=watch, name="watcher", daemon=True)
    try:
        for role in roles.product(worker_processes=WORKERS):
            supervisor.start(replace(role, stop_s=10))
        for name, port in (("web", "WEB_PORT"), ("media", "MEDIA_PORT")):
            stack.wait_until_up(name, f"http://127.0.0.1:{environment[port]}/readyz", supervisor.died, 120)
        watcher.start()
        yield supervisor
    finally:
        over.set()
        if watcher.is_alive():
            watcher.join(5)
        supervisor.stop()
