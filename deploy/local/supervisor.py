"""Starts the roles, restarts one that dies, and stops them all in order. Each role is a process group of its own."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.places import LOGS, RUN
from deploy.local.postgres import die_with_parent
from deploy.local.roles import Role

RESTART_WITHIN_S = 30.0


@dataclass
class _Running:
    role: Role
    process: subprocess.Popen[bytes]
    started_at: float
    quick_deaths: int = 0
    restart_at: float | None = None
    log: Path | None = None


@dataclass
class Supervisor:
    """`to_files`: each role's output goes to `.local/log/<role>.log`; otherwise to our own output."""

    environment: dict[str, str]
    to_files: bool
    say: Callable[[str], None] = print
    _running: list[_Running] = field(default_factory=list)

    def start(self, role: Role) -> None:
        self._running.append(self._spawn(role))

    def _spawn(self, role: Role) -> _Running:
        RUN.mkdir(parents=True, exist_ok=True)
        LOGS.mkdir(parents=True, exist_ok=True)
        log = LOGS / f"{role.name}.log" if self.to_files else None
        output = log.open("ab") if log else None
        try:
            process = subprocess.Popen(
                role.command,
                env={**self.environment, **role.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches us alone; we stop the others in order
                preexec_fn=lambda: die_with_parent(signal.SIGTERM),
            )
        finally:
            if output:
                output.close()
        role.pid_file.write_text(f"{process.pid}\n", encoding="utf-8")
        return _Running(role, process, time.monotonic(), log=log)

    def watch(self) -> None:
        """One look at every role: whoever died is started again, later each time it dies at once. Call it about once a second."""
        now = time.monotonic()
        for index, running in enumerate(self._running):
            if running.process.poll() is None:
                continue
            if running.restart_at is None:
                _kill_group(running.process.pid)  # children of a killed parent must not live on beside its successor
                quick = running.quick_deaths + 1 if now - running.started_at < RESTART_WITHIN_S else 0
                delay = 0.2 if not quick else min(30.0, 2.0**quick)
                self.say(f"{running.role.name} ended with exit code {running.process.returncode}; starting it again in {delay:g} s.")
                running.quick_deaths, running.restart_at = quick, now + delay
            elif now >= running.restart_at:
                fresh = self._spawn(running.role)
                fresh.quick_deaths = running.quick_deaths
                self._running[index] = fresh

    def died(self) -> tuple[str, str] | None:
        """The first role that is not running now, with the end of its log; None if all run."""
        for running in self._running:
            if running.process.poll() is not None:
                words = running.log.read_text(encoding="utf-8", errors="replace")[-2000:] if running.log else ""
                return running.role.name, words
        return None

    def stop(self) -> None:
        """Stops every role in reverse order of start; one that does not stop in its time is killed."""
        for running in reversed(self._running):
            if running.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    running.process.send_signal(signal.SIGTERM)
        for running in reversed(self._running):
            try:
                running.process.wait(running.role.stop_s)
            except subprocess.TimeoutExpired:
                self.say(f"{running.role.name} did not stop within {running.role.stop_s:g} s and was killed.")
            _kill_group(running.process.pid)
            running.process.wait()
            running.role.pid_file.unlink(missing_ok=True)
        self._running.clear()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
