"""Fetching a recording: streamed to disk in constant memory, hashed on the way, and only from where `hosts` allows.

Never follows a redirect off the list, never sends credentials where the list does not say so, and leaves either a complete audio file
or nothing at the path.
"""

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import httpx

from providers.exotel.address import ExotelConfig
from providers.exotel.errors import CarrierCategory, CarrierError, from_answer
from providers.exotel.hosts import judge

DELETION: Final = (
    "The carrier keeps its own copy: Exotel documents no way to delete a recording by API (developer.exotel.com, read 2026-11-22). "
    "Set the retention period under Settings, Recording in its dashboard, or ask its support with the call's id."
)
_TIMEOUT: Final = httpx.Timeout(connect=5.0, read=30.0, write=10.0, pool=5.0)
_WHOLE_S: Final = 480.0
_CHUNK_BYTES: Final = 64 * 1024
_MAX_REDIRECTS: Final = 3
_SPARE_BYTES: Final = 64 << 20  # what a download leaves free for everybody else on that disk
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class SpoolFull(CarrierError):
    """There is no room for the recording here. Exotel keeps it for months: it is fetched once there is room again."""

    def __init__(self, directory: Path) -> None:
        message = (
            f"The disk of RECORDING_SPOOL_DIR ({directory.name}) is full. Make room; the recording is fetched as soon as there is some."
        )
        super().__init__(CarrierCategory.SERVER, message, retryable=True)


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A complete file. `content_type` is what its first bytes say, not what the server said."""

    size_bytes: int
    sha256: str
    content_type: str


def audio_type(head: bytes) -> str | None:
    """`audio/mpeg` (with or without an ID3 tag) or `audio/wav`, by the first 12 bytes; None for anything else."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "audio/wav"
    # An MPEG frame: eleven sync bits, then a layer that is not the reserved one (which AAC uses).
    if head[:3] == b"ID3" or (len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 != 0):
        return "audio/mpeg"
    return None


def download(config: ExotelConfig, url: str, path: Path, max_bytes: int) -> Downloaded:
    """Fetches `url` to `path`. Raises `CarrierError`: NOT_FOUND and retryable while Exotel is still preparing the file."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _forget_parts(path, part)
        with _opened(config, url) as answer:
            _judge_size(answer.headers.get("content-length", ""), path.parent, max_bytes)
            with part.open("wb") as file:
                found = _write(answer, file.fileno(), max_bytes)
        os.replace(part, path)
        _sync_directory(path.parent)
        return found
    except httpx.TransportError as error:
        message = "The recording's download broke off. It is tried again."
        raise CarrierError(CarrierCategory.CONNECTION, message, retryable=True) from error
    except OSError as error:
        if error.errno in _FULL:
            raise SpoolFull(path.parent) from error
        message = f"The recording cannot be written ({error.strerror}). Check RECORDING_SPOOL_DIR and its disk."
        raise CarrierError(CarrierCategory.SERVER, message, retryable=True) from error
    finally:
        part.unlink(missing_ok=True)


def _forget_parts(path: Path, own: Path) -> None:
    """What a killed worker left of this recording. One that is only slow writes on into a file without a name, and then fails."""
    for left in path.parent.glob(f".{path.name}.*.part"):
        if left != own:
            left.unlink(missing_ok=True)


def _judge_size(announced: str, directory: Path, max_bytes: int) -> None:
    """Before a byte is taken: a recording that says of itself that it is too large, or that this disk cannot hold."""
    size = int(announced) if announced.isascii() and announced.isdigit() else 0
    if size > max_bytes:
        raise _too_large(max_bytes)
    if shutil.disk_usage(directory).free < size + _SPARE_BYTES:
        raise SpoolFull(directory)


def _too_large(max_bytes: int) -> CarrierError:
    message = f"The recording is larger than {max_bytes} bytes. If that is right, raise RECORDING_MAX_BYTES."
    return CarrierError(CarrierCategory.BAD_REQUEST, message, retryable=False)


@contextmanager
def _opened(config: ExotelConfig, url: str) -> Iterator[httpx.Response]:
    """The answer that holds the file, after redirects; each hop is judged as if it had been the first."""
    with httpx.Client(timeout=_TIMEOUT, follow_redirects=False, headers={"Accept-Encoding": "identity"}) as http:
        for _ in range(_MAX_REDIRECTS + 1):
            verdict = judge(url, own_origin=config.origin, extra_hosts=config.recording_hosts)
            if not verdict.may_fetch:
                raise CarrierError(CarrierCategory.FORBIDDEN, verdict.reason, retryable=False)
            auth = httpx.BasicAuth(config.api_key, config.api_token) if verdict.with_credentials else None
            with http.stream("GET", url, auth=auth) as answer:
                if answer.is_redirect:
                    url = urljoin(url, answer.headers["location"])
                    continue
                if answer.status_code == 404:
                    message = "Exotel has not prepared the recording yet."
                    raise CarrierError(CarrierCategory.NOT_FOUND, message, retryable=True, status=404)
                if answer.status_code != 200:
                    raise from_answer(answer.status_code, b"", answer.headers.get("Retry-After", ""))
                yield answer
                return
    raise CarrierError(CarrierCategory.PROTOCOL, "The recording's address is redirected again and again.", retryable=False)


def _write(answer: httpx.Response, file: int, max_bytes: int) -> Downloaded:
    deadline = time.monotonic() + _WHOLE_S
    digest, size, head = hashlib.sha256(), 0, b""
    for chunk in answer.iter_raw(_CHUNK_BYTES):
        if len(head) < 12:
            head += chunk[:12]
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        if time.monotonic() > deadline:
            message = f"The recording did not arrive within {_WHOLE_S:.0f} s. It is tried again."
            raise CarrierError(CarrierCategory.TIMEOUT, message, retryable=True)
        digest.update(chunk)
        _write_whole(file, chunk)
    if size == 0:
        raise CarrierError(CarrierCategory.NOT_FOUND, "The recording is still empty.", retryable=True)
    content_type = audio_type(head)
    if content_type is None:
        message = "What Exotel gave as a recording is neither MP3 nor WAV. Open its address in a browser to see what it is."
        raise CarrierError(CarrierCategory.PROTOCOL, message, retryable=False)
    os.fsync(file)
    return Downloaded(size, digest.hexdigest(), content_type)


def _write_whole(file: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(file, view) :]


def _sync_directory(directory: Path) -> None:
    """Makes the new name survive a power cut too."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
