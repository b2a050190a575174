"""A process that has imported the product once and forks worker services from itself, because each is killed a moment after it began.

What it forks is `celery worker` as it is started everywhere, with its own session, and knows nothing of the torture.
Asked by a line on its input (`<processes> <log>`), it answers with the new service's process id.
"""

import os
import signal
import sys

from celery import Celery

from deploy.local.postgres import die_with_parent

_OPTIONS = ("--loglevel", "WARNING", "--without-gossip", "--without-mingle")


def main() -> None:
    app = _loaded()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the killed need no burial
    print("ready", flush=True)
    for line in sys.stdin:
        processes, log = line.rstrip("\n").split(" ", 1)
        pid = os.fork()
        if pid == 0:
            _become_worker(app, processes, log)
        print(pid, flush=True)


def _loaded() -> Celery:
    """The product's application with everything that a worker imports before its first task."""
    from voiceagents.celery import app

    app.loader.import_default_modules()
    app.finalize()
    return app


def _become_worker(app: Celery, processes: str, log: str) -> None:
    os.setsid()
    die_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        app.worker_main(["worker", "--concurrency", processes, *_OPTIONS])
    finally:
        os._exit(1)  # a worker that comes to its end has not been told to: those here are killed


if __name__ == "__main__":
    main()
