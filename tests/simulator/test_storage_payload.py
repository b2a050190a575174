"""The framing of `aws-chunked` bodies, however the network cuts them."""

import base64
import hashlib
import zlib
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.storage.answers import Refused
from simulator.storage.payload import AwsChunks, Payload


def framed(pieces: Sequence[bytes], trailers: dict[str, str], *, signed: bool) -> bytes:
    extension = b";chunk-signature=" + b"0" * 64 if signed else b""
    body = b"".join(b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces if piece)
    tail = "".join(f"{name}:{value}\r\n" for name, value in trailers.items()).encode()
    return body + b"0" + extension + b"\r\n" + tail + b"\r\n"


@given(
    pieces=st.lists(st.binary(max_size=50), max_size=4),
    cuts=st.lists(st.integers(0, 300), max_size=8),
    signed=st.booleans(),
)
def test_the_framing_comes_off_however_it_was_cut(pieces: list[bytes], cuts: list[int], signed: bool) -> None:
    whole = framed(pieces, {"x-amz-checksum-crc32": "AAAAAA=="}, signed=signed)
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    chunks = AwsChunks()

    out = b"".join(piece for start, end in pairwise(places) for piece in chunks.feed(whole[start:end]))

    assert out == b"".join(pieces)
    assert chunks.finished
    assert chunks.trailers == {"x-amz-checksum-crc32": "AAAAAA=="}


@pytest.mark.parametrize("broken", [b"zz\r\n", b"3\r\nabcd\r\n", b"x" * 5_000])
def test_broken_framing_is_refused(broken: bytes) -> None:
    with pytest.raises(Refused) as caught:
        AwsChunks().feed(broken)
    assert caught.value.status == 400


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


CRC = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
CHUNKED = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-trailer": "x-amz-checksum-crc32"}


async def test_a_trailing_checksum_that_fits_is_known_afterwards() -> None:
    payload = Payload(stream(framed([b"hel", b"lo"], {"x-amz-checksum-crc32": CRC}, signed=False)), CHUNKED)
    assert b"".join([piece async for piece in payload.pieces()]) == b"hello"
    assert (payload.size_bytes, payload.checksums) == (5, {"x-amz-checksum-crc32": CRC})


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (framed([b"hellO"], {"x-amz-checksum-crc32": CRC}, signed=False), CHUNKED, "BadDigest"),
        (framed([b"hello"], {}, signed=False), CHUNKED, "BadDigest"),
        (framed([b"hello"], {}, signed=False)[:-6], {"content-encoding": "aws-chunked"}, "IncompleteBody"),
        (b"hello", {"x-amz-content-sha256": hashlib.sha256(b"other").hexdigest()}, "XAmzContentSHA256Mismatch"),
        (b"hello", {"content-md5": "AAAA"}, "BadDigest"),
    ],
)
async def test_a_body_that_does_not_fit_what_was_announced_is_refused(body: bytes, headers: dict[str, str], code: str) -> None:
    with pytest.raises(Refused) as caught:
        async for _ in Payload(stream(body), headers).pieces():
            pass
    assert caught.value.code == code
