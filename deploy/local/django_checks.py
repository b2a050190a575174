"""Django's own checks, and that no migration and no API description is missing. Needs a database, so it brings one."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.local import stack
from deploy.local.places import ROOT
from deploy.local.postgres import Postgres

COMMANDS = (
    ("check", "--fail-level", "WARNING"),
    ("makemigrations", "--check", "--dry-run"),
    ("migrate", "--no-input", "--verbosity", "0"),
    ("spectacular", "--validate", "--fail-on-warn", "--file", os.devnull),
)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="voiceagents-check-") as name:
        directory = Path(name)
        directory.chmod(0o711)
        postgres = Postgres(_made(directory / "postgres"), durable=False)
        try:
            postgres.start()
            environment = {
                **stack.base_environment(),
                "DATABASE_URL": postgres.url(),
                "REDIS_URL": "redis://127.0.0.1:1/0",
                "LOG_LEVEL": "WARNING",
            }
            for command in COMMANDS:
                print("manage.py", *command, flush=True)
                done = subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=False)
                if done.returncode:
                    return done.returncode
        finally:
            postgres.stop()
    return 0


def _made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


if __name__ == "__main__":
    raise SystemExit(main())
