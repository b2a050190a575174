"""The call's timeline in words: what happened, who says so, what came of it. Reads rows that are already loaded."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from calls import wording
from calls.endings import Confirmation
from calls.models import CallEvent, Session
from calls.presentation.live import is_live
from calls.status import TERMINAL
from calls.told import REPORT, Event, Said

# What each kind of event means. `{...}` are facts of it.
_WORDS = {
    "call-opened": "The call came in",
    "call-queued": "The call was queued",
    "call-canceled": "Canceled before it was dialled",
    "call-settled": "Settled: everything is known and accounted",
    "carried-over": "What was known before the timeline began",
    "dial-claimed": "The carrier was asked to dial",
    "dial-accepted": "The carrier took the order",
    "dial-refused": "The carrier refused the order",
    "dial-unknown": "The carrier did not say whether it dials",
    "given-up": "Given up: nothing was heard of the call",
    "audio-offered": "Answered: the agent is ready to talk",
    "no-room": "Not answered: every line was busy",
    "stream-started": "Audio began",
    "stream-resumed": "Audio broke and was picked up",
    "stream-ended": "Audio ended: {how}",
    "stream-reported": "Audio {status}",
    "hangup-requested": "Hang-up asked by {by}",
    "hangup-accepted": "The carrier agreed to hang up",
    "hangup-refused": "The carrier cannot hang up",
    "transfer-decided": "The agent decided to hand over",
    "transfer-asked": "The carrier asked whom to ring",
    "transfer-ended": "The hand-over: {outcome}",
    "interrupted": "The caller interrupted the agent",
    "provider-failed": "A provider failed: {provider}",
    "tool-called": "Tool used: {tool}",
    "recording-fetched": "The recording was fetched",
    "recording-missing": "The carrier has no recording",
    "recording-stored": "The recording was stored",
    "recording-transcribed": "The recording was transcribed",
    "note-added": "Note by {by}",
    "note-removed": "Note taken away by {by}",
    "tag-added": "Tagged “{tag}” by {by}",
    "tag-removed": "Tag “{tag}” taken away by {by}",
    "share-made": "Link made by {by} for {days} days",
    "share-revoked": "Link withdrawn by {by}",
}
_DOORS = {
    "status": "callback",
    "passthru": "flow",
    "after-stream": "after the audio",
    "voicebot": "flow, asks for the agent",
    "incoming": "flow, asks for the agent",
    "connect": "flow, asks whom to ring",
    "recording": "recording",
}
_LEARNED = {
    "status": "status",
    "started_at": "start",
    "answered_at": "answer",
    "ended_at": "end",
    "duration_s": "duration",
    "carrier_price": "price",
    "recording_url": "recording",
    "carrier_cause": "cause",
    "failure": "reason",
    "ended_by": "who ended it",
    "confirmation": "confirmation",
}
# How the words above are already told, or nobody's business on a page.
_SILENT = frozenset({"call", "door", "asked", "learned", "ignored", "delivery", "at", "part", "causes"})


@dataclass(frozen=True, slots=True)
class EventLine:
    """One entry of the call's timeline. `ignored`: why it changed nothing; `copies` came, of which one counts."""

    at: datetime
    source: str
    source_words: str
    what: str
    facts: str
    learned: str = ""
    ignored: str = ""
    copies: int = 1


def event_lines(events: Iterable[CallEvent], copies: Mapping[int, int]) -> list[EventLine]:
    """The timeline in the order in which things happened, as far as their times are known. A status that a line tells already is left out;
    `copies` counts each delivery of the carrier.
    """
    lines = [event_line(event, copies) for event in events if event.kind != "status-changed"]
    return sorted(lines, key=lambda line: line.at)


def event_line(event: CallEvent, copies: Mapping[int, int]) -> EventLine:
    facts = dict(event.facts)
    is_report = event.kind == REPORT
    what, used = _report_words(event) if is_report else _words(event.kind, facts)
    source = "details" if is_report and facts.get("asked") else event.source
    learned = [_LEARNED[name] for name in facts.get("learned", ()) if name in _LEARNED] if is_report else []
    door = _DOORS.get(str(facts.get("door")), "") if is_report else ""
    source_words = wording.EVENT_SOURCE.get(source, source)
    rest = {name: value for name, value in facts.items() if name not in _SILENT | used and value not in (None, "", {}, [])}
    return EventLine(
        at=event.carrier_time or event.created_at,
        source=event.source,
        source_words=f"{source_words}, {door}" if door else source_words,
        what=what,
        facts=" · ".join(f"{name}: {_shown(value)}" for name, value in rest.items()),
        learned=", ".join(learned),
        ignored=str(facts.get("ignored") or "") if is_report else "",
        copies=copies.get(int(facts.get("delivery") or 0), 1) if is_report else 1,
    )


def _words(kind: str, facts: dict[str, Any]) -> tuple[str, frozenset[str]]:
    """What happened, and which facts that tells already."""
    if kind == "session-ended":
        return f"The talk ended. {wording.end_words(str(facts.get('reason', '')))}".strip(), frozenset({"reason"})
    template = _WORDS.get(kind)
    if template is None:
        return kind.replace("-", " ").replace("_", " ").capitalize(), frozenset()
    used = frozenset(name for name in facts if f"{{{name}}}" in template)
    unknown = {
        "how": "",
        "status": "reported",
        "by": "somebody",
        "outcome": "not known",
        "provider": "",
        "tool": "",
        "tag": "",
        "days": "some",
    }
    return template.format_map({**unknown, **{name: _shown(facts[name]) for name in used}}).rstrip(": "), used


def _report_words(event: CallEvent) -> tuple[str, frozenset[str]]:
    """What the carrier told, in one line: `Completed · 1:24 · ₹1.20 · recording`."""
    said = Said(Event(key="", source=event.source, kind=event.kind, at=event.created_at, facts=event.facts))
    parts = [wording.status_words(said.status) if said.status else ""]
    parts += [wording.duration_words(said.duration_s) if said.duration_s is not None else ""]
    parts += [wording.money_words(said.price, said.currency, at_most=4) if said.price is not None else ""]
    parts += ["recording" if said.url else "", wording.cause_words(said.cause or said.hint)]
    known = " · ".join(part for part in parts if part)
    return known or "Nothing that we did not know", frozenset({"event", "legs"}) if known else frozenset()


@dataclass(frozen=True, slots=True)
class EndFacts:
    """Both sides of a call's end in words, and whether the carrier has confirmed it. Empty while the call runs."""

    ours: str
    carriers: str
    confirmation: str
    tone: str
    hint: str


def end_facts(session: Session) -> EndFacts | None:
    log = session.call_log
    if is_live(session) or not (log.ended_by or log.confirmation):
        return None
    confirmation, tone = wording.CONFIRMATION.get(log.confirmation, ("", "quiet"))
    hint = (
        "" if log.confirmation != Confirmation.NOT_CONFIRMED else "Our side is closed; the carrier is still asked whether its leg is down."
    )
    carriers = wording.cause_words(log.carrier_cause)
    status = wording.status_words(log.status) if log.status in TERMINAL else ""
    return EndFacts(
        ours=wording.ended_words(log.ended_by, session.end_reason),
        carriers=f"{status}: {carriers}" if status and carriers else status or carriers or "Has not said",
        confirmation=confirmation,
        tone=tone,
        hint=hint,
    )


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
