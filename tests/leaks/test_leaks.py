"""After many calls, four of five of them unhappy, the media process has no task, no file and no caller's socket more than before, and no
more threads and connections to each of its services than its pools may hold.

`make leaks` plays 1,000 (LEAK_CALLS) after 200 in which the pools and caches with bounds fill; the suite plays 60. What is measured is a
real process: its tasks, files and threads from outside, its memory after it has freed what can be freed (`inside/sitecustomize.py`).
"""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

import pytest

from calls.models import Session
from tests.leaks import unhappy
from tests.providers.exotel import payloads
from tests.telephony.conftest import FIRST
from tests.telephony.servers import eventually
from tests.telephony.test_draining import media_process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes, pytest.mark.timeout(1200)]

CALLS = int(os.environ.get("LEAK_CALLS", "60"))
EACH = 100  # calls between two looks at the memory
WARM_UP = 200 if CALLS >= 500 else 20
GROWTH_BYTES = 5 * 1024  # a call
# Pools of threads and connections fill as they are needed, up to their bounds; whatever leaks leaks more than this.
POOLED = {"threads": 5, "tasks": 0, "files": 0}
POOLED_SOCKETS = 5  # to each service; to Postgres as many as its pool may hold
DATABASE_POOL = 10
# Below this many calls the allocator's own steps are larger than any leak: then only a gross one is found.
ENOUGH_CALLS = 500


def metrics(port: int) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=45) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, value in (line.split(" ") for line in lines if not line.startswith("#"))}


def connections(pid: int, port: int, inodes: set[str]) -> Counter[str]:
    """The process's TCP connections by the port of the service they go to; those that came to its own port are "callers"."""
    rows = [row.split() for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    ends = [(int(row[1].rpartition(":")[2], 16), int(row[2].rpartition(":")[2], 16)) for row in rows if row[9] in inodes]
    return Counter("callers" if here == port else str(there) for here, there in ends)


class Held:
    """What the process holds now."""

    def __init__(self, pid: int, port: int) -> None:
        links = []
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                links.append(os.readlink(fd))
            except FileNotFoundError:
                continue
        self.connections = connections(pid, port, {link[8:-1] for link in links if link.startswith("socket:")})
        self.files = sum(not link.startswith("socket:") for link in links)
        self.threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        told = metrics(port)
        self.tasks, self.calls = told["voiceagents_media_tasks"], told["voiceagents_media_calls"]

    @property
    def things(self) -> dict[str, float]:
        return {"tasks": self.tasks, "files": self.files, "threads": self.threads}

    def has_no_more_than(self, before: "Held", database: str) -> bool:
        may = {name: before.connections[name] + POOLED_SOCKETS for name in before.connections}
        may.update({database: DATABASE_POOL, "callers": before.connections["callers"]})
        return all(self.things[name] <= count + POOLED[name] for name, count in before.things.items()) and all(
            count <= may.get(name, 0) for name, count in self.connections.items()
        )


def memory(process, told: Path) -> tuple[int, int]:
    """What the process holds in bytes, before and after it has freed what can be freed."""
    before = len(told.read_text().splitlines()) if told.exists() else 0
    process.send_signal(signal.SIGUSR2)
    lines = eventually(lambda: told.exists() and (rows := told.read_text().splitlines())[before:] and rows, 40)
    assert lines, "the process did not measure itself"
    raw, held = lines[-1].split()
    return int(raw), int(held)


def test_unhappy_calls_leave_nothing_behind(answering, exotel, settings, tmp_path):
    answering.first_message, answering.record_calls = "Hello.", False
    answering.save()
    who = (payloads.EXOPHONE_0, FIRST)
    told = tmp_path / "rss"
    inside = {"PYTHONPATH": str(Path(__file__).with_name("inside")), "MEASURED_RSS": str(told), "DATABASE_POOL_SIZE": str(DATABASE_POOL)}
    database = str(settings.DATABASES["default"]["PORT"])
    with media_process(settings, LOG_LEVEL="CRITICAL", **inside) as (process, port):

        def rest() -> Held | None:
            held = Held(process.pid, port)
            return held if held.calls == 0 else None

        asyncio.run(unhappy.many(port, range(1, WARM_UP + 1), *who, at_once=8))
        before = eventually(rest, 90)
        assert before, "the warm-up calls never came to their end"
        raw_before, held_before = memory(process, told)
        seen: Counter[str] = Counter()
        points = [held_before]
        for first in range(WARM_UP + 1, WARM_UP + CALLS + 1, EACH):
            seen.update(asyncio.run(unhappy.many(port, range(first, min(first + EACH, WARM_UP + CALLS + 1)), *who, at_once=8)))
            assert eventually(rest, 90), "some calls never came to their end"
            raw_after, held_after = memory(process, told)
            points.append(held_after)

        def no_more() -> bool:
            return Held(process.pid, port).has_no_more_than(before, database)

        is_clean = eventually(no_more, 30)
        after = Held(process.pid, port)
    grown = (held_after - held_before) / CALLS
    print(f"\n{CALLS} calls {dict(seen)}\nRSS {grown / 1024:+.1f} KB a call; KB held every {EACH} calls: {[held >> 10 for held in points]}")
    print(f"with garbage and free lists {(raw_after - raw_before) / CALLS / 1024:+.1f} KB a call")
    print(f"before {before.things} {dict(before.connections)}\nafter  {after.things} {dict(after.connections)}")
    assert sum(count for name, count in seen.items() if name != "hears_the_greeting") >= 0.75 * CALLS
    assert is_clean, f"before {before.things} {before.connections}, after {after.things} {after.connections}"
    assert grown <= (GROWTH_BYTES if CALLS >= ENOUGH_CALLS else 60 * GROWTH_BYTES)
    left = Session.objects.filter(state="active").values_list("created_at", "started_at", "seen_at")
    assert not left, f"{len(left)} sessions were never ended: {list(left)[:5]}"
