"""A real Postgres and a real Valkey for this test process, started before Django reads its settings.

Loaded by `-p tests.services` in pytest.ini. Each pytest process (and each xdist worker) has its own servers on free ports, so
runs never meet; the cluster is a copy of one that was initialised once.
"""

import atexit
import fcntl
import os
import shutil
import sys
import tempfile
from pathlib import Path

from deploy.local.places import LOCAL, service_account, service_directory
from deploy.local.postgres import Postgres
from deploy.local.valkey import Valkey


def _cluster(directory: Path) -> Postgres:
    template = service_directory("test-postgres", service_account())
    with (template / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        original = Postgres(template / "template", durable=False) if (template / "template").exists() else None
        if original is None:
            (template / "template").mkdir()
            original = Postgres(template / "template", durable=False)
        original.create()
    copy = directory / "cluster" / "postgres"
    copy.parent.mkdir()
    shutil.copytree(template / "template", copy)
    binaries = template / "postgres-binaries"
    if binaries.exists():
        (directory / "cluster" / "postgres-binaries").symlink_to(binaries)
    service_account().own(copy / "data")
    return Postgres(copy, durable=False)


def _start() -> None:
    directory = Path(tempfile.mkdtemp(prefix="voiceagents-test-"))
    os.chmod(directory, 0o711)
    postgres, valkey = _cluster(directory), Valkey(directory / "valkey", durable=False)

    def stop() -> None:
        postgres.stop()
        valkey.stop()
        shutil.rmtree(directory, ignore_errors=True)

    (directory / "static").mkdir()
    atexit.register(stop)
    postgres.start()
    valkey.start()
    # Every name is set, so that a developer's .env never reaches a test and no test reaches a real provider.
    os.environ.update(
        ENV_FILES="none",
        DATABASE_URL=postgres.url(),
        DATABASE_POOL_SIZE="100",  # every event loop of a test leaves a thread behind that may keep its connection until it is collected
        REDIS_URL=valkey.url,
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
