"""Rows of many conversations written in one go: each in its order, few statements, and nobody's fault is another's."""

import asyncio
from functools import partial

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calls import broadcast, commands
from calls.commands import FinishedTurn
from calls.conductor import rows
from calls.conductor.rounds import Row, Share, write_round
from calls.conductor.rows import Writer
from calls.models import CallEvent, Session, Turn, UsageLine
from engine.usage import Unit, UsageKind, UsageRecord
from tests.calls import made_calls as made


class Book:
    """Takes rows and remembers by which call to it they came."""

    def __init__(self, refused: tuple[str, ...] = ()) -> None:
        self.calls: list[list[str]] = []
        self._refused = refused

    def together(self, parts) -> None:
        if any(part in self._refused for part in parts):
            raise IntegrityError("never")
        self.calls.append(list(parts))


def share(together, *parts) -> Share:
    return Share([Row("row", together, part) for part in parts])


def test_what_is_alike_is_written_together_and_each_calls_order_is_kept():
    turns, usage = Book(), Book()
    alone: list[str] = []
    first = Share(
        [
            Row("turn", turns.together, "a1"),
            Row("usage", usage.together, "a2"),
            Row("event", alone=partial(alone.append, "a3")),
            Row("turn", turns.together, "a4"),
        ]
    )
    shares = [first, share(turns.together, "b1", "b2"), share(usage.together, "c1")]
    write_round(shares)
    assert turns.calls == [["a1", "b1", "b2"], ["a4"]]
    assert usage.calls == [["a2", "c1"]]
    assert alone == ["a3"]
    assert [each.written for each in shares] == [4, 2, 1]


def test_a_row_that_fails_stops_those_of_its_statement_and_nobody_else():
    turns, usage = Book(refused=("bad",)), Book()
    shares = [share(turns.together, "bad"), share(turns.together, "good"), share(usage.together, "other")]
    write_round(shares)
    assert [each.written for each in shares] == [0, 0, 1]
    assert usage.calls == [["other"]]


def test_a_share_that_is_over_is_left_alone():
    book = Book()
    given_up = share(book.together, "late")
    given_up.is_over = True
    write_round([given_up, Share()])
    assert book.calls == []


async def written(*writers: Writer) -> None:
    tasks = [writer.start() for writer in writers]
    await asyncio.sleep(0)
    for writer in writers:
        writer.finish(10)
    async with asyncio.timeout(60):
        await asyncio.gather(*tasks)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_connection_left")
async def test_conversations_share_a_round_and_a_bad_row_costs_only_itself(monkeypatch):
    monkeypatch.setattr(rows, "_BACK_OFF_S", (0.0,) * 5)
    book = Book(refused=("b2",))
    writers = [Writer(None) for _ in range(3)]  # type: ignore[arg-type]  # nothing here is the session's
    for writer, name in zip(writers, "abc", strict=True):
        for number in (1, 2, 3):
            writer.add_to("row", book.together, f"{name}{number}")
    await written(*writers)
    kept = [part for parts in book.calls for part in parts]
    assert sorted(kept) == ["a1", "a2", "a3", "b1", "b3", "c1", "c2", "c3"]
    for name in "abc":
        mine = [part for part in kept if part[0] == name]
        assert mine == sorted(mine)


@pytest.fixture
def sessions(db) -> list[Session]:
    agent = made.agent_of(made.operator())
    return [made.talking_call(agent) for _ in range(3)]


def a_turn(session: Session, number: int, text: str, **facts) -> FinishedTurn:
    return FinishedTurn(session, number, "agent", text, started_ms=100, ended_ms=900, **facts)


def test_turns_of_all_calls_are_one_statement_and_the_last_telling_stands(sessions):
    one, two, three = sessions
    told = [
        a_turn(one, 1, "Hello"),
        a_turn(two, 1, "Good\0 day"),
        a_turn(one, 1, "Hello there"),
        a_turn(three, 2, "Hi", silence_after_ms=-4),
    ]
    with CaptureQueriesContext(connection) as asked:
        commands.add_turns(told)
    assert len(asked) == 1
    kept = {(turn.session_id, turn.number): (turn.text, turn.silence_after_ms) for turn in Turn.objects.all()}
    assert kept == {(one.pk, 1): ("Hello there", None), (two.pk, 1): ("Good day", None), (three.pk, 2): ("Hi", 0)}
    commands.interruption_measured(session=one, number=1, silence_after_ms=70)
    commands.add_turns([a_turn(one, 1, "Hello there, friend")])
    assert Turn.objects.get(session=one).silence_after_ms == 70  # what is not told again is kept
    commands.add_turns([])


def test_usage_of_all_calls_is_one_statement_in_its_order_and_each_line_once(sessions):
    def used(key: str) -> UsageRecord:
        return UsageRecord(UsageKind.LLM, "openai", "gpt-6-luna", Unit.OUTPUT_TOKENS, 7, key)

    one, two, _ = sessions
    told = [(one.session_id, [used("a"), used("b"), used("a")]), (two.session_id, [used("a")])]
    with CaptureQueriesContext(connection) as asked:
        commands.add_usages(told)
    assert len([each for each in asked if "INSERT" in each["sql"]]) == 1
    commands.add_usages(told)
    assert list(UsageLine.objects.filter(session=one).values_list("evidence", flat=True)) == ["a", "b"]
    assert UsageLine.objects.filter(session=two).count() == 1
    with pytest.raises(Session.DoesNotExist):
        commands.add_usages([(one.session_id, [used("c")]), ("sess_of_nobody", [used("c")])])
    assert not UsageLine.objects.filter(evidence="c").exists()


def test_an_event_is_one_statement_and_a_copy_is_told_apart(sessions):
    session = sessions[0]
    with CaptureQueriesContext(connection) as asked:
        assert commands.record_event(session=session, key="k", source="engine", kind="key-pressed", facts={"word": "नमस्ते", "n": 1})
    assert len(asked) == 1
    assert not commands.record_event(session=session, key="k", source="engine", kind="interrupted")
    assert CallEvent.objects.get(session=session, key="k").facts == {"word": "नमस्ते", "n": 1}


def test_how_many_questions_a_call_costs(db):
    """Each costs a quarter of a millisecond of the process that has everybody's audio: whoever adds one sees it here."""
    session = made.ringing_call(made.agent_of(made.operator()))
    sid = session.call_log.call_sid or ""

    def count(work) -> int:
        """Without the savepoints: a test runs in a transaction already."""
        with CaptureQueriesContext(connection) as asked:
            work()
        return sum("SAVEPOINT" not in each["sql"] for each in asked)

    issue = partial(commands.issue_media_token, session)
    costs = {"issue": count(issue), "issue again": count(issue)}
    token = commands.issue_media_token(session)
    end = partial(commands.end_session, session.session_id, reason="agent-goodbye", at=timezone.now(), stream_sid="stream")
    costs |= {
        "look": count(partial(commands.is_awaited, session_id=session.session_id, token_id=token)),
        "claim": count(partial(commands.claim_media, token_id=token, call_sid=sid, stream_sid="stream")),
        "beat": count(partial(commands.sessions_alive, [session.session_id])),
        "event": count(partial(commands.record_event, session=session, key="k", source="engine", kind="key-pressed")),
        "end": count(end),
    }
    assert costs == {"issue": 2, "issue again": 1, "look": 1, "claim": 8, "beat": 1, "event": 1, "end": 10}


async def test_nothing_is_left_when_the_last_watched_call_ends(monkeypatch):
    from calls.conductor import audience

    asked: list[int] = []

    async def watched(sessions):
        asked.append(len(sessions))
        return frozenset()

    monkeypatch.setattr(broadcast, "watched", watched)
    monkeypatch.setattr(audience, "LOOK_EVERY_S", 0.0)
    calls = [Session(session_id=f"sess_{number}") for number in range(2)]
    group = audience.Audience()
    assert group.watches(calls[0])  # nobody has looked yet
    for call in calls:
        await group.join(call)
    assert not group.watches(calls[0])
    async with asyncio.timeout(60):
        while 2 not in asked:
            await asyncio.sleep(0)
    for call in calls:
        group.leave(call)
    await asyncio.sleep(0)
    assert [task for task in asyncio.all_tasks() if task.get_name() == "audience"] == []
