"""Finds a Chromium for the browser tests, or gets one: Debian's if we are root, else Playwright's own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The path of a browser that starts, or None."""
    candidates = [os.environ.get("CHROMIUM"), *(shutil.which(name) for name in NAMES), _playwrights()]
    for path in candidates:
        if path and Path(path).exists() and _starts(path):
            return path
    return None


def _starts(path: str) -> bool:
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _playwrights() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def install() -> str | None:
    """Installs one the way this machine allows. Prints what it does; returns its path, or None with the reason printed."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium for the browser tests (apt-get install chromium) ...", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-noto-core"],
        ):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}", flush=True)
                break
        if path := find():
            return path
    print("Installing Playwright's Chromium for the browser tests ...", flush=True)
    done = subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"Playwright could not install its browser: {done.stderr.strip()[-300:] or done.stdout.strip()[-300:]}", flush=True)
    return find()


def ensure() -> str | None:
    return find() or install()
