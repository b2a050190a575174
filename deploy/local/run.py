"""`make run`: the product with real keys from the environment or `.env`; embedded Postgres and Valkey where no URL is given."""

import signal
import sys
import time
from types import FrameType

from deploy.local import roles, stack
from deploy.local.places import ROOT
from deploy.local.ports import require_answer, require_free
from deploy.local.supervisor import Supervisor
from voiceagents import env as environment
from voiceagents import preflight


class _Stop(Exception):
    """SIGINT or SIGTERM arrived."""


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise _Stop


def stop_on_signals() -> None:
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)


Stop = _Stop


def _settings() -> dict[str, str]:
    """Everything set for the children: our environment, completed from `.env`. Ends the start with one line if it cannot work."""
    values = {**environment.read_file(ROOT / ".env"), **{name: value for name, value in stack.base_environment().items() if value}}
    env = environment.Environment(values)
    found = list(preflight.problems(env))
    if found:
        more = f" ({len(found) - 1} more: {', '.join(problem.split()[0].split('=')[0] for problem in found[1:])})" if len(found) > 1 else ""
        raise SystemExit(f"make run: {found[0]}{more}")
    for name, default in (("WEB_PORT", 8000), ("MEDIA_PORT", 8001)):
        require_free(name, env.port(name, default), env.text("BIND_HOST", "127.0.0.1"))
    for name, default in (("DATABASE_URL", 5432), ("REDIS_URL", 6379)):
        if url := env.text(name):
            require_answer(name, url, default)
    return values


def main() -> int:
    stop_on_signals()
    values = _settings()
    try:
        with stack.only_one(), stack.embedded(values) as complete:
            shared = {name: complete[name] for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")}
            with stack.shared_environment(shared):
                stack.prepare(complete)
                stack.manage(complete, "check", "--deploy", "--tag", "security", "--fail-level", "ERROR")
                stack.manage(complete, "prepare_storage")
                supervisor = Supervisor(complete, to_files=False)
                try:
                    env = environment.Environment(complete)
                    for role in roles.product(
                        worker_processes=env.integer("WORKER_PROCESSES", 4, low=1, high=64),
                        media_drain_s=env.integer("MEDIA_DRAIN_S", 20, low=1, high=7200),
                    ):
                        supervisor.start(role)
                    while True:
                        time.sleep(0.5)
                        supervisor.watch()
                finally:
                    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the second Ctrl-C of an impatient hand must not cut the order
                    supervisor.stop()
    except _Stop:
        print("Stopped.", file=sys.stderr)
        return 0


if __name__ == "__main__":
    raise SystemExit(main())
