"""How a call stands, as a pure function of the set of its events: any order, any number of copies and any gaps lead to the same end.

What events say is weighed by who says it and then by its value, never by when it arrived: Call Details over callbacks over a flow's
parameters over the answer to our dial over our own word. More events never take an end back. Pure: no Django, no clock.

What an event says about the call stands in its facts as `calls.told.claims` writes it, whatever kind it is of.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from calls.endings import confirmation, ended_by, talk_end
from calls.status import TERMINAL, CallStatus
from calls.told import DIAL_ANSWERS, REPORT, Event, Said

T = TypeVar("T")


_STAGE: Final = {status: number for number, status in enumerate(CallStatus)}
# Between ends that are told with equal authority, the one that says more about what happened.
_END_RANK: Final = {
    end: rank
    for rank, end in enumerate((CallStatus.CANCELED, CallStatus.FAILED, CallStatus.NO_ANSWER, CallStatus.BUSY, CallStatus.COMPLETED))
}


@dataclass(frozen=True, slots=True)
class CallFacts:
    """A call as all its events together tell it: each field is a column of `CallLog`. None or empty: nobody has told."""

    status: CallStatus = CallStatus.QUEUED
    dial_outcome: str = ""
    failure: str = ""
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: int | None = None
    carrier_price: Decimal | None = None
    carrier_currency: str = ""
    recording_url: str = ""
    carrier_cause: str = ""
    ended_by: str = ""
    confirmation: str = ""


COLUMNS: Final = tuple(column.name for column in fields(CallFacts))


def fold(events: Iterable[Event]) -> CallFacts:
    """How the call stands when all this has been told."""
    known = _once(events)
    said = [Said(event) for event in known]
    status = _status(said)
    over = talk_end(known)
    has_ended = status in TERMINAL
    outcome = _dial_outcome(known)
    price = _best(said, lambda one: (one.currency, one.price) if one.price is not None and one.currency else None, _higher_price)
    ended_at = _best(said, lambda one: one.ended_at, max) if has_ended else None
    return CallFacts(
        status=status,
        dial_outcome=outcome,
        failure=_failure(said, status, outcome),
        started_at=_best(said, lambda one: one.started_at, min),
        answered_at=_best(said, lambda one: one.answered_at, min),
        ended_at=ended_at or (over.at if has_ended and over else None),
        duration_s=_best(said, lambda one: one.duration_s, max),
        carrier_price=price[1] if price else None,
        carrier_currency=price[0] if price else "",
        recording_url=_recording(said),
        carrier_cause=_cause([one for one in said if one.event.kind == REPORT]),
        ended_by=str(ended_by(said, status, over) or ""),
        confirmation=str(confirmation(said, status, over) or ""),
    )


def ignored_because(before: CallFacts, after: CallFacts, told: str | None) -> str:
    """Why a report that says `told` has changed nothing; "" if it has."""
    if before != after:
        return ""
    status = before.status
    if told not in _STAGE:
        return "nothing new in it"
    if told == status:
        return f"repeated: the call is {status} already"
    if status in TERMINAL:
        return f"late: the call had ended as {status} when {told} came"
    return f"backward: {told} cannot follow {status}"


def changes(before: CallFacts, after: CallFacts) -> dict[str, Any]:
    """The columns in which they differ, as they are after."""
    return {name: getattr(after, name) for name in COLUMNS if getattr(before, name) != getattr(after, name)}


def _once(events: Iterable[Event]) -> list[Event]:
    """Each event once, in an order of its own: of copies the earliest heard."""
    first: dict[str, Event] = {}
    for event in events:
        known = first.get(event.key)
        if event.matters and (known is None or event.at < known.at):
            first[event.key] = event
    return [first[key] for key in sorted(first)]


# --- what they say together ---------------------------------------------------------------------------------------------------


def _best(said: list[Said], ask: Callable[[Said], T | None], among: Callable[[list[T]], T]) -> T | None:
    """What those with the highest authority say who say anything; `among` chooses between them by value."""
    answers = [(one.event.authority, answer) for one in said if (answer := ask(one)) is not None]
    if not answers:
        return None
    highest = max(authority for authority, _ in answers)
    return among([answer for authority, answer in answers if authority == highest])


def _status(said: list[Said]) -> CallStatus:
    """The end that is told with the highest authority; while there is none, the furthest stage."""
    end = _best(said, lambda one: one.status if one.ends else None, lambda ends: max(ends, key=_END_RANK.__getitem__))
    return end or max((one.status for one in said if one.status), key=_STAGE.__getitem__, default=CallStatus.QUEUED)


def _higher_price(prices: list[tuple[str, Decimal]]) -> tuple[str, Decimal]:
    """A price is only ever completed (the second leg is billed later), and never turned into another currency."""
    currency = min(currency for currency, _ in prices)
    return currency, max(amount for told, amount in prices if told == currency)


def _recording(said: list[Said]) -> str:
    """Addresses that last before signed ones that expire."""
    found = [(("?" not in one.url), one.event.authority, -len(one.url), one.url) for one in said if one.url]
    return max(found)[-1] if found else ""


def _cause(said: list[Said]) -> str:
    """The best-known reason; what the legs alone tell, if nobody gives one."""
    given = [(one.event.authority, len(one.cause), one.cause) for one in said if one.cause]
    hinted = [(one.event.authority, len(one.hint), one.hint) for one in said if one.hint]
    return max(given or hinted, default=(0, 0, ""))[-1]


def _failure(said: list[Said], status: CallStatus, outcome: str) -> str:
    """Why the call came to nothing, for operators."""
    if status in TERMINAL - {CallStatus.COMPLETED}:
        failed = [one for one in said if one.ends and one.status != CallStatus.COMPLETED]
        return _cause([one for one in failed if one.status == status]) or _cause(failed)
    return _cause([one for one in said if one.event.kind == "dial-unknown"]) if outcome == "unknown" else ""


def _dial_outcome(known: list[Event]) -> str:
    """What became of our order. Whatever is heard of the call at the carrier ends the doubt about it."""
    answers = {DIAL_ANSWERS[event.kind] for event in known if event.kind in DIAL_ANSWERS}
    if answers == {"unknown"} and any(event.kind in (REPORT, "stream-started") for event in known):
        return "accepted"
    return next((answer for answer in DIAL_ANSWERS.values() if answer in answers), "")
