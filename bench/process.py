"""A process' CPU time and memory from /proc, who else worked on its core, and which cores it may use."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
_IDLE, _IOWAIT = 3, 4
FIRST, NEXT = -18, -8  # of 20 steps of priority: what is measured and what measures it, and what both wait for


@dataclass
class Load:
    """What was measured while calls ran. `others_on_core`: the share of the subject's core that other processes (or the host) had."""

    elapsed_ms: float = 0.0
    cpu_ms: float = 0.0
    grown_mb: float = 0.0
    line_busy: float = 0.0
    line_late_ms: float = 0.0
    others_on_core: float = 0.0


def cpu_ms(pid: int) -> float:
    """User and system time of the process so far, in ms, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_MS


def core_ms(core: int) -> float:
    """The time in which the core was not idle since the machine started, what the host took away included."""
    line = next(line for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines() if line.startswith(f"cpu{core} "))
    counts = [int(count) for count in line.split()[1:9]]
    return (sum(counts) - counts[_IDLE] - counts[_IOWAIT]) * _TICK_MS


def rss_mb(pid: int) -> float:
    """Resident memory now, in MB (10^6 bytes)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def pin(pid: int, cores: set[int]) -> None:
    """Binds every thread of the process to `cores`; those it starts later inherit it."""
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)


def put_ahead(pid: int, priority: int = FIRST) -> bool:
    """Ahead of all other work on the machine; False where we may not. Linux weighs sessions before it weighs their processes."""
    try:
        Path(f"/proc/{pid}/autogroup").write_text(f"{priority}\n", encoding="utf-8")
    except FileNotFoundError:
        pass  # a kernel without groups of sessions
    except OSError:
        return False
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), priority)
    except (PermissionError, ProcessLookupError):
        return False
    return True


def cores() -> tuple[set[int], set[int]]:
    """One core for the process under measure and the others for everything else; the same one where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return ({usable[0]}, set(usable[1:])) if len(usable) > 1 else ({usable[0]}, {usable[0]})


@contextlib.contextmanager
def measured(pid: int, line_pid: int, core: int) -> Iterator[Load]:
    """The load of the block inside, filled in at its end. `core`: where the subject runs."""
    load = Load()
    began, cpu, line, on_core, memory = time.monotonic(), cpu_ms(pid), cpu_ms(line_pid), core_ms(core), rss_mb(pid)
    with _peak_mb(pid) as peak:
        yield load
    load.elapsed_ms = (time.monotonic() - began) * 1000
    load.cpu_ms = cpu_ms(pid) - cpu
    load.grown_mb = max(peak) - memory
    load.line_busy = (cpu_ms(line_pid) - line) / load.elapsed_ms
    load.others_on_core = max(0.0, core_ms(core) - on_core - load.cpu_ms) / load.elapsed_ms


@contextlib.contextmanager
def _peak_mb(pid: int) -> Iterator[list[float]]:
    seen, stop = [rss_mb(pid)], threading.Event()

    def watch() -> None:
        while not stop.wait(0.25):
            seen.append(rss_mb(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()
