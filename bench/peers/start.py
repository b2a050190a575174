"""Starts the peers that ours is measured beside: the bare relay in our own interpreter, Pipecat in `.local/peers-venv`."""

import subprocess
import sys
from pathlib import Path

from deploy.local.places import LOCAL, ROOT
from deploy.local.roles import Role

_HERE = Path(__file__).resolve().parent
_VENV = LOCAL / "peers-venv"
_PYTHON = _VENV / "bin" / "python"


def relay(port: int, simulator_port: int) -> Role:
    return Role("bench-relay", (sys.executable, str(_HERE / "relay.py"), str(port), str(simulator_port)))


def pipecat(port: int, simulator_port: int) -> Role:
    return Role("bench-pipecat", (str(_PYTHON), str(_HERE / "pipecat_agent.py"), str(port), str(simulator_port)))


def install() -> None:
    """Makes Pipecat's venv if it is not there or its locked requirements have changed."""
    locked, stamp = _HERE / "requirements.txt", _VENV / "installed.txt"
    if stamp.exists() and stamp.read_bytes() == locked.read_bytes():
        return
    print("Installing Pipecat into .local/peers-venv ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(_VENV)], check=True)
    pip = next((ROOT / "deploy" / "bootstrap").glob("pip-*.whl")) / "pip"
    # --no-deps: the file holds everything that runs; docopt, wanted by a command line that nobody calls, has no wheel.
    options = ("--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "--no-deps")
    subprocess.run([str(_PYTHON), str(pip), "install", *options, "-r", str(locked)], check=True)
    stamp.write_bytes(locked.read_bytes())
