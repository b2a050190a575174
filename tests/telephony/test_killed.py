"""A media process killed with -9 takes nothing with it that was said, and the carrier's one reconnect goes on with the conversation."""

import threading

import pytest

from calls.commands import open_call
from calls.models import CallEvent, CallLog, Session, Turn
from telephony import tokens
from tests.providers.exotel import payloads
from tests.telephony.relay import relay
from tests.telephony.servers import eventually
from tests.telephony.test_draining import media_process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

ANSWER = "Dear Asha, this answer is so long that the process which says it is gone before anybody has heard it. " + "It goes on. " * 12
SCENARIO = {
    "step": [
        {"wait_for_agent": {"quiet_ms": 400}},
        {"say": "I am Asha"},
        # The agent falls silent in the middle of its answer: its process is dead. Nobody hears what is said into the dead line.
        {"wait_for_agent": {"quiet_ms": 800, "deadline_s": 60}},
        {"say": "Hello?"},
        {"wait_for_agent": {"quiet_ms": 400, "deadline_s": 60}},
        {"say": "Bye"},
        {"wait_for_close": {"deadline_s": 60}},
    ],
    "reply": [
        {"heard": "(?i)asha", "say": ANSWER},
        {"heard": "(?i)bye", "say": "Bye.", "tool": {"name": "end_call", "arguments": {}}},
    ],
}


def test_what_was_said_is_kept_and_the_carriers_reconnect_goes_on_with_it(answering, exotel, settings):
    answering.first_message, answering.record_calls = "Hello.", False
    answering.save()
    how = {"direction": "inbound", "user_phone": payloads.HUMAN, "agent_phone": payloads.EXOPHONE, "call_sid": payloads.SID}
    session = open_call(agent_version=answering.current_version, **how)
    CallLog.objects.update(call_sid=None)  # the simulated carrier gives the call an id of its own
    path = f"/api/v1/media/exotel/{tokens.issue(session, call_sid='')}"
    with media_process(settings) as (first, first_port), media_process(settings) as (_, second_port), relay(first_port) as address:
        phone = {"number": payloads.EXOPHONE, "voicebot_url": f"ws://127.0.0.1:{address.port}{path}"}
        exotel.settings(exophones=[phone], reconnect_once=True)
        told = {}
        caller = threading.Thread(target=lambda: told.update(exotel.watch(SCENARIO)), daemon=True)
        caller.start()

        def said() -> dict[str, str]:
            return dict(Turn.objects.filter(session=session).exclude(number=1).values_list("speaker", "text"))

        kept = eventually(lambda: "agent" in (rows := said()) and "caller" in rows and rows, 60)
        assert kept, "nothing of what is being said was written"
        assert kept["caller"].startswith("I am Asha")
        assert kept["agent"].startswith("Dear Asha")
        address.target = second_port
        first.kill()
        first.wait(10)
        caller.join(100)
        assert not caller.is_alive(), "the call never came to its end"
        assert eventually(lambda: Session.objects.get(pk=session.pk).state == "ended", 30)
    session.refresh_from_db()
    assert session.end_reason == "agent-goodbye", told["problems"]
    assert CallEvent.objects.filter(session=session, kind="stream-resumed").count() == 1
    turns = list(Turn.objects.filter(session=session).order_by("number").values_list("speaker", "text"))
    assert [speaker for speaker, _ in turns] == ["agent", "caller", "agent", "agent", "caller", "agent"]
    assert [text for _, text in turns][3:] == ["Hello, are you still there?", "Bye", "Bye."]
    # The second process tells the model what the first one heard and said.
    asked = [note.facts["request"]["messages"] for note in exotel.state.seen if note.target == "openai.chat"]
    told_model = " ".join(message["content"] for message in asked[-1])
    assert "I am Asha" in told_model and "Dear Asha" in told_model
