"""A media process killed with -9 takes nothing with it that was said, and the carrier's second stream goes on with the conversation."""

import pytest
from websockets.exceptions import ConnectionClosed

from calls.commands import open_call
from calls.models import CallEvent, Session, Turn
from telephony import tokens
from tests.providers.exotel import payloads
from tests.telephony.servers import eventually
from tests.telephony.stream import opened
from tests.telephony.test_draining import media_process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def test_what_was_said_is_kept_and_the_second_stream_goes_on(answering, exotel, settings):
    answering.first_message = "Hello! This greeting is long enough that nobody hears it to its end before the process is gone. " * 6
    answering.save()
    how = {"direction": "inbound", "user_phone": payloads.HUMAN, "agent_phone": payloads.EXOPHONE, "call_sid": payloads.SID}
    session = open_call(agent_version=answering.current_version, **how)
    path = f"/api/v1/media/exotel/{tokens.issue(session, call_sid=payloads.SID)}"
    with media_process(settings) as (first, first_port), media_process(settings) as (_, second_port):
        with opened(f"ws://127.0.0.1:{first_port}{path}") as stream:
            stream.start()
            stream.until("media")
            said = eventually(lambda: Turn.objects.filter(session=session).values_list("speaker", "text").first(), 25)
            assert said and said[0] == "agent" and said[1].startswith("Hello!")
            first.kill()
            first.wait(10)
            with pytest.raises((ConnectionClosed, EOFError)):
                while True:
                    stream.receive()
        # The very address that was used up by the stream that died.
        with opened(f"ws://127.0.0.1:{second_port}{path}") as stream:
            stream.start(stream_sid="secondstream")
            assert stream.until("media")
            session.refresh_from_db()
            assert (session.state, session.stream_sid) == ("active", "secondstream")
            _, mark = stream.until("mark")
            stream.send(event="mark", mark=mark["mark"])
            stream.send(event="stop", stop={"reason": "callended"})
            assert stream.closed() == 1000
        assert eventually(lambda: Session.objects.get(pk=session.pk).state == "ended")
    session.refresh_from_db()
    turns = list(Turn.objects.filter(session=session).order_by("number").values_list("number", "speaker"))
    assert (turns, session.end_reason) == ([(1, "agent"), (2, "agent")], "caller-hangup")
    assert CallEvent.objects.filter(session=session, kind="stream-resumed").count() == 1
