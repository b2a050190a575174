"""`python -m bench.upload`: what storing a recording adds to a worker's memory, against the simulator's S3 in a process of its own.

A small file goes first, so that clients and buffers are there; then the large one, in the same process. What the peak grew by is printed.
"""

import argparse
import contextlib
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from providers.config import StorageConfig
from providers.storage import ObjectStore

MOST_EXTRA_MB = 32
_SMALL_BYTES = 11 << 20
_START_S = 60


@dataclass(frozen=True)
class Uploaded:
    size_mb: int
    extra_mb: float
    took_s: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.upload", description=__doc__)
    parser.add_argument("--size-mb", type=int, default=1024, help="the large file, in MiB")
    parser.add_argument("--directory", type=Path, default=None, help="where twice the file has room; a temporary one by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as scratch, storage(Path(scratch)) as root:
        found = measure(f"{root}/s3", Path(scratch), options.size_mb)
    grown = f"the peak grew by {found.extra_mb:.1f} MiB (at most {MOST_EXTRA_MB})"
    print(f"{found.size_mb} MiB stored and verified in {found.took_s:.1f} s; {grown}")
    return 0 if found.extra_mb <= MOST_EXTRA_MB else 1


def measure(endpoint_url: str, scratch: Path, size_mb: int) -> Uploaded:
    """Uploads a small file, then one of `size_mb`, and compares the peaks of this process."""
    store = ObjectStore(StorageConfig("bench", "simulator", "simulator-secret", endpoint_url=endpoint_url))
    store.ensure_bucket()
    small, large = scratch / "small.wav", scratch / "large.wav"
    for path, size_bytes in ((small, _SMALL_BYTES), (large, size_mb << 20)):
        with path.open("wb") as file:
            file.truncate(size_bytes)
    store.put_file(small, "small.wav", "audio/wav", _digest(small))
    digest, before, began = _digest(large), _peak_mb(), time.monotonic()
    store.put_file(large, "large.wav", "audio/wav", digest)
    return Uploaded(size_mb, _peak_mb() - before, time.monotonic() - began)


@contextlib.contextmanager
def storage(scratch: Path) -> Iterator[str]:
    """A simulator with its data under `scratch`; its root URL."""
    log = scratch / "simulator.log"
    with log.open("wb") as output:
        arguments = [sys.executable, "-m", "simulator", "serve", "--port", "0", "--data", str(scratch / "data")]
        running = subprocess.Popen(arguments, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + _START_S
        while "http://" not in log.read_text():
            if running.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"The simulator did not start: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield next(word for word in log.read_text().split() if word.startswith("http://"))
    finally:
        running.terminate()
        running.wait(30)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
