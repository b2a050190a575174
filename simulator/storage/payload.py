"""The bytes of an upload as they were meant: `aws-chunked` framing taken off, every digest that came with them checked."""

import base64
import hashlib
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

from simulator.storage.answers import Refused

_MOST_LINE_BYTES = 4_096


class _Digest(Protocol):
    def update(self, piece: bytes, /) -> object: ...
    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, piece: bytes) -> None:
        self._value = zlib.crc32(piece, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def _sha1() -> Any:
    return hashlib.sha1(usedforsecurity=False)


def _md5() -> Any:
    return hashlib.md5(usedforsecurity=False)


# crc32c and crc64nvme are accepted unchecked: nothing in the standard library computes them.
_CHECKSUMS: dict[str, Callable[[], _Digest]] = {
    "x-amz-checksum-crc32": _Crc32,
    "x-amz-checksum-sha1": _sha1,
    "x-amz-checksum-sha256": hashlib.sha256,
}


class AwsChunks:
    """Takes the framing off `size[;chunk-signature=…]\\r\\n<bytes>\\r\\n … 0\\r\\ntrailers\\r\\n\\r\\n`. Pure; holds one line at most."""

    def __init__(self) -> None:
        self.trailers: dict[str, str] = {}
        self.finished = False
        self._line = bytearray()
        self._left_bytes = 0
        self._in_trailers = False
        self._after_piece = False

    def feed(self, data: bytes) -> list[bytes]:
        """The payload in `data`; raises `Refused` if the framing is broken."""
        pieces = []
        place = 0
        while place < len(data) and not self.finished:
            if self._left_bytes:
                piece = data[place : place + self._left_bytes]
                pieces.append(piece)
                place += len(piece)
                self._left_bytes -= len(piece)
                self._after_piece = not self._left_bytes
                continue
            end = data.find(b"\n", place)
            stop = len(data) if end < 0 else end + 1
            self._line += data[place:stop]
            place = stop
            if len(self._line) > _MOST_LINE_BYTES:
                raise _broken()
            if end >= 0:
                line = bytes(self._line).rstrip(b"\r\n")
                self._line.clear()
                self._take(line)
        return pieces

    def _take(self, line: bytes) -> None:
        if self._after_piece:  # the line end behind a chunk
            if line:
                raise _broken()
            self._after_piece = False
        elif self._in_trailers:
            if not line:
                self.finished = True
                return
            name, _, value = line.decode("latin-1").partition(":")
            self.trailers[name.strip().lower()] = value.strip()
        else:
            try:
                self._left_bytes = int(line.partition(b";")[0], 16)
            except ValueError:
                raise _broken() from None
            self._in_trailers = not self._left_bytes


class Payload:
    """One upload: iterate it once for its bytes; `md5_hex`, `sha256_hex`, `checksums` and `size_bytes` are known afterwards.

    Iterating raises `Refused` at its end if a digest or a length that came with the request does not fit.
    """

    def __init__(self, stream: AsyncIterator[bytes], headers: Mapping[str, str]) -> None:
        self._stream = stream
        self._headers = headers
        self.size_bytes = 0
        self._md5, self._sha256 = _md5(), hashlib.sha256()
        self._digests = {name: make() for name, make in _CHECKSUMS.items() if self._is_announced(name)}
        self.checksums: dict[str, str] = {}

    @property
    def md5_hex(self) -> str:
        return str(self._md5.hexdigest())

    async def pieces(self) -> AsyncIterator[bytes]:
        announced = self._headers.get("x-amz-content-sha256", "")
        chunks = AwsChunks() if announced.startswith("STREAMING-") or "aws-chunked" in self._headers.get("content-encoding", "") else None
        async for data in self._stream:
            for piece in chunks.feed(data) if chunks else [data]:
                if piece:
                    self._count(piece)
                    yield piece
        if chunks is not None and not chunks.finished:
            raise Refused(400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header.")
        self._verify(chunks.trailers if chunks else {})

    def _is_announced(self, name: str) -> bool:
        return name in self._headers or name in self._headers.get("x-amz-trailer", "").lower()

    def _count(self, piece: bytes) -> None:
        self.size_bytes += len(piece)
        for digest in (self._md5, self._sha256, *self._digests.values()):
            digest.update(piece)

    def _verify(self, trailers: Mapping[str, str]) -> None:
        announced = self._headers.get("x-amz-content-sha256", "")
        if len(announced) == 64 and announced != self._sha256.hexdigest():
            raise Refused(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
        length = self._headers.get("x-amz-decoded-content-length")
        if length is not None and length != str(self.size_bytes):
            raise Refused(400, "IncompleteBody", "The decoded length differs from the announced one.")
        md5 = self._headers.get("content-md5")
        if md5 and md5 != base64.b64encode(self._md5.digest()).decode():
            raise Refused(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
        for name, digest in self._digests.items():
            given = trailers.get(name) or self._headers.get(name)
            computed = base64.b64encode(digest.digest()).decode()
            if given != computed:
                raise Refused(
                    400, "BadDigest", f"The {name.rpartition('-')[2].upper()} you specified did not match the calculated checksum."
                )
            self.checksums[name] = computed


def _broken() -> Refused:
    return Refused(400, "InvalidRequest", "The aws-chunked encoding of the body is broken.")
