"""A recording directory whose disk is full: a file system of a few kilobytes for root, a limit on file sizes for everybody else."""

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from deploy.local.places import RUN

SMALL, ROOMY = "size=128k", "size=256m"
SMALL_BYTES = 128 << 10


class Disk(Protocol):
    how: str

    def make_room(self) -> None: ...


class Mounted:
    how = "a file system of 128 KB (ENOSPC)"

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def make_room(self) -> None:
        _mount("-o", f"remount,{ROOMY}", str(self.directory))


class Limited:
    how = "RLIMIT_FSIZE of 128 KB on the worker (EFBIG)"

    def make_room(self) -> None:
        _limit_worker(resource.RLIM_INFINITY)


@contextlib.contextmanager
def full(directory: Path) -> Iterator[Disk]:
    """While the block runs, until it makes room."""
    directory.mkdir(exist_ok=True)
    if _mount("-t", "tmpfs", "-o", SMALL, "torture", str(directory)):
        try:
            yield Mounted(directory)
        finally:
            subprocess.run(["umount", "-l", str(directory)], check=False, capture_output=True)
        return
    _limit_worker(SMALL_BYTES)
    limited = Limited()
    try:
        yield limited
    finally:
        limited.make_room()


def _mount(*arguments: str) -> bool:
    return os.geteuid() == 0 and subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode == 0


def _limit_worker(most_bytes: int) -> None:
    """Of the worker service and its processes: those that share its group."""
    group = int((RUN / "worker.pid").read_text(encoding="utf-8"))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                if int((entry / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[2]) == group:
                    resource.prlimit(int(entry.name), resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))
