"""The call's timeline in words: what happened, who says so, what came of it. Reads rows that are already loaded."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from calls import wording
from calls.endings import Confirmation
from calls.kinds import WORDS
from calls.models import CallEvent, Session
from calls.presentation.live import is_live
from calls.sentences import in_readers_words
from calls.status import TERMINAL
from calls.told import REPORT, Event, Said

_DOORS = {
    "status": gettext_noop("callback"),
    "passthru": gettext_noop("flow"),
    "after-stream": gettext_noop("after the audio"),
    "voicebot": gettext_noop("flow, asks for the agent"),
    "incoming": gettext_noop("flow, asks for the agent"),
    "connect": gettext_noop("flow, asks whom to ring"),
    "recording": gettext_noop("recording"),
}
_LEARNED = {
    "status": gettext_noop("status"),
    "started_at": gettext_noop("start"),
    "answered_at": gettext_noop("answer"),
    "ended_at": gettext_noop("end"),
    "duration_s": gettext_noop("duration"),
    "carrier_price": gettext_noop("price"),
    "recording_url": gettext_noop("recording"),
    "carrier_cause": gettext_noop("cause"),
    "failure": gettext_noop("reason"),
    "ended_by": gettext_noop("who ended it"),
    "confirmation": gettext_noop("confirmation"),
}
# How the words above are already told, or nobody's business on a page.
_SILENT = frozenset({"call", "door", "asked", "learned", "ignored", "delivery", "at", "part", "causes"})
_UNSAID = {
    "alarm": "", "answer": "", "by": gettext_noop("somebody"), "days": gettext_noop("some"), "how": "", "marks": "",
    "outcome": gettext_noop("not known"), "provider": "", "status": gettext_noop("reported"), "tag": "", "to": "", "tool": "",
}  # fmt: skip
# The same thing again and again is one line: what comes in between is what people look for.
_TOGETHER = frozenset({"turn-played", "details-asked"})


@dataclass(frozen=True, slots=True)
class EventLine:
    """One entry of the call's timeline. `ignored`: why it changed nothing; `copies` came, one counts; `times`: so often in a row."""

    at: datetime
    source: str
    source_words: str
    what: str
    facts: str
    learned: str = ""
    ignored: str = ""
    copies: int = 1
    times: int = 1


def event_lines(events: Iterable[CallEvent], copies: Mapping[int, int]) -> list[EventLine]:
    """The timeline in the order in which things happened, as far as their times are known. A status that a line tells already is left out;
    `copies` counts each delivery of the carrier.
    """
    told = [(event.kind, event_line(event, copies)) for event in events if event.kind != "status-changed"]
    lines: list[EventLine] = []
    last = ""
    for kind, line in sorted(told, key=lambda one: one[1].at):
        if kind == last and kind in _TOGETHER and line.what == lines[-1].what:
            lines[-1] = replace(lines[-1], times=lines[-1].times + 1, facts="")
        else:
            lines.append(line)
        last = kind
    return lines


def event_line(event: CallEvent, copies: Mapping[int, int]) -> EventLine:
    facts = dict(event.facts)
    is_report = event.kind == REPORT
    what, used = _report_words(event) if is_report else _words(event.kind, facts)
    source = "details" if is_report and facts.get("asked") else event.source
    learned = [_(_LEARNED[name]) for name in facts.get("learned", ()) if name in _LEARNED] if is_report else []
    door = wording.said(_DOORS, str(facts.get("door"))) if is_report and facts.get("door") in _DOORS else ""
    source_words = wording.said(wording.EVENT_SOURCE, source)
    rest = {name: value for name, value in facts.items() if name not in _SILENT | used and value not in (None, "", {}, [])}
    return EventLine(
        at=event.carrier_time or event.created_at,
        source=event.source,
        source_words=f"{source_words}, {door}" if door else source_words,
        what=what,
        facts=" · ".join(f"{name}: {_shown(value)}" for name, value in rest.items()),
        learned=", ".join(learned),
        ignored=in_readers_words(str(facts.get("ignored") or "")) if is_report else "",
        copies=copies.get(int(facts.get("delivery") or 0), 1) if is_report else 1,
    )


def _words(kind: str, facts: dict[str, Any]) -> tuple[str, frozenset[str]]:
    """What happened, and which facts that tells already."""
    if kind == "session-ended":
        over, why = _("The talk ended."), wording.end_words(str(facts.get("reason", "")))
        return f"{over} {why}".strip(), frozenset({"reason"})
    template = WORDS.get(kind)
    if template is None:  # of another release
        return kind.replace("-", " ").replace("_", " ").capitalize(), frozenset()
    used = frozenset(name for name in facts if f"{{{name}}}" in template)
    unsaid = {name: _(word) if word else "" for name, word in _UNSAID.items()}
    return _(template).format_map({**unsaid, **{name: in_readers_words(_shown(facts[name])) for name in used}}).rstrip(": "), used


def _report_words(event: CallEvent) -> tuple[str, frozenset[str]]:
    """What the carrier told, in one line: `Completed · 1:24 · ₹1.20 · recording`."""
    said = Said(Event(key="", source=event.source, kind=event.kind, at=event.created_at, facts=event.facts))
    parts = [wording.status_words(said.status) if said.status else ""]
    parts += [wording.duration_words(said.duration_s) if said.duration_s is not None else ""]
    parts += [wording.money_words(said.price, said.currency, at_most=4) if said.price is not None else ""]
    parts += [_("recording") if said.url else "", wording.cause_words(said.cause or said.hint)]
    known = " · ".join(part for part in parts if part)
    return known or _("Nothing that we did not know"), frozenset({"event", "legs"}) if known else frozenset()


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
    confirmation, tone = wording.TEST_OVER if log.is_test else wording.CONFIRMATION.get(log.confirmation, ("", "quiet"))
    hint = ""
    if log.confirmation == Confirmation.NOT_CONFIRMED:
        hint = _("Our side is closed; the carrier is still asked whether its leg is down.")
    carriers = wording.cause_words(log.carrier_cause)
    status = wording.status_words(log.status) if log.status in TERMINAL else ""
    return EndFacts(
        ours=wording.ended_words(log.ended_by, session.end_reason),
        carriers=f"{status}: {carriers}" if status and carriers else status or carriers or _("Has not said"),
        confirmation=_(confirmation) if confirmation else "",
        tone=tone,
        hint=hint,
    )


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
