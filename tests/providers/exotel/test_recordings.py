"""Fetching recordings over a real socket: complete or not at all, and never with the token to a stranger."""

import hashlib

import pytest

from providers.exotel import recordings
from providers.exotel.errors import CarrierCategory, CarrierError

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(256)) * 2000
MP3_TAGGED = b"ID3\x04\x00\x00" + bytes(4000)
MP3_BARE = b"\xff\xfb\x90\x00" + bytes(4000)
PATH = "/exotelrecordings/exampleco1/x.wav"


def fetch(peer, tmp_path, url=None, max_bytes=10_000_000, **changes):
    return recordings.download(peer.config(**changes), url or peer.root + PATH, tmp_path / "spool" / "x.audio", max_bytes)


@pytest.mark.parametrize(
    ("body", "kind"), [(WAV, "audio/wav"), (MP3_TAGGED, "audio/mpeg"), (MP3_BARE, "audio/mpeg"), (b"\xff\xf3" + bytes(9), "audio/mpeg")]
)
def test_a_recording_arrives_whole_with_its_hash_and_true_type(peer, tmp_path, body, kind):
    peer.answer(PATH, 200, body, content_type="application/octet-stream")
    found = fetch(peer, tmp_path)
    path = tmp_path / "spool" / "x.audio"
    assert (found.size_bytes, found.sha256, found.content_type) == (len(body), hashlib.sha256(body).hexdigest(), kind)
    assert path.read_bytes() == body
    assert [file.name for file in path.parent.iterdir()] == ["x.audio"]
    assert peer.asked[0].headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("status", "body", "category", "retryable"),
    [
        (404, b"", CarrierCategory.NOT_FOUND, True),
        (200, b"", CarrierCategory.NOT_FOUND, True),
        (200, b"<html>log in</html>", CarrierCategory.PROTOCOL, False),
        (200, b"\xff\xf1\x50\x80" + bytes(50), CarrierCategory.PROTOCOL, False),
        (401, b"", CarrierCategory.AUTHENTICATION, False),
        (503, b"", CarrierCategory.SERVER, True),
    ],
)
def test_what_is_no_recording_leaves_nothing_behind(peer, tmp_path, status, body, category, retryable):
    peer.answer(PATH, status, body)
    with pytest.raises(CarrierError) as failed:
        fetch(peer, tmp_path)
    assert (failed.value.category, failed.value.retryable) == (category, retryable)
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_recording_that_breaks_off_is_not_kept(peer, tmp_path):
    peer.answer(PATH, 200, WAV, content_length=str(len(WAV) + 10))
    with pytest.raises(CarrierError) as failed:
        fetch(peer, tmp_path)
    assert (failed.value.category, failed.value.retryable) == (CarrierCategory.CONNECTION, True)
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_recording_beyond_the_limit_is_refused_while_it_streams(peer, tmp_path):
    peer.answer(PATH, 200, WAV)
    with pytest.raises(CarrierError) as failed:
        fetch(peer, tmp_path, max_bytes=1000)
    assert "RECORDING_MAX_BYTES" in failed.value.message and not failed.value.retryable
    assert list((tmp_path / "spool").iterdir()) == []


def test_an_older_copy_is_replaced_only_by_a_whole_one(peer, tmp_path):
    path = tmp_path / "spool" / "x.audio"
    path.parent.mkdir()
    path.write_bytes(b"older")
    peer.answer(PATH, 200, WAV, content_length=str(len(WAV) + 10))
    peer.answer(PATH, 200, WAV)
    with pytest.raises(CarrierError):
        fetch(peer, tmp_path)
    assert path.read_bytes() == b"older"
    fetch(peer, tmp_path)
    assert path.read_bytes() == WAV


def test_a_redirect_on_the_list_is_followed(peer, tmp_path):
    peer.answer(PATH, 302, b"", location="/elsewhere.wav")
    peer.answer("/elsewhere.wav", 200, WAV)
    assert fetch(peer, tmp_path).size_bytes == len(WAV)


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/x.wav", "https://evil.example/x.wav", "file:///etc/passwd"])
def test_a_redirect_off_the_list_is_not(peer, tmp_path, target):
    peer.answer(PATH, 302, b"", location=target)
    with pytest.raises(CarrierError) as failed:
        fetch(peer, tmp_path)
    assert failed.value.category == CarrierCategory.FORBIDDEN
    assert len(peer.asked) == 1


def test_a_circle_of_redirects_ends(peer, tmp_path):
    peer.answer(PATH, 302, b"", location=PATH)
    with pytest.raises(CarrierError) as failed:
        fetch(peer, tmp_path)
    assert failed.value.category == CarrierCategory.PROTOCOL
    assert len(peer.asked) <= 5


def test_an_address_off_the_list_is_not_even_asked(peer, tmp_path):
    with pytest.raises(CarrierError) as failed:
        fetch(peer, tmp_path, root="https://api.exotel.com")
    assert failed.value.category == CarrierCategory.FORBIDDEN and peer.asked == []
