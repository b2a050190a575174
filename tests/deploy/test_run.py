"""`make run` as ops live with it: one line for what is wrong, five processes with their ids, calls that survive a killed one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from deploy.local import demo
from deploy.local.ports import free_port
from tests.house.source import ROOT

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]
PASSWORD = "a-password-for-this-test"


@pytest.fixture
def checkout(tmp_path):
    """The project as a second checkout, so that a developer's own demo and its `.local` are left alone."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in names:
        if name.split("/")[0] not in {"tests", "docs", ".ci", "bench"}:
            _copied(name, copy)
            if name.endswith(".py"):
                _copied(str(Path(cache_from_source(name))), copy)
    return copy


def _copied(name, copy):
    """With its time, so that what Python has compiled of it is not compiled again by each of the processes."""
    if (ROOT / name).exists():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)


def _complete(**changes):
    """A complete environment; nothing of this machine's own beyond what a process needs."""
    ports = free_port(), free_port(), free_port()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    fakes = {name: value for name, value in demo.simulated(*ports).items() if value and name != "ENV_FILES"}
    return ports, {**kept, **fakes, "EXOTEL_WEBHOOK_SECRETS": "a-secret-for-this-test", **changes}


def _start(checkout, environment, said=subprocess.PIPE):
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.local.run"],
        cwd=checkout, env={**environment, "PYTHONPATH": str(checkout)}, stdout=said, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"EXOTEL_API_TOKEN": ""}, "EXOTEL_API_TOKEN is not set"),
        ({"DEEPGRAM_API_KEY": "", "OPENAI_API_KEY": ""}, "OPENAI_API_KEY is not set"),
        (
            {"MEDIA_BASE_URL": "https://voice.example.com"},
            "MEDIA_BASE_URL=https://voice.example.com is not usable: it must start with wss://",
        ),
        ({"WEB_PORT": "eighty"}, "WEB_PORT='eighty' is not a whole number"),
        ({"DATABASE_URL": "mysql://u:hunter2@h/d"}, "DATABASE_URL=mysql://u:***@h/d is not usable"),
        ({"DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/d"}, "DATABASE_URL=postgresql://u:***@127.0.0.1:1/d: nothing answers there"),
        ({"REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"}, "REDIS_URL=redis://:***@127.0.0.1:1/0: nothing answers there"),
        ({"TIME_ZONE": "Mars/Phobos"}, "TIME_ZONE='Mars/Phobos' is no time zone"),
    ],
)
def test_a_value_that_is_missing_or_makes_no_sense_stops_the_start_with_one_line(checkout, changes, says):
    for _ in range(5):
        _, environment = _complete(**changes)
        process = _start(checkout, environment)
        output, _ = process.communicate(timeout=60)
        if "is taken" not in output:  # another process of the suite took the port that had been free
            break
    assert process.returncode != 0
    assert says in output and len(output.strip().splitlines()) == 1


def test_a_taken_port_is_named_with_what_to_do(checkout):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        _, environment = _complete(MEDIA_PORT=str(port))
        process = _start(checkout, environment)
        output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert f"Port {port} is taken" in output and "MEDIA_PORT=" in output and len(output.strip().splitlines()) == 1


def test_the_product_runs_against_any_provider_and_survives_a_killed_worker(checkout):
    # What a killed worker was doing is taken up again when its lease has run out, which by default takes eleven minutes.
    ports, environment = _complete(JOB_LEASE_S="20", JOB_SWEEP_S="2")
    web, _, simulator = ports
    settings = checkout / "simulator.toml"
    door, key = f"http://127.0.0.1:{web}/api/v1/webhooks/exotel", "?key=a-secret-for-this-test"
    settings.write_text(
        f'speech = "tones"\n[exotel]\ndetails_delay_s = 1.0\nrecording_delay_s = 1.0\n[[exotel.exophones]]\nnumber = "{demo.EXOPHONE}"\n'
        f'voicebot_url = "{door}/voicebot{key}"\npassthru_url = "{door}/passthru{key}"\nafter_stream_url = "{door}/after-stream{key}"\n'
    )
    simulated = {**environment, "PYTHONPATH": str(ROOT)}
    data = str(checkout / "fake")
    fake = subprocess.Popen(
        [sys.executable, "-m", "simulator", "serve", "--port", str(simulator), "--settings", str(settings), "--data", data],
        cwd=ROOT, env=simulated, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    # To a file: a pipe that nobody reads is full after 64 KiB, and whoever writes to it then stands still.
    product = _start(checkout, environment, (checkout / "said").open("w"))
    try:
        _until(lambda: _status(f"http://127.0.0.1:{web}/readyz") == 200, 400, "web")
        _until(lambda: _status(f"http://127.0.0.1:{ports[1]}/healthz") == 200, 120, "media")
        run = checkout / ".local" / "run"
        pids = {role: int((run / f"{role}.pid").read_text()) for role in ("web", "media", "worker", "hooks", "beat")}
        assert all(os.path.exists(f"/proc/{pid}") for pid in pids.values())
        seeded = {**environment, "PYTHONPATH": str(checkout)}
        subprocess.run(
            [sys.executable, "manage.py", "seed_demo", "--password", PASSWORD, "--number", demo.EXOPHONE],
            cwd=checkout,
            env=seeded,
            check=True,
        )
        call = subprocess.run(
            [sys.executable, "-m", "simulator", "call", "--port", str(simulator), "--to", demo.EXOPHONE, "--scenario", "demo"],
            cwd=ROOT, env=simulated, capture_output=True, text=True, timeout=180,
        )  # fmt: skip
        assert call.returncode == 0, call.stdout[-3000:] + call.stderr[-500:]
        os.kill(pids["worker"], signal.SIGKILL)  # what it was doing after the call is lost with it, and must not be missed
        (session_id,) = [found["session_id"] for found in _api(web, "/api/v1/calls/")["results"]]
        _until(lambda: _api(web, f"/api/v1/calls/{session_id}/")["settled_at"], 240, "the settled call")
        settled = _api(web, f"/api/v1/calls/{session_id}/")
        assert settled["status"] == "completed" and settled["recording"]["state"] == "stored"
        assert settled["recording"]["transcript_text"] and settled["charges"]["lines"] and settled["charges"]["unpriced"] == 0
        assert int((checkout / ".local" / "run" / "worker.pid").read_text()) != pids["worker"]
        product.send_signal(signal.SIGTERM)
        assert product.wait(90) == 0
        assert not [pid for pid in pids.values() if os.path.exists(f"/proc/{pid}")]
        assert not list((checkout / ".local" / "run").glob("*.pid"))
    finally:
        for process in (product, fake):
            process.kill()
            process.wait()


def _status(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status
    except OSError:
        return 0


def _api(port, path):
    credentials = b64encode(f"demo:{PASSWORD}".encode()).decode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Basic {credentials}"})
    with urllib.request.urlopen(request, timeout=45) as response:
        return json.load(response)


def _until(condition, deadline_s, what):
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {deadline_s} s"
        time.sleep(0.25)
