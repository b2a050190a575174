"""`make demo`: one real call through everything, told as it happens; then the dashboard stays up until Ctrl-C."""

import json
import os
import secrets
import signal
import sys
import time
from pathlib import Path

from deploy.local import roles, stack, story
from deploy.local.places import LOCAL, LOGS
from deploy.local.ports import require_free
from deploy.local.run import Stop, stop_on_signals
from deploy.local.supervisor import Supervisor
from voiceagents import env as environment

EXOPHONE = "+918047112233"
CALLER = "+919812345678"
USERNAME = "demo"


def _secret(name: str, length: int = 12) -> str:
    path = LOCAL / name
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(length), encoding="utf-8")
    return path.read_text(encoding="utf-8")


def _ports() -> tuple[int, int, int]:
    env = environment.Environment(os.environ)
    ports = {name: env.port(name, default) for name, default in (("WEB_PORT", 8000), ("MEDIA_PORT", 8001), ("SIMULATOR_PORT", 9000))}
    for name, port in ports.items():
        if list(ports.values()).count(port) > 1:
            raise SystemExit(f"{name}={port} is given to two processes. Choose three different ports.")
        require_free(name, port)
    return ports["WEB_PORT"], ports["MEDIA_PORT"], ports["SIMULATOR_PORT"]


def simulated(web: int, media: int, simulator: int) -> dict[str, str]:
    """The environment in which every outside party is the simulator. Nothing of the real ones is left in it."""
    fake = f"http://127.0.0.1:{simulator}"
    return {
        "ENV_FILES": "none",
        "WEB_PORT": str(web),
        "MEDIA_PORT": str(media),
        "BIND_HOST": "127.0.0.1",
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "DEBUG": "false",
        "WEBHOOK_BASE_URL": f"http://127.0.0.1:{web}",
        "MEDIA_BASE_URL": f"ws://127.0.0.1:{media}",
        "EXOTEL_API_KEY": "sim-key",
        "EXOTEL_API_TOKEN": "sim-token",
        "EXOTEL_SID": "simulated1",
        "EXOTEL_BASE_URL": f"{fake}/exotel",
        "EXOTEL_APP_ID": "1",
        "EXOTEL_WEBHOOK_SECRETS": _secret("webhook-secret", 24),
        "OPENAI_API_KEY": "sim-openai",
        "OPENAI_BASE_URL": f"{fake}/openai/v1",
        "DEEPGRAM_API_KEY": "sim-deepgram",
        "DEEPGRAM_BASE_URL": f"{fake}/deepgram",
        "ELEVENLABS_API_KEY": "sim-elevenlabs",
        "ELEVENLABS_BASE_URL": f"{fake}/elevenlabs",
        "AWS_ACCESS_KEY_ID": "simulator",
        "AWS_SECRET_ACCESS_KEY": "simulator-secret",
        "AWS_S3_BUCKET": "recordings",
        "AWS_REGION": "ap-south-1",
        "AWS_S3_ENDPOINT_URL": f"{fake}/s3",
        "RECORDING_SPOOL_DIR": str(LOCAL / "recordings"),
        "RECONCILE_S": "3",
        "JOB_SWEEP_S": "5",
        "WORKER_PROCESSES": "2",
    }


def simulator_settings(values: dict[str, str], *, speech: str) -> Path:
    """Writes the simulator's settings: one exophone whose flow leads to our doors."""
    door = f"{values['WEBHOOK_BASE_URL']}/api/v1/webhooks/exotel"
    key = f"?key={values['EXOTEL_WEBHOOK_SECRETS']}"
    path = LOCAL / "simulator.toml"
    path.touch(mode=0o600)
    path.write_text(
        f'speech = "{speech}"\n'
        f"[exotel]\ndetails_delay_s = 3.0\nrecording_delay_s = 3.0\n"
        f'[[exotel.exophones]]\nnumber = "{EXOPHONE}"\nfriendly_name = "Front desk"\n'
        f"voicebot_url = {json.dumps(f'{door}/voicebot{key}')}\n"
        f"passthru_url = {json.dumps(f'{door}/passthru{key}')}\n"
        f"after_stream_url = {json.dumps(f'{door}/after-stream{key}')}\n"
        f'[[exotel.people]]\nnumber = "{CALLER}"\nscenario = "demo"\n',
        encoding="utf-8",
    )
    return path


def main() -> int:
    stop_on_signals()
    once = os.environ.get("ONCE") == "1"
    try:
        return _demo(once)
    except Stop:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        print("\nStopped.")
        return 0


def _demo(once: bool) -> int:
    LOCAL.mkdir(exist_ok=True)
    web, media, simulator = _ports()
    base = f"http://127.0.0.1:{web}"
    values = {**stack.base_environment(), **simulated(web, media, simulator)}
    password = _secret("demo-password")
    with stack.only_one():
        print("Starting Postgres and Valkey ...", flush=True)
        with stack.embedded(values) as complete, stack.shared_environment({**simulated(web, media, simulator), **_ours(complete)}):
            supervisor = Supervisor(complete, to_files=True)
            try:
                for log in LOGS.glob("*.log"):
                    log.unlink()
                supervisor.start(roles.simulator(simulator, simulator_settings(values, speech="real"), stack.local_path("simulator")))
                print("Preparing the database ...", flush=True)
                stack.prepare(complete)
                stack.manage(complete, "seed_demo", "--username", USERNAME, "--password", password, "--number", EXOPHONE)
                stack.wait_until_up("the simulator", f"http://127.0.0.1:{simulator}/healthz", supervisor.died)
                stack.manage(complete, "prepare_storage")
                print("Starting web, media, worker, hooks and beat ...", flush=True)
                for role in roles.product(worker_processes=2):
                    supervisor.start(role)
                stack.wait_until_up("web", f"{base}/readyz", supervisor.died)
                stack.wait_until_up("media", f"http://127.0.0.1:{media}/readyz", supervisor.died)
                failures = story.tell(base, (USERNAME, password), complete, to_number=EXOPHONE, from_number=CALLER)
                if failures:
                    reasons = "\n".join(f"  - {failure}" for failure in failures)
                    print(f"\nThe demo did not get through:\n{reasons}\nLogs are in {LOGS}.", flush=True)
                    return 1
                if once:
                    print("\nEverything is in place.", flush=True)
                    return 0
                print(f"\nThe dashboard: {base}/\nLog in as:     {USERNAME} / {password}\nAdmin:         {base}/admin/")
                print(f"Call again:    .venv/bin/python -m simulator call --port {simulator} --to {EXOPHONE} --scenario demo")
                print("Ctrl-C stops everything.", flush=True)
                while True:
                    time.sleep(0.5)
                    supervisor.watch()
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                supervisor.stop()


def _ours(complete: dict[str, str]) -> dict[str, str]:
    return {name: complete[name] for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")}


if __name__ == "__main__":
    sys.exit(main())
