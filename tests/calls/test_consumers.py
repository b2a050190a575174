"""The dashboard's sockets over the real channel layer: who is let in, what is forwarded, and what a snapshot repairs."""

import asyncio
import json

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.sessions.models import Session as LogIn
from django.test import Client

from calls import broadcast, commands, consumers
from calls.commands import Draft, trying
from calls.models import Session, Turn
from deploy.local.valkey import Valkey
from tests.calls import made_calls as made
from voiceagents.routing import websocket

pytestmark = pytest.mark.django_db(transaction=True)
ANSWER_S = 60


class Socket(WebsocketCommunicator):
    """Channels' communicator switches the closing of database connections off, which empties the pool; asgiref's own does not."""

    connected = False
    send_input = ApplicationCommunicator.send_input
    receive_output = ApplicationCommunicator.receive_output


async def do(what, *args, **how):
    return await database_sync_to_async(what)(*args, **how)


def _cookie(user) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


@pytest.fixture
async def watch():
    """Opens a socket as a user (or nobody) and closes it after the test."""
    opened: list[Socket] = []

    async def open_(path: str, user=None, origin: str = "http://testserver", language: str = "en") -> Socket:
        headers = [(b"host", b"testserver"), (b"origin", origin.encode())]
        if user is not None:
            cookies = f"{settings.SESSION_COOKIE_NAME}={await do(_cookie, user)}; {settings.LANGUAGE_COOKIE_NAME}={language}"
            headers.append((b"cookie", cookies.encode()))
        socket = Socket(websocket, path, headers=headers)
        connected, _ = await socket.connect(timeout=ANSWER_S)
        if connected:
            opened.append(socket)
        socket.connected = connected
        return socket

    yield open_
    for socket in opened:
        await socket.disconnect(timeout=ANSWER_S)


async def heard(socket, kind: str):
    """The next message of this kind; others may come before it."""
    async with asyncio.timeout(ANSWER_S):
        while True:
            message = await socket.receive_json_from(timeout=ANSWER_S)
            if message["kind"] == kind:
                return message


async def closed_with(socket):
    async with asyncio.timeout(ANSWER_S):
        while True:
            output = await socket.receive_output(timeout=ANSWER_S)
            if output["type"] == "websocket.close":
                return output["code"]


def _tell(session: Session, number: int) -> None:
    made.exchange(session, number, "Hello?", "Good morning.", generated="Good morning. How are you?")


async def test_a_page_hears_a_call_open_change_talk_and_end(watch):
    owner = await do(made.operator)
    agent = await do(made.agent_of, owner)
    socket, hindi = await watch("/ws/live/", owner), await watch("/ws/live/", owner, language="hi")
    assert (await heard(socket, "snapshot"))["calls"] == []
    assert (await heard(hindi, "snapshot"))["figures"]["answered"] == "0 का जवाब मिला"

    session = await do(made.ringing_call, agent)
    assert (await heard(hindi, "call"))["call"]["status_words"] == "डायल हो रहा है", "each page is told in its own language"
    call = (await heard(socket, "call"))["call"]
    assert (call["session_id"], call["number"], call["live"], call["status_words"]) == (
        session.session_id,
        "+91••••••••12",
        True,
        "Dialling",
    )

    token_id = await do(commands.issue_media_token, session)
    await do(commands.claim_media, token_id=token_id, call_sid="", stream_sid="stream")
    assert (await heard(socket, "call"))["call"]["status_words"] == "In progress"

    await broadcast.live_update_async(session, "turn.updated", {"speaker": "caller", "text": "Hel", "interim": True, "number": 0})
    assert await heard(socket, "interim") == {
        "kind": "interim",
        "session_id": session.session_id,
        "speaker": "caller",
        "text": "Hel",
        "number": 0,
    }
    await do(_tell, session, 0)
    assert (await heard(socket, "turn"))["turn"]["text"] == "Hello?"
    turn = (await heard(socket, "turn"))["turn"]
    assert (turn["said"][-1]["text"], turn["said"][-1]["heard"]) == ("How are you?", False)
    assert (turn["interrupted"], turn["cut"], turn["latency_ms"]) == (True, True, 790)
    assert turn["parts"][0]["words"] == "endpointing"
    assert [(await heard(hindi, "turn"))["turn"]["parts"] for _ in range(2)][1][0]["words"] == "ठहराव"

    await do(made.end, session)
    while (call := (await heard(socket, "call"))["call"])["status_words"] != "Completed":
        pass
    assert (call["live"], call["end_words"], call["duration_words"]) == (False, "The caller hung up", "1:24")


async def test_a_test_by_voice_is_seen_like_any_call_and_one_in_writing_is_not(watch):
    owner = await do(made.operator)
    version = await do(lambda: made.agent_of(owner).current_version)
    written = await do(lambda: trying.open_test(agent_version=version, by="meera"))
    await do(trying.begin_test, written)
    socket = await watch("/ws/live/", owner)
    assert (await heard(socket, "snapshot"))["calls"] == []

    spoken = await do(lambda: commands.open_spoken_test(version, by="meera"))
    token_id = await do(commands.issue_media_token, spoken)
    await socket.send_json_to({"kind": "sync"})
    assert [call["status_words"] for call in (await heard(socket, "snapshot"))["calls"]] == ["Dialling"]
    await do(commands.claim_media, token_id=token_id, call_sid=spoken.session_id, stream_sid="stream")
    while (call := (await heard(socket, "call"))["call"])["status_words"] != "In progress":
        pass
    assert (call["session_id"], call["is_test"], call["talks"]) == (spoken.session_id, True, True)

    left = await do(lambda: commands.open_spoken_test(version, by="meera"))
    await do(commands.issue_media_token, left)
    await do(commands.close_unopened, left)
    while (call := (await heard(socket, "call"))["call"])["live"]:
        pass
    assert call["session_id"] == left.session_id


async def test_a_reload_finds_everything_again(watch):
    owner = await do(made.operator)
    session = await do(made.talking_call, await do(made.agent_of, owner))
    await do(_tell, session, 0)
    socket = await watch("/ws/live/", owner)
    (call,) = (await heard(socket, "snapshot"))["calls"]
    assert call["last"] == {"speaker": "agent", "text": "Good morning.", "speaking": False}
    await socket.send_json_to({"kind": "watch", "session_id": session.session_id})
    assert [turn["text"] for turn in (await heard(socket, "talk"))["turns"]] == ["Hello?", "Good morning."]


async def test_a_snapshot_repairs_what_the_layer_lost(watch):
    owner = await do(made.operator)
    session = await do(made.talking_call, await do(made.agent_of, owner))
    socket = await watch("/ws/live/", owner)
    await heard(socket, "snapshot")
    await socket.send_json_to({"kind": "watch", "session_id": session.session_id})
    assert (await heard(socket, "talk"))["turns"] == []
    # Rows written past the commands are what a lost message looks like: nobody was told.
    await do(Turn.objects.create, session=session, number=0, speaker="caller", text="Hello?", started_ms=0, ended_ms=900)
    await do(Turn.objects.create, session=session, number=1, speaker="agent", text="Good morning.", started_ms=1500, ended_ms=2500)
    await socket.send_json_to({"kind": "sync"})
    snapshot = await heard(socket, "snapshot")
    assert [turn["text"] for turn in snapshot["watched"]["turns"]] == ["Hello?", "Good morning."]
    assert snapshot["calls"][0]["last"]["text"] == "Good morning."


async def test_operators_hear_their_own_calls_and_superusers_all(watch):
    owner, other, superuser = await do(made.operator), await do(made.operator), await do(made.operator, superuser=True)
    session = await do(made.talking_call, await do(made.agent_of, owner))
    strangers, everything = await watch("/ws/live/", other), await watch("/ws/live/", superuser)
    assert (await heard(strangers, "snapshot"))["calls"] == []
    assert len((await heard(everything, "snapshot"))["calls"]) == 1
    await do(_tell, session, 0)
    assert (await heard(everything, "turn"))["session_id"] == session.session_id
    await strangers.send_json_to({"kind": "watch", "session_id": session.session_id})
    await strangers.send_json_to({"kind": "sync"})
    # The stranger's next message is the answer to its own question: nothing about the call came in between.
    answer = await strangers.receive_json_from(timeout=ANSWER_S)
    assert (answer["kind"], answer["calls"], answer["watched"]) == ("snapshot", [], None)


async def test_nobody_and_strangers_are_told_why_they_are_refused(watch):
    owner, other = await do(made.operator), await do(made.operator)
    session = await do(made.talking_call, await do(made.agent_of, owner))
    assert await closed_with(await watch("/ws/live/")) == 4401
    assert await closed_with(await watch(f"/ws/calls/{session.session_id}/", other)) == 4404
    assert await closed_with(await watch("/ws/calls/sess_nowhere/", owner)) == 4404


async def test_another_site_cannot_open_a_socket_with_somebodys_cookie(watch):
    socket = await watch("/ws/live/", await do(made.operator), origin="https://elsewhere.example")
    assert not socket.connected


async def test_a_log_out_elsewhere_ends_the_watching(watch):
    owner = await do(made.operator)
    socket = await watch("/ws/live/", owner)
    await heard(socket, "snapshot")
    await do(LogIn.objects.all().delete)
    await socket.send_json_to({"kind": "sync"})
    assert await closed_with(socket) == 4401


@pytest.mark.parametrize("asks", [True, False], ids=["asking for a call", "asking for nothing"])
async def test_a_far_side_that_never_asks_for_a_snapshot_is_logged_out_too(watch, monkeypatch, asks):
    owner = await do(made.operator)
    session = await do(made.talking_call, await do(made.agent_of, owner))
    socket = await watch("/ws/live/", owner)
    await heard(socket, "snapshot")
    await do(LogIn.objects.all().delete)
    monkeypatch.setattr(consumers, "STAYS_S", 0.0)
    if asks:
        await socket.send_json_to({"kind": "watch", "session_id": session.session_id})
    else:
        await do(_tell, session, 0)
    # Whatever came before the log-out may still be on its way; nothing that was said comes.
    kinds: list[str] = []
    async with asyncio.timeout(ANSWER_S):
        while (output := await socket.receive_output(timeout=ANSWER_S))["type"] != "websocket.close":
            kinds.append(json.loads(output["text"])["kind"])
    assert output["code"] == 4401 and not {"turn", "talk"} & set(kinds)


async def test_who_is_no_superuser_any_more_stops_seeing_everybody_s_calls(watch):
    user = await do(made.operator, superuser=True)
    await do(made.talking_call, await do(made.agent_of, await do(made.operator)))
    socket = await watch("/ws/live/", user)
    assert len((await heard(socket, "snapshot"))["calls"]) == 1
    user.is_superuser = False
    await do(user.save)
    await socket.send_json_to({"kind": "sync"})
    assert await closed_with(socket) == 1012


async def test_a_call_page_hears_its_own_call_only(watch):
    owner = await do(made.operator)
    agent = await do(made.agent_of, owner)
    session, other = await do(made.talking_call, agent), await do(made.talking_call, agent)
    socket = await watch(f"/ws/calls/{session.session_id}/", owner)
    snapshot = await heard(socket, "snapshot")
    assert (snapshot["call"]["session_id"], snapshot["watched"]["turns"]) == (session.session_id, [])
    await do(_tell, other, 0)
    await do(_tell, session, 0)
    assert (await socket.receive_json_from(timeout=ANSWER_S))["session_id"] == session.session_id
    version = snapshot["call"]["version"]
    await do(commands.request_hangup, session, by="somebody")
    call = (await heard(socket, "call"))["call"]
    assert call["hangup_requested"] and call["version"] != version


@pytest.mark.parametrize(
    "nonsense", [b"binary", "not json", "[]", "null", '{"kind": 7}', '{"kind": "watch", "session_id": {"a": 1}}', '{"kind":"?"}']
)
async def test_nonsense_from_a_browser_is_ignored(watch, nonsense):
    socket = await watch("/ws/live/", await do(made.operator))
    await heard(socket, "snapshot")
    await socket.send_to(**({"bytes_data": nonsense} if isinstance(nonsense, bytes) else {"text_data": nonsense}))
    await socket.send_json_to({"kind": "sync"})
    assert (await heard(socket, "snapshot"))["calls"] == []


async def test_a_reload_finds_who_speaks_and_what_was_done_beside(watch):
    owner = await do(made.operator)
    session = await do(made.talking_call, await do(made.agent_of, owner))
    await do(_tell, session, 0)
    run = await do(commands.begin_tool_run, session.session_id, tool="book", arguments={"day": "Monday"}, acts=True)
    await do(commands.keep_drafts, [Draft(session.pk, 2, "caller", "No, I would rather", 12_000)])
    socket = await watch("/ws/live/", owner)
    (call,) = (await heard(socket, "snapshot"))["calls"]
    assert call["last"] == {"speaker": "caller", "text": "No, I would rather", "speaking": True}
    assert (call["latency_words"], call["latency_tone"], call["talks"]) == ("790 ms", "good", True)
    await socket.send_json_to({"kind": "watch", "session_id": session.session_id})
    talk = await heard(socket, "talk")
    assert [(turn["text"], turn["draft"]) for turn in talk["turns"]] == [
        ("Hello?", False),
        ("Good morning.", False),
        ("No, I would rather", True),
    ]
    (tool,) = talk["beside"]
    assert (tool["kind"], tool["what"], tool["arguments"], tool["state_words"], tool["result"]) == (
        "tool",
        "book",
        "day: Monday",
        "Running",
        "",
    )
    await do(commands.end_tool_run, run.run_id, state="done", result="Booked.")
    entry = (await heard(socket, "beside"))["entry"]
    assert (entry["key"], entry["result"], entry["tone"]) == (tool["key"], "Booked.", "good")
    await do(commands.whisper, session, text="Be kind.", by="asha")
    entry = (await heard(socket, "beside"))["entry"]
    assert (entry["kind"], entry["what"], entry["text"], entry["tone"]) == ("note", "asha whispered", "Be kind.", "wait")
    await do(commands.take_orders, [session.session_id])
    assert (await heard(socket, "beside"))["entry"]["state_words"] == "The agent knows"
    await do(commands.add_note, session, text="Was cut off last week.", by=owner)
    entry = (await heard(socket, "beside"))["entry"]
    assert (entry["kind"], entry["text"], entry["state_words"]) == ("remark", "Was cut off last week.", "The agent does not see it")


async def test_what_is_beside_a_stranger_s_call_is_told_to_nobody_else(watch):
    owner, other = await do(made.operator), await do(made.operator)
    session = await do(made.talking_call, await do(made.agent_of, owner))
    socket = await watch("/ws/live/", other)
    await heard(socket, "snapshot")
    await socket.send_json_to({"kind": "watch", "session_id": session.session_id})
    await do(commands.whisper, session, text="Be kind.", by="asha")
    await socket.send_json_to({"kind": "sync"})
    answer = await socket.receive_json_from(timeout=ANSWER_S)
    assert (answer["kind"], answer["watched"], answer["may_listen"]) == ("snapshot", None, False)


async def test_a_page_lives_on_snapshots_while_the_broker_is_away(watch, tmp_path, settings, monkeypatch):
    monkeypatch.setattr("calls.broadcast_hearing.HEAR_AGAIN_S", 0.1)
    monkeypatch.setattr("calls.consumers.SYNC_EVERY_S", 0.0)
    broker = Valkey(tmp_path / "valkey", durable=False)
    broker.start()
    layer = {**settings.CHANNEL_LAYERS["default"], "CONFIG": {"hosts": [broker.url], "prefix": "va"}}
    settings.CHANNEL_LAYERS = {"default": layer}
    owner = await do(made.operator)
    session = await do(made.talking_call, await do(made.agent_of, owner))

    async def synced(socket, updates: bool):
        """The first snapshot that says so."""
        async with asyncio.timeout(60):
            while True:
                await socket.send_json_to({"kind": "sync"})
                if (snapshot := await heard(socket, "snapshot"))["updates"] is updates:
                    return snapshot

    try:
        early = await watch("/ws/live/", owner)
        assert (await heard(early, "snapshot"))["updates"] is True
        await asyncio.to_thread(broker.stop)
        assert (await synced(early, False))["calls"][0]["last"] is None
        late = await watch("/ws/live/", owner)  # opened without a broker
        assert (await heard(late, "snapshot"))["updates"] is False
        await do(_tell, session, 0)  # told to nobody
        for socket in (early, late):
            assert (await synced(socket, False))["calls"][0]["last"]["text"] == "Good morning."
        await asyncio.to_thread(broker.start, broker.port)
        for socket in (early, late):
            await synced(socket, True)
        await do(_tell, session, 1)
        for socket in (early, late):
            assert (await heard(socket, "turn"))["turn"]["number"] == 2
    finally:
        await asyncio.to_thread(broker.stop)
