"""The REST client against a peer on a real port that answers as Exotel does, fails as it does, or does not answer at all."""

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from providers.exotel.client import Exophone, ExotelClient
from providers.exotel.errors import CarrierCategory, CarrierError, OutcomeUnknown
from providers.exotel.orders import CallOrder, ToFlow, ToStream
from tests.providers.exotel.payloads import EXOPHONE, HUMAN, SID

CALLS = "/v1/Accounts/exampleco1/Calls"
CONNECT = f"{CALLS}/connect.json"
ORDER = CallOrder(HUMAN, EXOPHONE, ToStream("wss://m.example/x"), 600, "https://x.example/status?key=s", "sess_1")
CALL = {
    "Sid": SID,
    "ParentCallSid": None,
    "DateCreated": "2025-08-12 10:48:33",
    "DateUpdated": "2025-08-12 10:48:33",
    "AccountSid": "exampleco1",
    "To": "08047112230",
    "From": "09876543211",
    "PhoneNumberSid": "08047112230",
    "Status": "in-progress",
    "StartTime": "2025-08-12 10:48:33",
    "EndTime": None,
    "Duration": None,
    "Price": None,
    "Direction": "outbound-api",
    "RecordingUrl": None,
}
DND = "Call to [09876543211] can not be made because of TRAI NDNC regulations."


@pytest.fixture
def client(peer):
    with ExotelClient(peer.config()) as it:
        yield it


def test_a_call_is_ordered_as_a_form_with_basic_credentials(peer, client):
    peer.answer(CONNECT, 200, json.dumps({"Call": CALL}))
    placed = client.make_call(ORDER)
    assert (placed.call_sid, placed.status, placed.person, placed.exophone) == (SID, "in-progress", HUMAN, EXOPHONE)
    [asked] = peer.asked
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert asked.headers["Authorization"] == "Basic " + base64.b64encode(b"the-key:the-token").decode()
    assert asked.form["From"] == HUMAN and asked.form["TimeLimit"] == "600"
    assert asked.form["CustomField"] == "sess_1" and asked.form["StatusCallbackEvents[0]"] == "terminal"


def test_an_xml_answer_is_understood_too(peer, client):
    call = "".join(f"<{name}>{value}</{name}>" if value is not None else f"<{name}/>" for name, value in CALL.items())
    peer.answer(CONNECT, 200, f'<?xml version="1.0"?><TwilioResponse><Call>{call}</Call></TwilioResponse>')
    assert client.make_call(ORDER).call_sid == SID


@pytest.mark.parametrize(
    ("status", "body", "category", "retryable"),
    [
        (400, '{"RestException":{"Status":400,"Message":"Missing mandatory parameter From"}}', CarrierCategory.BAD_REQUEST, False),
        (401, "", CarrierCategory.AUTHENTICATION, False),
        (402, "", CarrierCategory.PAYMENT, False),
        (403, json.dumps({"RestException": {"Status": 403, "Message": DND}}), CarrierCategory.FORBIDDEN, False),
        (
            403,
            f"<TwilioResponse><RestException><Status>403</Status><Message>{DND}</Message></RestException></TwilioResponse>",
            CarrierCategory.FORBIDDEN,
            False,
        ),
        (404, "<html>nope</html>", CarrierCategory.NOT_FOUND, False),
        (429, '{"RestException":{"Status":"429","Message":"slow down","Code":"34001"}}', CarrierCategory.RATE_LIMITED, True),
        (418, "", CarrierCategory.BAD_REQUEST, False),
        (302, "", CarrierCategory.PROTOCOL, False),
        (200, '{"RestException":{"Status":403,"Message":"no"}}', CarrierCategory.FORBIDDEN, False),
        (
            400,
            json.dumps({"http_code": 400, "response": {"code": 400, "error_data": {"code": 1010, "message": "auth"}, "status": "failure"}}),
            CarrierCategory.AUTHENTICATION,
            False,
        ),
        (
            200,
            json.dumps({"http_code": 404, "response": {"error_data": {"code": 10716, "message": "vn"}, "status": "failure", "data": None}}),
            CarrierCategory.NOT_FOUND,
            False,
        ),
    ],
)
def test_each_refusal_is_one_typed_error_that_an_operator_understands(peer, client, status, body, category, retryable):
    peer.answer(CONNECT, status, body)
    with pytest.raises(CarrierError) as refused:
        client.make_call(ORDER)
    error = refused.value
    assert (error.category, error.retryable, error.status) == (category, retryable, status)
    assert not isinstance(error, OutcomeUnknown)
    assert error.message.startswith(("Exotel", "This", "The")) and f"HTTP {status}" in error.message
    assert "9876543211" not in error.message


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failure_on_exotels_side_leaves_the_outcome_of_a_dial_unknown(peer, client, status):
    peer.answer(CONNECT, status, "oops")
    with pytest.raises(OutcomeUnknown) as unknown:
        client.make_call(ORDER)
    assert not unknown.value.retryable
    assert len(peer.asked) == 1


def test_a_dial_that_is_not_answered_is_unknown_and_never_repeated(peer, client):
    peer.hang_up(CONNECT)
    with pytest.raises(OutcomeUnknown):
        client.make_call(ORDER)
    assert len(peer.asked) == 1


@pytest.mark.parametrize("body", ["", "[]", '{"Call":{}}', '{"Call":{"Sid":"a b"}}', "<html>"])
def test_an_answer_without_a_call_leaves_the_outcome_unknown(peer, client, body):
    peer.answer(CONNECT, 200, body)
    with pytest.raises(OutcomeUnknown):
        client.make_call(ORDER)


def test_a_dial_that_never_left_us_may_be_tried_again(peer):
    with ExotelClient(peer.config(root="http://127.0.0.1:1")) as nowhere, pytest.raises(CarrierError) as failed:
        nowhere.make_call(ORDER)
    assert (failed.value.category, failed.value.retryable) == (CarrierCategory.CONNECTION, True)
    assert not isinstance(failed.value, OutcomeUnknown)


def test_a_bad_order_is_refused_before_it_is_sent(peer, client):
    with pytest.raises(CarrierError) as refused:
        client.make_call(CallOrder(HUMAN, EXOPHONE, ToFlow("1"), 0, ""))
    assert refused.value.category == CarrierCategory.BAD_REQUEST and peer.asked == []


def test_details_bring_figures_with_their_types(peer, client):
    ended: dict[str, object] = {
        **CALL,
        "Status": "completed",
        "EndTime": "2025-08-12 10:50:01",
        "Duration": "88",
        "Price": "1.500",
        "RecordingUrl": "https://recordings.exotel.com/x.mp3",
        "Details": {"ConversationDuration": 61, "Leg1Status": "completed", "Leg2Status": None, "Legs": []},
    }
    peer.answer(f"{CALLS}/{SID}.json", 200, json.dumps({"Call": ended}))
    told = client.get_call_details(SID)
    assert peer.asked[0].query == {"details": "true"}
    assert (told.status, told.duration_s, told.price, told.currency) == ("completed", 88, Decimal("1.500"), "INR")
    assert told.ended_at == datetime(2025, 8, 12, 5, 20, 1, tzinfo=UTC)
    assert told.leg_statuses == ("completed",)


def test_what_exotel_does_not_know_yet_stays_unknown(peer, client):
    peer.answer(f"{CALLS}/{SID}.json", 200, json.dumps({"Call": {**CALL, "Price": "null", "Duration": ""}}))
    told = client.get_call_details(SID)
    assert (told.price, told.currency, told.duration_s, told.recording_url) == (None, "", None, "")


@pytest.mark.parametrize("figure", [1.5, "1.50", "-1.5"])
def test_a_price_may_be_text_number_or_booking(peer, client, figure):
    peer.answer(f"{CALLS}/{SID}.json", 200, json.dumps({"Call": {**CALL, "Price": figure}}))
    assert client.get_call_details(SID).price == Decimal("1.5")


def test_an_id_that_is_none_is_never_put_into_an_address(peer, client):
    with pytest.raises(CarrierError):
        client.get_call_details("../../x")
    assert peer.asked == []


def test_a_list_of_calls_follows_its_cursor_but_never_to_another_host(peer, client):
    first = {"Metadata": {"NextPageUri": f"http://evil.example{CALLS}.json?PageSize=2&After=cursor1"}, "Calls": [CALL, CALL]}
    peer.answer(f"{CALLS}.json", 200, json.dumps(first))
    peer.answer(f"{CALLS}.json", 200, json.dumps({"Metadata": {"NextPageUri": None}, "Calls": [CALL]}))
    since, until = datetime(2025, 8, 12, tzinfo=UTC), datetime(2025, 8, 12, 6, tzinfo=UTC)
    assert len(list(client.list_calls(since=since, until=until, person=HUMAN, page_size=2))) == 3
    assert peer.asked[0].query["DateCreated"] == "gte:2025-08-12 05:30:00;lte:2025-08-12 11:30:00"
    assert peer.asked[0].query["From"] == HUMAN
    assert peer.asked[1].query == {"PageSize": "2", "After": "cursor1"}


@pytest.mark.parametrize("status", [404, 405, 400])
def test_a_hang_up_that_exotel_does_not_offer_is_reported_as_that(peer, client, status):
    peer.answer(f"{CALLS}/{SID}", status, '{"RestException":{"Status":404,"Message":"Resource not found"}}')
    with pytest.raises(CarrierError) as refused:
        client.end_call(SID)
    assert (refused.value.category, refused.value.retryable) == (CarrierCategory.UNSUPPORTED, False)
    assert peer.asked[0].method == "POST" and peer.asked[0].form == {"Status": "completed"}


def test_wrong_credentials_are_not_mistaken_for_a_missing_hang_up(peer, client):
    peer.answer(f"{CALLS}/{SID}", 401)
    with pytest.raises(CarrierError) as refused:
        client.end_call(SID)
    assert refused.value.category == CarrierCategory.AUTHENTICATION


def test_exophones_of_the_current_api(peer, client):
    row = {"sid": "p1", "phone_number": EXOPHONE, "friendly_name": "08047112230", "capabilities": {"voice": True}}
    peer.answer("/v2_beta/Accounts/exampleco1/IncomingPhoneNumbers", 200, json.dumps({"page": 0, "incoming_phone_numbers": [row, {}]}))
    assert client.exophones() == [Exophone(EXOPHONE, "08047112230", "p1")]


def test_exophones_of_the_older_api_where_the_current_one_is_missing(peer, client):
    rows = {"IncomingPhoneNumbers": [{"IncomingPhoneNumber": {"PhoneNumber": "08047112230"}}]}
    peer.answer("/v1/Accounts/exampleco1/IncomingPhoneNumbers.json", 200, json.dumps(rows))
    assert client.exophones() == [Exophone(EXOPHONE, "", "")]


def test_the_account_check_passes_or_says_what_is_wrong(peer, client):
    peer.answer("/v1/Accounts/exampleco1.json", 200, "{}")
    peer.answer("/v1/Accounts/exampleco1.json", 401, "")
    client.check_account()
    with pytest.raises(CarrierError) as refused:
        client.check_account()
    assert "EXOTEL_API_TOKEN" in refused.value.message


def test_a_reading_that_breaks_off_may_be_tried_again(peer, client):
    peer.hang_up(f"{CALLS}/{SID}.json")
    with pytest.raises(CarrierError) as failed:
        client.get_call_details(SID)
    assert (failed.value.category, failed.value.retryable) == (CarrierCategory.TIMEOUT, True)
    assert not isinstance(failed.value, OutcomeUnknown)


def test_entities_are_not_expanded(peer, client):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><TwilioResponse><Call><Sid>&a;</Sid></Call></TwilioResponse>'
    peer.answer(f"{CALLS}/{SID}.json", 200, bomb)
    with pytest.raises(CarrierError) as refused:
        client.get_call_details(SID)
    assert refused.value.category == CarrierCategory.PROTOCOL
