"""The embedded services and the prepared database that every way of running shares."""

import contextlib
import fcntl
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from deploy.local.places import LOCAL, ROOT, RUN, free_mb, service_account, service_directory
from deploy.local.postgres import Postgres, ServiceFailed
from deploy.local.valkey import Valkey


@contextlib.contextmanager
def only_one() -> Iterator[TextIO]:
    """Two launchers in one checkout would fight over the same files: the second is told so."""
    RUN.mkdir(parents=True, exist_ok=True)
    with (RUN / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"Another 'make demo' or 'make run' is running in {ROOT}. Stop it first, or use a second checkout.") from None
        yield lock


@contextlib.contextmanager
def embedded(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Starts what `environment` does not bring (DATABASE_URL, REDIS_URL) and yields it completed."""
    if free_mb(ROOT) < 300:
        raise SystemExit(f"Only {free_mb(ROOT)} MB are free on the disk of {ROOT}; at least 300 MB are needed.")
    complete = dict(environment)
    with contextlib.ExitStack() as running:
        if not complete.get("DATABASE_URL"):
            postgres = Postgres(service_directory("postgres", service_account()))
            running.callback(postgres.stop)
            postgres.start()
            complete["DATABASE_URL"] = postgres.url()
        if not complete.get("REDIS_URL"):
            valkey = Valkey(LOCAL / "valkey")
            running.callback(valkey.stop)
            valkey.start()
            complete["REDIS_URL"] = valkey.url
        yield complete


def secret_key() -> str:
    """This checkout's own key, made once: sessions and tokens survive a restart."""
    path = LOCAL / "secret-key"
    if not path.exists():
        LOCAL.mkdir(exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48), encoding="utf-8")
    return path.read_text(encoding="utf-8")


@contextlib.contextmanager
def shared_environment(values: dict[str, str]) -> Iterator[None]:
    """Leaves `values` where `manage.py` finds them while the services run, readable by this account only."""
    path = RUN / "environment"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in sorted(values.items())), encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def manage(environment: dict[str, str], *arguments: str) -> str:
    """Runs a management command; raises `ServiceFailed` with its last words if it fails."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ServiceFailed(f"manage.py {arguments[0]} failed:\n{(done.stderr or done.stdout).strip()[-3000:]}")
    return done.stdout


def prepare(environment: dict[str, str]) -> None:
    """Brings the database and the static files to this release."""
    manage(environment, "migrate", "--no-input", "--verbosity", "0")
    manage(environment, "collectstatic", "--no-input", "--verbosity", "0")


def wait_until_up(name: str, url: str, alive: Callable[[], tuple[str, str] | None], deadline_s: float = 60) -> None:
    """Waits until `url` answers 200; a role that died meanwhile, or too long a wait, ends the start with its log."""
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310  (an address of our own)
                if response.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        if dead := alive():
            raise SystemExit(f"{dead[0]} did not start:\n{dead[1]}")
        if time.monotonic() > deadline:
            raise SystemExit(f"{name} does not answer at {url} after {deadline_s:g} s. Its log is in {LOCAL / 'log'}.")
        time.sleep(0.1)


def base_environment() -> dict[str, str]:
    """Our own environment, with what every child needs."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "SECRET_KEY": os.environ.get("SECRET_KEY") or secret_key()}


def local_path(*parts: str) -> Path:
    path = LOCAL.joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path
