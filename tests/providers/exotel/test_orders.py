"""What a dial looks like on the wire, in each of its modes, and where it is sent."""

import pytest

from providers.exotel.address import ExotelConfig, root_of
from providers.exotel.orders import BadOrder, CallOrder, ToFlow, ToPerson, ToStream, fields

CONFIG = ExotelConfig(sid="exampleco1", api_key="k", api_token="t")


def order(target, **changes) -> CallOrder:
    return CallOrder(
        **{
            "person": "+919876543210",
            "exophone": "+918047112233",
            "target": target,
            "time_limit_s": 660,
            "status_callback": "https://x.example/status?key=s",
            "custom_field": "sess_1",
            **changes,
        }
    )


COMMON = {
    "From": "+919876543210",
    "CallerId": "08047112233",
    "TimeLimit": "660",
    "Record": "true",
    "RecordingChannels": "dual",
    "CustomField": "sess_1",
    "StatusCallback": "https://x.example/status?key=s",
    "StatusCallbackEvents[0]": "terminal",
    "StatusCallbackEvents[1]": "answered",
}


def test_two_people():
    assert fields(order(ToPerson("+919876543211")), CONFIG) == {**COMMON, "To": "+919876543211", "TimeOut": "45", "CallType": "trans"}


def test_a_person_and_a_flow():
    assert fields(order(ToFlow("228040")), CONFIG) == {
        **COMMON,
        "Url": "http://my.exotel.com/exampleco1/exoml/start_voice/228040",
        "TimeOut": "45",
        "CallType": "trans",
    }


def test_a_flow_of_the_mumbai_region():
    config = ExotelConfig(sid="exampleco1", api_key="k", api_token="t", root="https://api.in.exotel.com")
    assert fields(order(ToFlow("1")), config)["Url"].startswith("http://my.in.exotel.com/exampleco1/")


def test_a_person_and_our_socket():
    assert fields(order(ToStream("wss://m.example/x")), CONFIG) == {
        **COMMON,
        "StreamUrl": "wss://m.example/x",
        "StreamType": "bidirectional",
        "StatusCallbackEvents[2]": "ringing",
    }


@pytest.mark.parametrize("target", [ToPerson("+919876543211"), ToFlow("1"), ToStream("wss://m.example/x")])
def test_a_call_always_has_an_end(target):
    assert fields(order(target, status_callback="", record=False, custom_field=""), CONFIG)["TimeLimit"] == "660"


@pytest.mark.parametrize(
    "bad",
    [
        order(ToStream("https://m.example/x")),
        order(ToStream("wss://m.example/" + "x" * 600)),
        order(ToFlow("1"), time_limit_s=0),
        order(ToFlow("1"), time_limit_s=14_401),
        order(ToFlow("1"), custom_field="x" * 129),
    ],
)
def test_what_exotel_would_refuse_is_not_sent(bad):
    with pytest.raises(BadOrder):
        fields(bad, CONFIG)


@pytest.mark.parametrize(
    ("base_url", "subdomain", "root"),
    [
        ("https://api.exotel.com", "", "https://api.exotel.com"),
        ("https://api.exotel.com/", "", "https://api.exotel.com"),
        ("https://api.exotel.com/v2/accounts", "", "https://api.exotel.com"),
        ("https://api.exotel.com/v1/Accounts/", "", "https://api.exotel.com"),
        ("https://api.exotel.com/v1/Accounts/exampleco1", "", "https://api.exotel.com"),
        ("http://127.0.0.1:9000/exotel", "", "http://127.0.0.1:9000/exotel"),
        ("http://127.0.0.1:9000/exotel/v1/Accounts", "", "http://127.0.0.1:9000/exotel"),
        ("", "api", "https://api.exotel.com"),
        ("", "api.in", "https://api.in.exotel.com"),
        ("", "api.exotel.com", "https://api.exotel.com"),
        ("", "@api.in.exotel.com", "https://api.in.exotel.com"),
        ("", "", "https://api.exotel.com"),
    ],
)
def test_every_way_to_write_the_address_leads_to_one_root(base_url, subdomain, root):
    assert root_of(base_url, subdomain) == root


def test_credentials_do_not_show_in_a_repr():
    shown = repr(ExotelConfig(sid="s", api_key="the-key", api_token="the-token"))
    assert "the-key" not in shown and "the-token" not in shown
