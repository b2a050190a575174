"""An operator talks with an agent in writing: one line, one answer, each a part of one test call that is put aside in between.

Any line can be said otherwise, in a new call that begins with what was said before it; what was said after it is said again, line by line.
"""

from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from django.db.models import Q
from django.utils import timezone

from agents import drafts
from agents.models import Agent, AgentVersion
from agents.spec import AgentSpec
from calls import commands
from calls.commands import FinishedTurn, trying
from calls.models import Session, UsageLine
from calls.rehearsing.books import Books, cost_of, on_call, tokens
from calls.rehearsing.rows import WrittenTalk
from calls.rehearsing.stage import Before, Leave, Reader, hold
from calls.rehearsing.talk import Talk
from engine.events import EndReason
from engine.ports import Message, ToolCall

MOST_LINES: Final = 100
LONGEST_LINE: Final = 1000
LIMIT_S: Final = 90.0
IDLE: Final = timedelta(hours=1)


class Busy(Exception):
    """The agent is answering already."""

    message = "The agent is still answering. Wait for it, then write on."


class Over(Exception):
    """The conversation has ended."""

    message = "The conversation is over. Say an earlier line otherwise, or begin a new one."


def begin(agent: Agent, *, by: Any, is_draft: bool) -> WrittenTalk:
    """A new talk with what is live, or with the draft; the agent has greeted. Raises `BudgetSpent`, `NotReady`."""
    commands.check_budgets(agent)
    live: AgentVersion = agent.current_version
    spec = drafts.spec_of(agent).to_json() if is_draft else live.spec
    talk = _opened(live, by=by, spec=spec, is_draft=is_draft)
    try:
        _exchange(talk)
    except BaseException:
        end(talk, EndReason.SHUTDOWN)
        raise
    return talk


def say(talk: WrittenTalk, line: str) -> WrittenTalk:
    """The operator says `line` ("" says nothing, and waits). Raises `Busy`, `Over`, `BudgetSpent`, `NotReady`."""
    _check(talk)
    _exchange(talk, " ".join(line.split())[:LONGEST_LINE])
    return talk


def go_on(talk: WrittenTalk, place: int) -> WrittenTalk:
    """Says the next of the lines that are to be said again; it goes on waiting if it could not be said. Raises as `say` does.

    `place` is the exchange that it becomes: where one is already, another window was quicker, and nothing is said.
    """
    if talk.waiting and place == len(talk.exchanges):
        _check(talk)
        _exchange(talk, next_at=place)
    return talk


def otherwise(talk: WrittenTalk, place: int, line: str, *, by: Any) -> WrittenTalk:
    """A new talk that is this one up to the line at `place` (from 1), which is `line` now; the later ones wait to be said again."""
    if not 1 <= place < len(talk.exchanges):
        raise IndexError(f"there is no line {place} in this talk")
    commands.check_budgets(talk.session.agent)
    kept, later = talk.exchanges[:place], talk.exchanges[place + 1 :]
    anew = _opened(talk.session.agent_version, by=by, spec=talk.spec, is_draft=talk.is_draft, replays=talk)
    try:
        anew.exchanges = [{**each, "cost": "0", "is_copied": True} for each in kept]
        anew.waiting = [each["said"] for each in later if each["said"]]
        anew.save(update_fields=["exchanges", "waiting"])
        turns = talk.session.turns.filter(number__lte=_last_turn(kept))
        copied = [FinishedTurn(anew.session, turn.number, turn.speaker, turn.text, turn.started_ms, turn.ended_ms) for turn in turns]
        commands.add_turns(copied)
        say(anew, line)
    except BaseException:
        end(anew, EndReason.SHUTDOWN)
        raise
    end(talk)
    return anew


def end(talk: WrittenTalk, reason: EndReason = EndReason.CALLER_HANGUP) -> bool:
    """Puts the talk away and adds up what it cost. False if that was done."""
    WrittenTalk.objects.filter(pk=talk.pk).update(waiting=[])
    return trying.end_test(talk.session, reason=reason, lasted_ms=_elapsed_ms(talk.exchanges))


def put_away(limit: int = 200) -> int:
    """Ends the talks that everybody has left; returns how many."""
    left = WrittenTalk.objects.filter(session__state=Session.State.ACTIVE, touched_at__lt=timezone.now() - IDLE)
    return sum(end(talk, EndReason.SHUTDOWN) for talk in left.select_related("session").order_by("touched_at")[:limit])


def cost(talk: WrittenTalk) -> Decimal | None:
    """What it cost so far in the billing currency; None if a price or a rate is missing."""
    found = [each["cost"] for each in talk.exchanges]
    return None if None in found else sum((Decimal(each) for each in found), Decimal(0))


# --- inside -----------------------------------------------------------------------------------------------------------


def _opened(version: AgentVersion, *, by: Any, spec: dict[str, Any], is_draft: bool, replays: WrittenTalk | None = None) -> WrittenTalk:
    session = trying.open_test(agent_version=version, by=by.get_username(), draft=spec if is_draft else None)
    trying.begin_test(session)
    return WrittenTalk.objects.create(session=session, by=by, spec=spec, is_draft=is_draft, replays=replays)


def _check(talk: WrittenTalk) -> None:
    """Raises `Over` and `BudgetSpent` where nothing more may be said."""
    if talk.session.state == Session.State.ENDED or len(talk.exchanges) > MOST_LINES:
        raise Over(Over.message)
    commands.check_budgets(talk.session.agent)


def _exchange(talk: WrittenTalk, *said: str, next_at: int | None = None) -> None:
    """What came of one line, or of none, kept in the rows of the call and in the talk's own. With `next_at`: of the next that waits."""
    now = timezone.now()
    free = Q(busy_since=None) | Q(busy_since__lt=now - timedelta(seconds=2 * LIMIT_S))
    if not WrittenTalk.objects.filter(free, pk=talk.pk).update(busy_since=now, touched_at=now):
        raise Busy(Busy.message)
    try:
        talk.refresh_from_db(fields=["exchanges", "waiting"])  # another window may have said something since this one was shown
        talk.session.refresh_from_db(fields=["state"])
        if talk.session.state == Session.State.ENDED:
            raise Over(Over.message)
        if next_at is not None:
            if not talk.waiting or next_at != len(talk.exchanges):
                return
            said = (talk.waiting.pop(0),)
        spec = AgentSpec.from_json(talk.spec)
        known = tuple(_message(each) for exchange in talk.exchanges for each in exchange["history"])
        last_turn, elapsed_ms, part = _last_turn(talk.exchanges), _elapsed_ms(talk.exchanges), len(talk.exchanges)
        books = Books(talk.session, last_turn=last_turn, elapsed_ms=elapsed_ms, part=part)
        since = UsageLine.objects.filter(session=talk.session).order_by("-id").values_list("pk", flat=True).first() or 0
        held = hold(
            spec,
            Reader(said, Leave()),
            call=on_call(talk.session, spec),
            books=books,
            before=Before(known, elapsed_ms) if part else Before(),
            take=books.take,
            limit_s=LIMIT_S,
        )
        talk.exchanges = [*talk.exchanges, _told(held, "".join(said), last_turn, known, talk.session, since)]
        talk.save(update_fields=["exchanges", "waiting"])
    finally:
        WrittenTalk.objects.filter(pk=talk.pk).update(busy_since=None)
    if not held.is_left and held.reason is not None:
        end(talk, held.reason)
        talk.session.refresh_from_db()


def _told(said: Talk, line: str, last_turn: int, known: tuple[Message, ...], session: Session, since: int) -> dict[str, Any]:
    amount, lines = cost_of(session, since=since)
    read, wrote = tokens(lines)
    return {
        "said": line,
        "lines": [{"number": last_turn + each.number, "speaker": each.speaker, "text": each.text} for each in said.lines],
        "tools": [{"name": use.name, "arguments": use.arguments, "result": use.result, "ok": use.ok} for use in said.tools],
        "history": [_plain(message) for message in said.history[len(known) :]],
        "read": read,
        "wrote": wrote,
        "cost": None if amount is None else str(amount),
        "lasted_ms": said.lasted_ms,
        "failures": list(dict.fromkeys(said.failures)),
        "reason": "" if said.is_left or said.reason is None else said.reason.value,
    }


def _plain(message: Message) -> dict[str, Any]:
    return asdict(message)


def _message(stored: dict[str, Any]) -> Message:
    calls = tuple(ToolCall(**call) for call in stored["tool_calls"])
    return Message(stored["role"], stored["content"], calls, stored["tool_call_id"])


def _last_turn(exchanges: list[dict[str, Any]]) -> int:
    return max((line["number"] for exchange in exchanges for line in exchange["lines"]), default=0)


def _elapsed_ms(exchanges: list[dict[str, Any]]) -> int:
    return sum(int(exchange["lasted_ms"]) for exchange in exchanges)
