"""Calls as the carrier tells of them: what comes to which door in Exotel's own words, and how the call must stand when all is told.

The same stories are folded without a database, applied through the inbox, and (by whoever has one) sent to a real door.
"""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import permutations
from typing import Any, Final

from django.utils import timezone

from agents.models import Agent
from calls import commands
from calls.models import CallLog, Session
from calls.timeline import COLUMNS, CallFacts
from calls.told import REPORT, Event, claims
from providers.exotel import webhooks
from providers.exotel.details import read_call
from telephony import applying, inbox, reconciling
from telephony.spool import Spooled
from tests.calls import made_calls as made

SID: Final = "0f3c9a1e7b2d4c5f8a6b0d1e2f3a198c"
RECORDING: Final = f"https://recordings.exotel.com/exotelrecordings/exampleco1/{SID}.mp3"
DETAILS: Final = "details"  # not a door: Exotel's answer to a question of ours
_NEVER: Final = "1970-01-01 05:30:00"


def _utc(minute: int, second: int) -> datetime:
    """12 August 2025, 10:48 IST and later, as the stories' stamps have it."""
    return datetime(2025, 8, 12, 5, minute, second, tzinfo=UTC)


@dataclass(frozen=True)
class Step:
    """One thing that the carrier tells: a delivery to a door, or its answer when we ask for the call's details."""

    door: str
    params: dict[str, Any]

    def params_for(self, call_sid: str) -> dict[str, Any]:
        return {**self.params, ("Sid" if self.door == DETAILS else "CallSid"): call_sid}

    def report(self) -> commands.CarrierReport:
        if self.door == DETAILS:
            return reconciling._report(read_call(self.params_for(SID)))
        return applying.in_our_words(webhooks.read(self.params_for(SID)), self.door)

    @cached_property
    def key(self) -> str:
        if self.door == DETAILS:
            return reconciling._key(read_call(self.params_for(SID)))
        return f"{self.door}:{inbox.fingerprint(self.door, '', self.params_for(SID))[:40]}"

    @cached_property
    def facts(self) -> dict[str, Any]:
        return self.report().as_event_facts()

    def event(self, at: datetime) -> Event:
        return Event(key=self.key, source="carrier", kind=REPORT, at=at, facts=self.facts)


@dataclass(frozen=True)
class Story:
    """What the carrier tells, in the order in which it happened, and how the call stands then. `ours`: what we did ourselves meanwhile.

    The last step is the whole truth, Call Details: whatever else is lost, it is asked for.
    """

    name: str
    steps: tuple[Step, ...]
    end: dict[str, Any]
    talked: bool = True

    def ours(self) -> list[Event]:
        opened = {"direction": "inbound", **claims(status="initiated", started_at=_utc(18, 34))}
        events = [Event("opened", "carrier", "call-opened", _utc(18, 34), opened)]
        if self.talked:
            began = claims(status="in-progress", answered_at=_utc(18, 45))
            ended = {"reason": "agent-goodbye", "at": _utc(19, 58).isoformat()}
            events += [
                Event("stream:started", "stream", "stream-started", _utc(18, 45), began),
                Event("session:ended", "engine", "session-ended", _utc(19, 58), ended),
            ]
        return events


def _callback(status: str, **params: str) -> Step:
    return Step("status", {"Status": status, "DateUpdated": "2025-08-12 10:50:02", **params})


def _flow(door: str, **params: str) -> Step:
    return Step(door, {"Direction": "incoming", "CallFrom": "09876543211", "CallTo": "08047112230", "EndTime": _NEVER, **params})


def _details(status: str, **params: Any) -> Step:
    return Step(DETAILS, {"Status": status, "StartTime": "2025-08-12 10:48:33", "EndTime": None, "Price": None, **params})


_TERMINAL: Final = {"EventType": "terminal", "StartTime": "2025-08-12 10:48:33", "EndTime": "2025-08-12 10:50:01"}

STORIES: Final = (
    Story(
        "a talk that everybody tells of",
        (
            _flow("voicebot", CallStatus="ringing", StartTime="2025-08-12 10:48:33"),
            _callback("in-progress", EventType="answered", DateUpdated="2025-08-12 10:48:41", **{"Legs[0][Status]": "in-progress"}),
            _flow("passthru", CallStatus="completed", StartTime="2025-08-12 10:48:30", **{"Legs[0][CauseCode]": "NORMAL_CLEARING"}),
            _callback("completed", ConversationDuration="61", RecordingUrl=RECORDING, **_TERMINAL),
            _details("completed", EndTime="2025-08-12 10:50:01"),
            _details("completed", EndTime="2025-08-12 10:50:01", Duration="75", Price="1.500", RecordingUrl=RECORDING),
        ),
        {
            "status": "completed",
            "started_at": _utc(18, 33),
            "answered_at": _utc(18, 41),
            "ended_at": _utc(20, 1),
            "duration_s": 75,
            "carrier_price": Decimal("1.5"),
            "carrier_currency": "INR",
            "recording_url": RECORDING,
            "carrier_cause": "NORMAL_CLEARING",
            "failure": "",
            "ended_by": "agent",
            "confirmation": "confirmed",
        },
    ),
    Story(
        "nobody is there, and the carrier takes back that somebody had answered",
        (
            _callback("ringing", DateUpdated="2025-08-12 10:48:36"),
            _callback("in-progress", EventType="answered", DateUpdated="2025-08-12 10:48:41", **{"Legs[0][Status]": "in-progress"}),
            _callback("no-answer", RecordingUrl="", **{**_TERMINAL, "EndTime": _NEVER, "Legs[0][CauseCode]": "RING_TIMEOUT"}),
            _callback("no-answer", RecordingUrl="", EventType="terminal", ConversationDuration="-3"),
            _details("no-answer", EndTime="2025-08-12 10:49:31", Duration=0, Price="0.000", Details={"Leg1Status": "no-answer"}),
        ),
        {
            "status": "no-answer",
            "started_at": _utc(18, 33),
            "answered_at": _utc(18, 41),
            "ended_at": _utc(19, 31),
            "duration_s": 0,
            "carrier_price": Decimal(0),
            "recording_url": "",
            "carrier_cause": "RING_TIMEOUT",
            "failure": "RING_TIMEOUT",
            "ended_by": "carrier",
            "confirmation": "confirmed",
        },
        talked=False,
    ),
    Story(
        "callbacks that contradict the invoice",
        (
            _callback("busy", EventType="terminal"),
            _callback("failed", EventType="terminal", **{"Legs[0][CauseCode]": "NETWORK_OUT_OF_ORDER"}),
            _flow("after-stream", **{"Stream[StreamSID]": "s1", "Stream[Status]": "completed", "Stream[DisconnectedBy]": "bot"}),
            _details("in-progress"),
            _details("completed", EndTime="2025-08-12 10:50:01", Duration=75, Price="0.750", RecordingUrl=RECORDING),
            _details("completed", EndTime="2025-08-12 10:50:01", Duration=75, Price=1.5, RecordingUrl=RECORDING),
        ),
        {
            "status": "completed",
            "started_at": _utc(18, 33),
            "answered_at": _utc(18, 45),
            "ended_at": _utc(20, 1),
            "duration_s": 75,
            "carrier_price": Decimal("1.5"),
            "recording_url": RECORDING,
            "failure": "",
            "ended_by": "agent",
            "confirmation": "confirmed",
        },
    ),
)

# What only a lost report could tell: Call Details have neither the moment of the answer nor a better reason than how the legs went.
ONLY_CALLBACKS_TELL: Final = frozenset({"answered_at", "carrier_cause", "failure"})


def interleaving(story: Story, chance: random.Random) -> list[Step]:
    """The story as a bad line tells it: some reports lost, some several times, all in any order. The last step is never lost."""
    heard = [step for step in story.steps[:-1] if chance.random() > 0.3] + [story.steps[-1]]
    told = [step for step in heard for _ in range(chance.choice((1, 1, 1, 2, 4)))]
    chance.shuffle(told)
    return told


def events_of(story: Story, told: Sequence[Step], chance: random.Random) -> list[Event]:
    """The told steps and our own events as one heap, each heard at any time."""
    now = _utc(18, 33)
    events = [step.event(now + timedelta(seconds=chance.randrange(1000))) for step in told] + story.ours()
    chance.shuffle(events)
    return events


def is_right(story: Story, facts: CallFacts | CallLog, *, told: Iterable[Step] | None = None) -> dict[str, tuple[Any, Any]]:
    """Each column that is not as the story ends, as it is and as it should be. With `told`, what was lost need not be known."""
    is_whole = told is None or set(map(id, told)) >= set(map(id, story.steps))
    asked = [name for name in story.end if is_whole or name not in ONLY_CALLBACKS_TELL]
    return {name: (getattr(facts, name), story.end[name]) for name in asked if getattr(facts, name) != story.end[name]}


def deliver(session: Session, step: Step) -> None:
    """One step through the inbox into the rows of a call, as the door and the reconciler do it."""
    sid = session.call_log.call_sid or ""
    params = step.params_for(sid)
    if step.door == DETAILS:
        details = read_call(params)
        commands.apply_carrier_report(session=session, report=reconciling._report(details), source="carrier", key=reconciling._key(details))
        return
    applying.apply(inbox.keep(Spooled(time.time_ns(), step.door, "POST", "", params, sid)))


def every_order(story: Story) -> Iterator[tuple[Step, ...]]:
    return permutations(story.steps)


def live_through(agent: Agent, story: Story, told: Sequence[Step]) -> CallLog:
    """A new call of this agent to which all this is told; its own talk, if it has one, ends in the middle of it."""
    session = made.talking_call(agent) if story.talked else made.ringing_call(agent)
    for number, step in enumerate(told):
        if story.talked and number == len(told) // 2:
            commands.end_session(session.session_id, reason="agent-goodbye", at=timezone.now())
        deliver(session, step)
    return end_of(session)


def amiss(story: Story, log: CallLog, told: Sequence[Step]) -> dict[str, tuple[Any, Any]]:
    """What is wrong in the rows of a call that lived through this; {} if nothing. Our own times are those of now, not of the story."""
    wrong = is_right(story, log, told=told)
    if not any(step.door == "status" and step.report().answered_at for step in told):
        wrong.pop("answered_at", None)
    return wrong


def end_of(session: Session) -> CallLog:
    return CallLog.objects.get(session=session)


def columns(facts: CallFacts | CallLog) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in COLUMNS}
