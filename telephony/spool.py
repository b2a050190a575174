"""Deliveries on the local disk, for as long as Postgres is away or too many come at once: appended, synced, and read back in the order in
which they came.

One file for each process and outage, a line for each delivery: checksum, then JSON. Nothing here knows what a delivery means; secrets are
taken out before it gets here. A file is taken over for reading by renaming it; whoever appends looks under a lock whether it still has
its name. A line that was torn by a crash is passed over.
"""

import fcntl
import heapq
import os
import secrets
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from django.conf import settings

logger = structlog.get_logger()

_OPEN: Final = ".open"
_TAKEN: Final = ".taken"
REFUSED: Final = "refused.lines"  # what the database will never take, for a person to look at
_LOCK: Final = "reading.lock"
_CHECKSUM: Final = 9  # eight digits and a space
_LOOKS: Final = 20
# Asked every few seconds by whoever balances and whoever measures: of a longer file no more than its beginning is read.
COUNTED_BYTES: Final = 1 << 20


class SpoolFull(Exception):
    """The delivery is on no disk. `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Spooled:
    """One delivery as a door accepted it. `received_ns` counts from 1970."""

    received_ns: int
    door: str
    method: str
    content_type: str
    params: dict[str, Any]
    call_sid: str
    session_id: str = ""

    @property
    def received_at(self) -> datetime:
        return datetime.fromtimestamp(self.received_ns / 1e9, UTC)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What lies on the disk. `deliveries` and `refused` are estimated for files of more than `COUNTED_BYTES`; everything else is exact."""

    deliveries: int = 0
    size_bytes: int = 0
    oldest_at: datetime | None = None
    refused: int = 0


class _Pen:
    """This process's own file name; a forked child gets one of its own."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._owner, self._name = 0, ""

    def path(self, directory: Path) -> Path:
        if self._owner != os.getpid():
            self._owner, self._name = os.getpid(), f"{os.getpid()}-{secrets.token_hex(4)}{_OPEN}"
        return directory / self._name


_pen = _Pen()


def append(delivery: Spooled) -> None:
    """Puts the delivery on the disk; it is there when this returns. Raises `SpoolFull`."""
    content = msgspec.json.encode(delivery)
    line = b"%08x %b\n" % (zlib.crc32(content), content)
    directory: Path = settings.WEBHOOK_SPOOL_DIR
    try:
        with _pen.lock:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            room = settings.WEBHOOK_SPOOL_MAX_BYTES - sum(_size(path) for path in _files(directory))
            if len(line) > room:
                raise SpoolFull(f"WEBHOOK_SPOOL_DIR holds WEBHOOK_SPOOL_MAX_BYTES={settings.WEBHOOK_SPOOL_MAX_BYTES} already")
            _write(_pen.path(directory), line)
    except OSError as error:
        raise SpoolFull(f"WEBHOOK_SPOOL_DIR cannot be written ({error.strerror or type(error).__name__})") from error


def _write(path: Path, line: bytes) -> None:
    """Appends and syncs, or raises OSError and leaves no part of the line."""
    with _opened(path) as file:
        size = os.fstat(file).st_size
        torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        try:
            rest = memoryview(b"\n" + line if torn else line)
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        except OSError:
            os.ftruncate(file, size)
            raise
    if size == 0:
        _sync(path.parent)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The file under its name, locked: a reader that has renamed it meanwhile waits for us, or we for a new file."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                is_ours = os.stat(path).st_ino == os.fstat(file).st_ino
            except FileNotFoundError:
                is_ours = False
            if is_ours:
                yield file
                return
        finally:
            os.close(file)


def _sync(directory: Path) -> None:
    opened = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.glob("*") if path.suffix in (_OPEN, _TAKEN))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # read back in this moment


# --- reading back -----------------------------------------------------------------------------------------------------------


@contextmanager
def reader() -> Iterator[bool]:
    """True for the one who may read now, on this machine; False while somebody else does. Ends with its process, however that ends."""
    directory: Path = settings.WEBHOOK_SPOOL_DIR
    if not directory.is_dir() or not _files(directory):
        yield False
        return
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(lock)


def take() -> list[Path]:
    """Every file that waits, taken away from those who append. For the reader only; files of a reader that died are among them."""
    directory: Path = settings.WEBHOOK_SPOOL_DIR
    for path in _files(directory):
        if path.suffix == _OPEN:
            taken = path.with_name(f"{path.stem}-{time.time_ns()}{_TAKEN}")
            path.rename(taken)
            with taken.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # whoever was appending is done now
    return [path for path in _files(directory) if path.suffix == _TAKEN]


def deliveries(paths: list[Path]) -> Iterator[Spooled]:
    """What the files hold, by the time it came; a line at a time, however large they are."""
    return heapq.merge(*(_read(path) for path in paths), key=lambda delivery: delivery.received_ns)


def _read(path: Path) -> Iterator[Spooled]:
    with path.open("rb") as file:
        for line in file:
            try:
                content = line[_CHECKSUM:].rstrip(b"\n")
                if not line.endswith(b"\n") or int(line[: _CHECKSUM - 1], 16) != zlib.crc32(content):
                    raise ValueError
                yield msgspec.json.decode(content, type=Spooled)
            except (ValueError, msgspec.MsgspecError):
                logger.error("spooled_line_torn", file=path.name, size_bytes=len(line))


def refuse(delivery: Spooled) -> None:
    """Puts aside what can never be kept, so that it holds up nothing. Raises OSError."""
    _write(settings.WEBHOOK_SPOOL_DIR / REFUSED, msgspec.json.encode(delivery) + b"\n")


def forget(paths: list[Path]) -> None:
    """Everything in these files is kept elsewhere."""
    for path in paths:
        path.unlink(missing_ok=True)
    _sync(settings.WEBHOOK_SPOOL_DIR)


def waiting() -> Waiting:
    """How much lies on the disk, and since when: quick, however much it is. Raises OSError if the directory cannot be read."""
    directory: Path = settings.WEBHOOK_SPOOL_DIR
    for _ in range(_LOOKS - 1):
        with suppress(FileNotFoundError):
            return _waiting(directory)
    return _waiting(directory)


def _waiting(directory: Path) -> Waiting:
    """Raises FileNotFoundError also where a file was renamed or read back meanwhile: what it holds must not be taken for nothing."""
    if not directory.is_dir():
        return Waiting()
    count, size, oldest = 0, 0, None
    for path in _files(directory):
        lines = _lines(path)
        first = next(_read(path), None) if lines else None
        count, size = count + lines, size + path.stat().st_size
        if first is not None and (oldest is None or first.received_at < oldest):
            oldest = first.received_at
    refused = directory / REFUSED
    return Waiting(count, size, oldest, _lines(refused) if refused.exists() else 0)


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        beginning, size = file.read(COUNTED_BYTES), os.fstat(file.fileno()).st_size
    lines = beginning.count(b"\n")
    return lines if size <= len(beginning) else max(round(lines * size / len(beginning)), 1)
