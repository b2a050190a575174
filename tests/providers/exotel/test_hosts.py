"""Who may be asked for a recording, and who may see the token."""

import pytest

from providers.exotel.hosts import judge

OWN = "http://127.0.0.1:9000/exotel"
EXTRA = ("recordings.example.in",)


@pytest.mark.parametrize(
    ("url", "with_credentials"),
    [
        ("https://recordings.exotel.com/exotelrecordings/acct/x.mp3", True),
        ("https://RECORDINGS.exotel.com:443/exotelrecordings/acct/x.mp3", True),
        ("https://api.exotel.com/v1/Accounts/acct/Recordings/x.mp3", True),
        ("https://api.in.exotel.com/x.mp3", True),
        ("https://s3-ap-southeast-1.amazonaws.com/exotelrecordings/acct/x.mp3", False),
        ("https://s3-ap-south-1.amazonaws.com/exotel-mum1-recordings/acct/x.mp3", False),
        ("http://127.0.0.1:9000/exotel/exotelrecordings/acct/x.wav", True),
        ("https://recordings.example.in/x.mp3", True),
    ],
)
def test_known_hosts_are_fetched_and_only_exotels_own_see_the_token(url, with_credentials):
    verdict = judge(url, own_origin=OWN, extra_hosts=EXTRA)
    assert (verdict.may_fetch, verdict.with_credentials, verdict.reason) == (True, with_credentials, "")


@pytest.mark.parametrize(
    "url",
    [
        "http://recordings.exotel.com/exotelrecordings/acct/x.mp3",
        "https://recordings.exotel.com.evil.example/x.mp3",
        "https://evil.example/recordings.exotel.com/x.mp3",
        "https://recordings.exotel.com@evil.example/x.mp3",
        "https://user:pass@recordings.exotel.com/x.mp3",
        "https://@recordings.exotel.com/x.mp3",
        "https://recordings.exotel.com:8443/x.mp3",
        "https://s3-ap-southeast-1.amazonaws.com/somebody-else/x.mp3",
        "https://s3-ap-southeast-1.amazonaws.com/exotelrecordings/../somebody-else/x.mp3",
        "https://s3-ap-southeast-1.amazonaws.com/exotelrecordings/%2e%2e/somebody-else/x.mp3",
        "https://s3-ap-south-1.amazonaws.com/exotelrecordings/acct/x.mp3",
        "http://127.0.0.1:9001/x.wav",
        "http://localhost:9000/x.wav",
        "https://127.0.0.1:9000/x.wav",
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "http://recordings.example.in/x.mp3",
        "file:///etc/passwd",
        "ftp://recordings.exotel.com/x",
        "https://recordings.exotel.com\\@evil.example/x.mp3",
        "https://recordings.exotel.com/x.mp3\r\nHost: evil.example",
        "https://[::1",
        "https://recordings.exotel.com:notaport/x",
        "",
        "x",
    ],
)
def test_everything_else_is_refused_with_a_reason(url):
    verdict = judge(url, own_origin=OWN, extra_hosts=EXTRA)
    assert not verdict.may_fetch and not verdict.with_credentials
    assert verdict.reason


def test_a_refusal_tells_the_operator_which_setting_helps():
    assert "EXOTEL_RECORDING_HOSTS" in judge("https://cdn.example.com/x.mp3").reason


def test_without_a_configured_origin_nothing_plain_is_fetched():
    assert not judge("http://127.0.0.1:9000/x.wav").may_fetch
