"""Finds a Chromium that the browser tests can drive, or gets one: Debian's if we are root, else Playwright's own."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Playwright's driver is a Node.js that needs libatomic, which a bare Debian does not have.
PACKAGES = ("chromium", "libatomic1", "fonts-noto-core")


def find() -> str | None:
    """The path of a browser that starts, or None; also None where Playwright's driver does not."""
    own = _playwrights()
    if own is None:
        return None
    candidates = [os.environ.get("CHROMIUM"), *(shutil.which(name) for name in NAMES), own]
    return next((path for path in candidates if path and Path(path).exists() and _starts(path)), None)


def install() -> str | None:
    """Installs one the way this machine allows, saying what it does. The path, or None with the reason printed."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium for the browser tests (apt-get install chromium) ...", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]):
            _run(command, quiet)
        _playwrights.cache_clear()
        if path := find():
            return path
    if _playwrights() is None:
        print("Playwright's driver does not start here. As root: apt-get install libatomic1 chromium", flush=True)
        return None
    print("Installing Playwright's Chromium for the browser tests ...", flush=True)
    _run([sys.executable, "-m", "playwright", "install", "chromium"], dict(os.environ))
    return find()


def ensure() -> str | None:
    return find() or install()


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{' '.join(command[:3])} failed: {(done.stderr.strip() or done.stdout.strip())[-300:]}", flush=True)


def _starts(path: str) -> bool:
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@cache
def _playwrights() -> str | None:
    """Where Playwright would keep its own browser; None if its driver does not start. Asked in another process: its failure is noisy."""
    ask = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    try:
        done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
