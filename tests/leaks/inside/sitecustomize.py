"""Put before a measured process by its PYTHONPATH: on SIGUSR2 it frees what can be freed and appends its RSS to the file MEASURED_RSS.

What is left then is held by somebody. Without this a figure would also count garbage that waits for its collection and free memory that
the allocator keeps, which come and go and say nothing about a call.
"""

import ctypes
import gc
import os
import signal


def rss_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(*_: object) -> None:
    raw = rss_bytes()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open(os.environ["MEASURED_RSS"], "a") as told:
        told.write(f"{raw} {rss_bytes()}\n")


if "MEASURED_RSS" in os.environ:
    signal.signal(signal.SIGUSR2, measure)
