"""Telling whoever watches: over the real Valkey, to the right groups, and harmless when nobody can be told."""

import os
import threading
from functools import partial

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer

from calls import broadcast, commands
from tests.calls import made_calls as made

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_connection_left")]


@pytest.fixture
def session():
    return made.ringing_call(made.agent_of(made.operator()), user_phone="+919876543212")


async def listening(*groups: str):
    await sync_to_async(broadcast._aside.finish)()  # what happened before is told
    layer = get_channel_layer()
    channel = await layer.new_channel()
    for group in groups:
        await layer.group_add(group, channel)
    return layer, channel


@pytest.mark.parametrize("of", ["call", "owner", "everything"])
async def test_an_update_reaches_the_call_its_owner_and_superusers(session, of):
    groups = {
        "call": broadcast.call_group(session.session_id),
        "owner": broadcast.owner_group(session.owner_id),
        "everything": broadcast.EVERYTHING,
    }
    layer, channel = await listening(groups[of])
    await broadcast.live_update_async(session, "turn.updated", {"speaker": "caller", "text": "नमस्ते", "interim": True})
    assert await layer.receive(channel) == {
        "type": "live.update",
        "kind": "turn.updated",
        "session_id": session.session_id,
        "payload": {"speaker": "caller", "text": "नमस्ते", "interim": True},
    }


@pytest.mark.parametrize("of", ["call", "owner", "everything"])
async def test_words_are_watched_while_somebody_listens_to_one_of_the_groups(session, of):
    assert not await broadcast.watched([session])
    groups = {
        "call": broadcast.call_group(session.session_id),
        "owner": broadcast.owner_group(session.owner_id),
        "everything": broadcast.EVERYTHING,
    }
    await listening(groups[of])
    assert await broadcast.watched([session])


async def test_without_valkey_everybody_counts_as_watched(session, settings):
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": ["redis://127.0.0.1:9/0"]}}
    }
    assert await broadcast.watched([session])


async def test_commands_tell_what_they_changed_with_the_number_hidden(session):
    layer, channel = await listening(broadcast.call_group(session.session_id))
    report = commands.CarrierReport(status="ringing")
    await sync_to_async(commands.apply_carrier_report)(session=session, report=report, source="carrier", key="k")
    message = await layer.receive(channel)
    assert (message["kind"], message["payload"]["status"]) == ("call.updated", "ringing")
    assert message["payload"]["user_phone"].endswith("12")
    assert "98765" not in str(message)


async def test_a_command_that_is_rolled_back_tells_nothing(session):
    from django.db import transaction

    layer, channel = await listening(broadcast.call_group(session.session_id))

    def change_and_fail() -> None:
        with transaction.atomic():
            commands.apply_carrier_report(session=session, report=commands.CarrierReport(status="ringing"), source="carrier", key="k")
            transaction.set_rollback(True)

    await sync_to_async(change_and_fail)()
    await broadcast.live_update_async(session, "marker", {})
    assert (await layer.receive(channel))["kind"] == "marker"


@pytest.mark.parametrize("host", ["redis://127.0.0.1:1/0", "redis://10.255.255.1:6379/0"])
def test_a_broker_that_is_away_holds_nobody_up_and_raises_nothing(session, settings, monkeypatch, host):
    monkeypatch.setattr(broadcast, "LIMIT_S", 1.0)
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [{"address": host}]}}
    }
    lost = threading.Event()
    monkeypatch.setattr(broadcast, "_lost", lambda *_: lost.set())
    broadcast.live_update(session, "call.updated", {})
    assert commands.apply_carrier_report(session=session, report=commands.CarrierReport(status="ringing"), source="carrier", key="k") == ""
    assert lost.wait(60), "it gave up"


def test_a_forked_process_tells_by_a_loop_of_its_own(session, settings):
    broadcast.live_update(session, "call.updated", {})  # the parent's is running
    parent = broadcast._aside._loop
    child = os.fork()
    if not child:
        broadcast.live_update(session, "call.updated", {})
        os._exit(0 if broadcast._aside._loop not in (None, parent) else 1)
    assert os.waitpid(child, 0)[1] == 0


async def test_what_threads_leave_together_is_asked_for_once_and_read_only_where_somebody_listens(monkeypatch):
    watched, unwatched = [await sync_to_async(lambda: made.ringing_call(made.agent_of(made.operator())))() for _ in range(2)]
    layer, channel = await listening(broadcast.call_group(watched.session_id))
    asked: list[tuple[str, ...]] = []
    listened_to = broadcast.listened_to

    async def counted(layer, groups):
        asked.append(groups)
        return await listened_to(layer, groups)

    monkeypatch.setattr(broadcast, "listened_to", counted)
    read: list[str] = []

    def facts(name: str):
        read.append(name)
        return {"told": name} if name != "gone" else None

    def leave() -> None:
        for session, name in ((unwatched, "nobody's"), (watched, "gone"), (watched, "first"), (watched, "second")):
            broadcast.live_update(session, "call.updated", partial(facts, name))

    with broadcast.delivered_here():
        leave()  # as threads do, but so that all of it is there when the loop comes round
    assert [(await layer.receive(channel))["payload"]["told"] for _ in range(2)] == ["first", "second"]
    assert read == ["gone", "first", "second"]
    assert len(asked) == 1
