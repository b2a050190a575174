"""A line that broke is picked up: who may, what is remembered, and what is kept of words that nobody finished."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from agents import assembly
from calls import commands, conductor, queries
from calls.commands import Draft
from calls.conductor.resuming import Before, continued, recalled
from calls.models import CallEvent, CallLog, Session, Turn
from engine.ports import Message
from tests.calls import made_calls as made
from tests.calls.scripted import Scene

pytestmark = pytest.mark.django_db
S = lambda seconds: timedelta(seconds=seconds)  # noqa: E731


@pytest.fixture
def session() -> Session:
    return made.talking_call(made.agent_of(made.operator()))


def resume(session: Session, stream_sid: str = "second") -> Session | None:
    return commands.resume_media(session_id=session.session_id, call_sid=session.call_log.call_sid or "", stream_sid=stream_sid)


def seems(session: Session, **facts) -> None:
    Session.objects.filter(pk=session.pk).update(**facts)


@pytest.mark.parametrize(
    ("facts", "may"),
    [
        ({"state": "active", "seen_at": S(-1)}, False),
        ({"state": "active", "seen_at": S(-4)}, True),
        ({"state": "ended", "end_reason": "link-lost", "ended_at": S(-5)}, True),
        ({"state": "ended", "end_reason": "crash", "ended_at": S(-5)}, True),
        ({"state": "ended", "end_reason": "link-lost", "ended_at": S(-90)}, False),
        ({"state": "ended", "end_reason": "agent-goodbye", "ended_at": S(-1)}, False),
        ({"state": "ended", "end_reason": "shutdown", "ended_at": S(-1)}, False),
        ({"state": "active", "seen_at": S(-4), "hangup_requested_at": S(-4)}, False),
        ({"state": "waiting", "seen_at": None}, False),
    ],
)
def test_only_a_line_that_broke_may_be_picked_up(facts, may):
    now = timezone.now()
    times = {name: now + value if isinstance(value, timedelta) else value for name, value in facts.items()}
    session = Session(**times)
    session.call_log = CallLog(status="in-progress")
    assert commands.may_resume(session, now) is may
    session.call_log.status = "completed"
    assert not commands.may_resume(session, now)


def test_a_living_conversation_is_not_taken_over_and_a_dead_one_is_once(session):
    assert resume(session) is None
    seems(session, seen_at=timezone.now() - S(10))
    assert commands.resume_media(session_id=session.session_id, call_sid="another", stream_sid="x") is None
    again = resume(session)
    assert again is not None and (again.state, again.stream_sid) == ("active", "second")
    assert commands.is_resumed(again) and not commands.is_resumed(session)
    assert resume(session, "third") is None  # the second lives


def test_what_another_stream_has_taken_over_is_not_ended_by_the_first(session):
    seems(session, seen_at=timezone.now() - S(10))
    assert resume(session) is not None
    assert not commands.end_session(session.session_id, reason="link-lost", at=timezone.now(), stream_sid=session.stream_sid)
    assert commands.end_session(session.session_id, reason="caller-hangup", at=timezone.now(), stream_sid="second")


def test_a_line_that_breaks_again_and_again_is_given_up(session):
    for _ in range(5):
        seems(session, seen_at=timezone.now() - S(10))
        resume(session)
    assert queries.times_resumed(session) == 3


def turn(number: int, speaker: str, text: str) -> Turn:
    return Turn(number=number, speaker=speaker, text=text)


def test_the_model_remembers_what_was_heard():
    said = [
        turn(1, "agent", "Hello."),
        turn(2, "caller", "I want"),
        turn(3, "caller", "two."),
        turn(4, "agent", ""),
        turn(4, "agent", "Two?"),
    ]
    before = recalled(said, elapsed_ms=9000, part=1)
    assert before.messages == (Message("assistant", "Hello."), Message("user", "I want two."), Message("assistant", "Two?"))
    assert (before.last_turn, before.elapsed_ms) == (4, 9000)


def test_the_plan_goes_on_with_the_time_that_is_left():
    plan, _ = Scene().assemble(type("Spec", (), {"prompt": "You answer."}))
    assert continued(plan, Before()) is plan
    later = continued(plan, Before((Message("user", "Two."),), 3, 20_000, 1))
    assert (later.first_message, later.max_duration_ms, later.history) == (plan.still_there, 40_000, (Message("user", "Two."),))
    assert continued(plan, Before((), 0, 59_000, 1)).first_message == plan.first_message


def test_a_draft_gives_way_to_its_turn_and_never_takes_its_place(session):
    draft = Draft(session.pk, 2, "caller", "I wa\0nt", 1000)
    commands.keep_drafts([draft])
    commands.keep_drafts([Draft(session.pk, 2, "caller", "I want two", 1000), Draft(session.pk, 1, "agent", "Hello.", 0)])
    assert list(Turn.objects.filter(session=session).values_list("number", "text")) == [(1, "Hello."), (2, "I want two")]
    commands.add_turn(session=session, number=2, speaker="caller", text="I want two tickets", started_ms=1000, ended_ms=3000)
    commands.keep_drafts([draft])
    commands.drop_draft(session=session, number=2, speaker="caller")
    commands.drop_draft(session=session, number=1, speaker="agent")
    assert list(Turn.objects.filter(session=session).values_list("number", "text")) == [(2, "I want two tickets")]
    commands.keep_drafts([])


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_connection_left")
async def test_a_second_stream_goes_on_where_the_first_was_cut(session, monkeypatch):
    first, second = Scene("A long answer that nobody hears to its end."), Scene("Yes, two tickets. END")

    def written():
        return list(Turn.objects.filter(session=session).order_by("number").values_list("number", "speaker", "text"))

    async def until(count: int):
        async with asyncio.timeout(60):
            while len(await sync_to_async(written)()) < count:
                await asyncio.sleep(0.05)

    monkeypatch.setattr(assembly, "assemble", first.assemble)
    talk = asyncio.create_task(conductor.conduct(session, first.line))
    await until(1)
    # The caller's words are kept before their turn is over.
    first.ears.interim("I want two")
    await until(2)
    assert (await sync_to_async(written)())[1] == (2, "caller", "I want two")
    first.line.lose()
    await asyncio.wait_for(talk, 60)
    await session.arefresh_from_db()
    assert (session.state, session.end_reason) == ("ended", "link-lost")

    again = await sync_to_async(resume)(session)
    assert again is not None
    monkeypatch.setattr(assembly, "assemble", second.assemble)
    talk = asyncio.create_task(conductor.conduct(again, second.line))
    await until(3)
    second.ears.hear("Tickets please")
    await asyncio.wait_for(talk, 60)
    turns = await sync_to_async(written)()
    assert turns[2:] == [(3, "agent", "Are you there?"), (4, "caller", "Tickets please"), (5, "agent", "Yes, two tickets.")]
    starts = await sync_to_async(
        lambda: list(Turn.objects.filter(session=session).order_by("number").values_list("started_ms", flat=True))
    )()
    assert min(starts[2:]) > max(starts[:2])
    assert {message.content for message in second.mind.told[0]} >= {"Hello.", "I want two"}
    await session.arefresh_from_db()
    assert (session.state, session.end_reason) == ("ended", "agent-goodbye")
    assert await CallEvent.objects.filter(session=session, kind="stream-resumed").acount() == 1
