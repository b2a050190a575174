"""A real Postgres and a real Valkey for this test process, started before Django reads its settings.

Loaded by `-p tests.services` in pytest.ini. Each pytest process (and each xdist worker) has its own servers on free ports, so
runs never meet; the cluster is a copy of one that was initialised and migrated once.
"""

import atexit
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from deploy.local.places import LOCAL, ROOT, service_account, service_directory
from deploy.local.postgres import Postgres
from deploy.local.valkey import Valkey

DATABASE = "test_voiceagents"  # as pytest-django calls it

# What the database of the tests is made from. A change of any of it makes the database anew.
_ROOMS = ("access", "agents", "audit", "calls", "pricing", "providers", "requirements", "telephony", "voiceagents")


def _digest() -> str:
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in (".py", ".toml", ".txt", ".sql"):
                digest.update(f"{path.relative_to(ROOT)} {path.stat().st_size} ".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _migrated(place: Path, settings: dict[str, str]) -> Path:
    """A cluster at rest that holds the migrated database: every process of a run copies it, instead of migrating one of its own."""
    wanted = place / f"migrated-{_digest()}"
    if wanted.exists():
        return wanted
    Postgres(_directory(place / "template"), durable=False).create()
    shutil.rmtree(place / "making", ignore_errors=True)
    shutil.copytree(place / "template", place / "making")
    service_account().own(place / "making" / "data")
    server = Postgres(place / "making", durable=False)
    server.start()
    try:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        environment = {**os.environ, **settings, "DATABASE_URL": server.url(DATABASE)}
        migrate = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
        done = subprocess.run(migrate, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    finally:
        server.stop()
    if done.returncode:
        raise SystemExit(f"The database of the tests could not be migrated:\n{done.stderr[-3000:]}")
    for old in place.glob("migrated-*"):
        shutil.rmtree(old)
    return (place / "making").rename(wanted)


def _directory(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


def _cluster(directory: Path, settings: dict[str, str]) -> Postgres:
    place = service_directory("test-postgres", service_account())
    copy = directory / "cluster" / "postgres"
    copy.parent.mkdir()
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.copytree(_migrated(place, settings), copy)
    if (binaries := place / "postgres-binaries").exists():
        (directory / "cluster" / "postgres-binaries").symlink_to(binaries)
    service_account().own(copy / "data")
    return Postgres(copy, durable=False)


def _start() -> None:
    directory = Path(tempfile.mkdtemp(prefix="voiceagents-test-"))
    os.chmod(directory, 0o711)
    settings = _settings(directory)
    postgres, valkey = _cluster(directory, settings), Valkey(directory / "valkey", durable=False)

    def stop() -> None:
        postgres.stop()
        valkey.stop()
        shutil.rmtree(directory, ignore_errors=True)

    (directory / "static").mkdir()
    atexit.register(stop)
    postgres.start()
    valkey.start()
    os.environ.update({**settings, "DATABASE_URL": postgres.url(), "REDIS_URL": valkey.url})


def _settings(directory: Path) -> dict[str, str]:
    """Every name is set, so that a developer's .env never reaches a test and no test reaches a real provider."""
    return dict(
        ENV_FILES="none",
        DATABASE_POOL_SIZE="100",  # every event loop of a test leaves a thread behind that may keep its connection until it is collected
        REDIS_URL="redis://127.0.0.1:1/0",
        SECRET_KEY="only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz",
        DEBUG="false",
        WEBHOOK_BASE_URL="http://testserver",
        MEDIA_BASE_URL="ws://127.0.0.1:1",
        EXOTEL_API_KEY="sim-key",
        EXOTEL_API_TOKEN="sim-token",
        EXOTEL_SID="simulated1",
        EXOTEL_SUBDOMAIN="api.exotel.com",
        EXOTEL_BASE_URL="http://127.0.0.1:1/exotel",
        EXOTEL_WEBHOOK_SECRETS="first-secret-0123456789,second-secret-0123456789",
        OPENAI_API_KEY="sim-openai",
        OPENAI_BASE_URL="http://127.0.0.1:1/openai/v1",
        DEEPGRAM_API_KEY="sim-deepgram",
        DEEPGRAM_BASE_URL="http://127.0.0.1:1/deepgram",
        ELEVENLABS_API_KEY="sim-elevenlabs",
        ELEVENLABS_BASE_URL="http://127.0.0.1:1/elevenlabs",
        AWS_ACCESS_KEY_ID="simulator",
        AWS_SECRET_ACCESS_KEY="simulator-secret",
        AWS_S3_BUCKET="recordings",
        AWS_REGION="us-east-1",
        AWS_S3_ENDPOINT_URL="http://127.0.0.1:1/s3",
        RECORDING_SPOOL_DIR=str(directory / "recordings"),
        WEBHOOK_SPOOL_DIR=str(directory / "webhooks"),
        LOG_LEVEL="WARNING",
        STATIC_ROOT=str(directory / "static"),
    )


if "--help" not in sys.argv and "--version" not in sys.argv:
    LOCAL.mkdir(exist_ok=True)
    _start()
