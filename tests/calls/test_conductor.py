"""One call conducted: the real engine between scripted ports, its rows in the real Postgres, its updates on the real Valkey."""

import asyncio
from functools import partial

import psycopg
import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import connection, transaction

from agents import assembly
from calls import broadcast, commands, conductor
from calls.conductor.heartbeat import Heartbeat
from calls.models import CallEvent, Session, Turn, UsageLine
from tests.calls import made_calls as made
from tests.calls.scripted import Scene

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_connection_left")]


@pytest.fixture
def session() -> Session:
    return made.talking_call(made.agent_of(made.operator()))


def backend() -> int:
    """The Postgres process behind this thread's connection."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.fixture
def backend_of_the_fixtures(session) -> int:
    return backend()


@pytest.fixture
def scene(monkeypatch):
    """Puts a scene on the stage: `scene("first answer", …)`."""

    def stage(*answers: str, **how) -> Scene:
        made_scene = Scene(*answers, **how)
        monkeypatch.setattr(assembly, "assemble", made_scene.assemble)
        return made_scene

    return stage


async def rows(session: Session, model=Turn, *names: str) -> list:
    columns = names or ("number", "speaker", "text")
    # A turn's row begins as a draft while it is spoken, so rows are not made in the order of their numbers.
    order = "number" if model is Turn else "id"
    return await sync_to_async(lambda: list(model.objects.filter(session=session).order_by(order).values_list(*columns)))()


async def eventually(is_so, what: str, within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not await is_so():
            await asyncio.sleep(0.05)
    assert await is_so(), what


async def turns_written(session: Session, count: int) -> None:
    async def enough() -> bool:
        return len(await rows(session)) >= count

    await eventually(enough, f"{count} turns are written")


async def end_of(session: Session) -> tuple[str, str]:
    await session.arefresh_from_db()
    return session.state, session.end_reason


async def test_a_conversation_leaves_its_turns_its_usage_and_its_end(session, scene):
    play = scene("It is ten. Anything else?", "Goodbye then. END")
    talk = asyncio.create_task(conductor.conduct(session, play.line))
    await turns_written(session, 1)
    play.ears.hear("What time is it")
    await turns_written(session, 3)
    play.ears.hear("No thank you")
    await asyncio.wait_for(talk, 60)

    assert await rows(session) == [
        (1, "agent", "Hello."),
        (2, "caller", "What time is it"),
        (3, "agent", "It is ten. Anything else?"),
        (4, "caller", "No thank you"),
        (5, "agent", "Goodbye then."),
    ]
    answer = await Turn.objects.aget(session=session, number=3)
    assert answer.latency_ms is not None
    assert answer.ended_ms > answer.started_ms
    assert await end_of(session) == ("ended", "agent-goodbye")
    used = await rows(session, UsageLine, "kind", "quantity")
    assert ("stt", 5000) in used
    assert ("tts", len("Hello.")) in used
    assert len({line for line in await rows(session, UsageLine, "evidence")}) == len(used)
    assert play.line.is_closed
    assert len(conductor._heartbeat) == 0
    kinds = [kind for (kind,) in await rows(session, CallEvent, "kind")]
    # The audio's end is the line's to tell, and comes before the talk's.
    assert kinds[-2:] == ["stream-ended", "session-ended"]


async def test_whoever_watches_sees_words_while_they_are_spoken_and_then_the_turn(session, scene):
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(broadcast.call_group(session.session_id), channel)
    play = scene("It is ten. END")
    talk = asyncio.create_task(conductor.conduct(session, play.line))
    await turns_written(session, 1)
    play.ears.hear("What time is it")
    await asyncio.wait_for(talk, 60)
    told: list[dict] = []
    while not told or told[-1]["kind"] != "call.ended":
        told.append(await asyncio.wait_for(layer.receive(channel), 60))
    assert {message["session_id"] for message in told} == {session.session_id}
    ended = [message["payload"] for message in told if message["kind"] == "turn.ended"]
    assert [(turn["number"], turn["speaker"], turn["text"]) for turn in ended] == [
        (1, "agent", "Hello."),
        (2, "caller", "What time is it"),
        (3, "agent", "It is ten."),
    ]
    interim = [message["payload"] for message in told if message["kind"] == "turn.updated"]
    assert ("agent", True) in {(words["speaker"], words["interim"]) for words in interim}


async def test_an_operators_hangup_ends_the_talk(session, scene):
    play = scene()
    talk = asyncio.create_task(conductor.conduct(session, play.line))
    await turns_written(session, 1)
    assert await sync_to_async(partial(commands.request_hangup, session, by="asha"))()
    await asyncio.wait_for(talk, 60)
    assert await end_of(session) == ("ended", "operator-hangup")


async def test_a_caller_who_hangs_up_ends_the_session(session, scene):
    play = scene()
    talk = asyncio.create_task(conductor.conduct(session, play.line))
    await turns_written(session, 1)
    play.line.hang_up()
    await asyncio.wait_for(talk, 60)
    assert await end_of(session) == ("ended", "caller-hangup")


async def test_a_database_that_stands_still_delays_rows_and_never_the_voice(session, scene):
    play = scene("One.", "Two. END")
    talk = asyncio.create_task(conductor.conduct(session, play.line))
    await turns_written(session, 1)
    locked, release = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def stand_still() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("lock table calls_turn in access exclusive mode")
            loop.call_soon_threadsafe(locked.set)
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result(30)
        connection.close()

    still = asyncio.create_task(sync_to_async(stand_still, thread_sensitive=False)())
    await asyncio.wait_for(locked.wait(), 60)
    before = play.line.sent_bytes
    play.ears.hear("First question")

    async def answered():
        return play.line.sent_bytes > before

    await eventually(answered, "the first answer is spoken")
    await asyncio.sleep(1)
    play.ears.hear("Second question")

    async def said_goodbye():
        return play.line.is_closed

    await eventually(said_goodbye, "the talk went on to its end without the database")
    assert play.line.sent_bytes >= before + 2 * 3200
    assert not talk.done()
    release.set()
    await still
    await asyncio.wait_for(talk, 60)
    assert [text for _, _, text in await rows(session)] == ["Hello.", "First question", "One.", "Second question", "Two."]
    assert await end_of(session) == ("ended", "agent-goodbye")


@pytest.fixture
def pool_renewed():
    """Named first, so that it ends last: a pool full of cut connections would keep the next test waiting."""
    yield
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # of Postgres' own wrapper


async def test_lost_database_connections_lose_no_row(pool_renewed, session, scene, settings, backend_of_the_fixtures):
    play = scene("One.", "Two. END")
    talk = asyncio.create_task(conductor.conduct(session, play.line))
    await turns_written(session, 1)

    spared = [backend_of_the_fixtures, await sync_to_async(backend)()]

    at = settings.DATABASES["default"]
    parameters = {
        "dbname": connection.settings_dict["NAME"],
        "user": at["USER"],
        "host": at["HOST"],
        "port": at["PORT"],
        "password": at["PASSWORD"],
    }

    def cut_everybody_else() -> None:
        # A connection of its own: one out of the pool would wait for the very connections that are being cut.
        with psycopg.connect(autocommit=True, **parameters) as axe:
            axe.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid() and pid <> all (%s)",
                [spared],
            )

    for question in ("First question", "Second question"):
        before = play.line.sent_bytes
        play.ears.hear(question)
        while play.line.sent_bytes == before and not talk.done():
            await sync_to_async(cut_everybody_else, thread_sensitive=False)()
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
    await asyncio.wait_for(talk, 80)
    assert [text for _, _, text in await rows(session)] == ["Hello.", "First question", "One.", "Second question", "Two."]


async def test_an_absent_valkey_hurts_nobody(session, scene, settings):
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": "redis://127.0.0.1:1/0"}]},
        }
    }
    play = scene("It is ten. END")
    talk = asyncio.create_task(conductor.conduct(session, play.line))
    await turns_written(session, 1)
    play.ears.hear("What time is it")
    await asyncio.wait_for(talk, 60)
    assert len(await rows(session)) == 3
    assert await end_of(session) == ("ended", "agent-goodbye")


async def test_an_agent_that_cannot_talk_ends_its_session_with_the_reason(session, scene, monkeypatch):
    play = scene()

    def assemble(spec, call=None, prepared_audio=None):
        raise assembly.NotReady("OPENAI_API_KEY is not set. Set it in .env and restart.")

    monkeypatch.setattr(assembly, "assemble", assemble)
    await conductor.conduct(session, play.line)
    assert play.line.is_closed
    assert await end_of(session) == ("ended", "provider-failed")
    facts = await CallEvent.objects.aget(session=session, kind="conversation-failed")
    assert "OPENAI_API_KEY" in facts.facts["reason"]


async def test_a_bug_in_the_conversation_ends_the_row_and_closes_the_line(session, scene):
    play = scene()
    talk = asyncio.create_task(conductor.conduct(session, play.line))
    await turns_written(session, 1)
    play.line.break_down(ZeroDivisionError("a bug"))
    await asyncio.wait_for(talk, 60)
    assert await end_of(session) == ("ended", "crash")
    assert play.line.is_closed


async def test_a_cancelled_conversation_still_writes_everything_and_passes_the_cancellation_on(session, scene):
    play = scene()
    talk = asyncio.create_task(conductor.conduct(session, play.line))
    await turns_written(session, 1)
    talk.cancel()
    await asyncio.sleep(0)
    talk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.shield(talk), 60)
    assert await end_of(session) == ("ended", "shutdown")
    assert await rows(session) == [(1, "agent", "Hello.")]
    assert ("tts", len("Hello.")) in await rows(session, UsageLine, "kind", "quantity")


async def test_a_draining_process_takes_nobody_and_says_goodbye_to_who_is_left(session, scene, monkeypatch):
    monkeypatch.setattr(conductor, "_heartbeat", Heartbeat())
    play = scene()
    free = conductor.room()
    talk = asyncio.create_task(conductor.conduct(session, play.line))
    await turns_written(session, 1)
    assert conductor.room() == free - 1
    await asyncio.wait_for(conductor.drain(0.2), 60)
    assert conductor.room() == 0
    await asyncio.wait_for(talk, 60)
    assert await end_of(session) == ("ended", "shutdown")


async def test_a_turn_with_a_character_that_postgres_cannot_keep_is_kept_without_it(session, scene):
    play = scene("It is\0 ten. END")
    talk = asyncio.create_task(conductor.conduct(session, play.line))
    await turns_written(session, 1)
    play.ears.hear("What\0 time is it")
    await asyncio.wait_for(talk, 60)
    assert [text for _, _, text in await rows(session)][1] == "What time is it"
