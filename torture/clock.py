"""Moves the wall clock of the product's processes while they run, and of nobody else."""

import shutil
import struct
import subprocess
from pathlib import Path


class Clock:
    """`environment` makes a process follow this clock. Needs a C compiler; `is_there` tells whether there was one."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self._file.write_bytes(struct.pack("q", 0))
        library = directory / "clock.so"
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler:
            source = Path(__file__).with_name("clock.c")
            subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
        self.is_there = bool(compiler)
        self.environment = {"LD_PRELOAD": str(library), "TORTURE_CLOCK": str(self._file)} if compiler else {}

    def move(self, seconds: int) -> None:
        with self._file.open("r+b") as file:
            file.write(struct.pack("q", seconds))
