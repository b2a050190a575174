"""A caller is handed over: what the doors answer while the flow walks from the Voicebot to the person, and what is kept of it."""

import pytest
from django.test import Client
from django.utils import timezone

from calls import commands
from calls.models import CallEvent, Session, Transfer
from tests.providers.exotel import payloads
from tests.telephony.conftest import as_query, door

pytestmark = pytest.mark.django_db
CALL = {"CallSid": payloads.SID, "CallFrom": payloads.HUMAN_0, "CallTo": payloads.EXOPHONE_0, "Direction": "incoming"}
PERSON, ANOTHER = "+919811100001", "+919811100002"


@pytest.fixture
def talking(answering):
    session = commands.open_call(
        agent_version=answering.current_version,
        direction="inbound",
        user_phone=payloads.HUMAN,
        agent_phone=payloads.EXOPHONE,
        call_sid=payloads.SID,
    )
    claimed = commands.claim_media(token_id=commands.issue_media_token(session), call_sid=payloads.SID, stream_sid=payloads.STREAM_SID)
    assert isinstance(claimed, Session)
    return claimed


@pytest.fixture
def decided(talking):
    assert commands.decide_transfer(talking.session_id, destination_id=7, name="Billing", numbers=[PERSON, ANOTHER], ring_s=25)
    commands.end_session(talking.session_id, reason="transferred", at=timezone.now())
    return talking


def ask(name: str, **more: str):
    return as_query(Client(), door(name), {**CALL, **more})


def test_a_transfer_goes_from_the_decision_to_its_outcome(decided):
    assert ask("passthru", **{"Stream[Status]": "completed", "Stream[DisconnectedBy]": "bot"}).status_code == 200
    answer = ask("connect").json()
    assert answer["destination"] == {"numbers": [PERSON, ANOTHER]}
    assert (answer["outgoing_phone_number"], answer["max_ringing_duration"]) == (payloads.EXOPHONE, 25)
    assert (answer["record"], answer["fetch_after_attempt"]) == (True, False)
    assert ask("connect").json() == answer  # Exotel may ask again
    assert ask("passthru", DialCallStatus="completed", DialCallDuration="40").status_code == 302
    transfer = Transfer.objects.get()
    assert (transfer.outcome, transfer.asked_at is not None) == ("completed", True)
    kinds = list(CallEvent.objects.filter(kind__startswith="transfer").values_list("kind", flat=True))
    assert kinds == ["transfer-decided", "transfer-asked", "transfer-ended"]
    answers = [event.facts["answer"] for event in CallEvent.objects.filter(kind="flow-answered").order_by("id")]
    assert answers == ["go on, branch A", "hang up, branch B"]


def test_a_caller_whom_nobody_answered_is_not_hung_up_on(decided):
    ask("connect")
    assert ask("passthru", DialCallStatus="no-answer").status_code == 200
    assert Transfer.objects.get().outcome == "no-answer"


def test_a_call_without_a_decision_rings_nobody(talking):
    assert ask("connect").json()["destination"] == {"numbers": []}
    assert as_query(Client(), door("connect"), {"CallSid": "unknowncall"}).json()["destination"] == {"numbers": []}


def test_the_numbers_are_guarded_like_every_door(decided):
    assert as_query(Client(), door("connect", "wrong"), CALL).status_code == 401


@pytest.mark.parametrize("shape", ["post", "call object"])
def test_the_connect_applet_may_ask_in_its_older_ways(decided, shape):
    if shape == "post":
        answer = Client().post(door("connect"), CALL)
    else:
        answer = Client().post(door("connect"), {"Call": {"Sid": payloads.SID, "From": payloads.HUMAN_0}}, content_type="application/json")
    assert answer.json()["destination"]["numbers"] == [PERSON, ANOTHER]
