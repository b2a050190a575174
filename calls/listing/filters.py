"""What a list of calls is narrowed to, as conditions for Postgres. The same for the page, its exports and the API."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from calls.endings import FAILED_TALKS, LINK_LOST, EndedBy
from calls.listing import facets
from calls.listing.words import Search, search

# The list shows real calls; whoever asks for tests gets them.
WITHOUT_TESTS: Final = "without"
ONLY_TESTS: Final = "only"
WITH_TESTS: Final = "with"

# What analytics calls a talk, on the session's row `s`: a conversation that is over. A message that was left is none.
TALKED: Final = "s.started_at IS NOT NULL AND s.state = 'ended' AND s.end_reason NOT IN ('voicemail-done', 'voicemail-detected')"
# What failed, on the call's row `c` and the session's `s`: the same as the alert's, see docs/analytics.md.
FAILED: Final = (
    f"(c.status = 'failed' OR s.end_reason IN {FAILED_TALKS} OR s.end_reason = '{LINK_LOST}' AND c.ended_by = '{EndedBy.CARRIER}')"
)
ANSWERED: Final = "yes"

SHOWN_DIGITS: Final = 2  # the last ones of a masked number
WHOLE_DIGITS: Final = 10


@dataclass(slots=True)
class Conditions:
    """Parts of a WHERE with their values. `c` is the call's row, `w` that of its words."""

    parts: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, part: str, *values: Any) -> None:
        self.parts.append(part)
        self.values += values

    def __add__(self, more: "Conditions") -> "Conditions":
        return Conditions([*self.parts, *more.parts], [*self.values, *more.values])

    def on(self, row: str) -> "Conditions":
        """The same on another row, which has these columns too."""
        return Conditions([part.replace("c.", f"{row}.") for part in self.parts], self.values)

    def __str__(self) -> str:
        return " AND ".join(self.parts) or "TRUE"


@dataclass(frozen=True, slots=True)
class CallFilters:
    """What a list of calls is narrowed to. `number` matches the last digits of either side; times are aware, `until` exclusive.

    `cost_least` and `cost_most` are in the billing currency. A call of which nobody knows the duration or the cost is in no range of them.
    `answered` is yes, no or empty; `clock_hour` is the hour of the day in `zone` in which it began; `silent`: its caller said nothing;
    `failed`: see `FAILED`.
    With `numbers_hidden` digits that the mask of a caller's number hides find our own numbers alone; the whole of it finds either side.
    """

    status: str = ""
    direction: str = ""
    agent_id: int | None = None
    number: str = ""
    since: datetime | None = None
    until: datetime | None = None
    outcome: str = ""
    ended_by: str = ""
    confirmation: str = ""
    talk_least_s: int | None = None
    talk_most_s: int | None = None
    cost_least: Decimal | None = None
    cost_most: Decimal | None = None
    text: str = ""
    tests: str = WITH_TESTS
    answered: str = ""
    version_id: int | None = None
    clock_hour: int | None = None
    zone: str = "UTC"
    silent: bool = False
    numbers_hidden: bool = False
    failed: bool = False

    @property
    def said(self) -> Search | None:
        return search(self.text) if self.text.strip() else None

    @property
    def senseless(self) -> bool:
        """A number without digits, a text without words: nothing can match."""
        said = self.said
        return (said is not None and not said.tsquery) or bool(self.number and not _digits(self.number))

    def driving(self) -> Conditions:
        """The one condition whose index gives calls in their order, if there is one: the list is walked along it."""
        found = Conditions()
        if self.tests == ONLY_TESTS:
            found.add("c.is_test")
        elif self.agent_id is not None:
            return self.on_agent()
        elif self.confirmation:
            found.add("c.confirmation = %s", self.confirmation)
        elif self.ended_by and self.ended_by not in ("caller", "agent"):
            found.add("c.ended_by = %s", self.ended_by)
        elif self.outcome:
            found.add("c.outcome = %s", self.outcome)
        elif self.status:
            found.add("c.status = %s", self.status)
        elif self.direction:
            found.add("c.direction = %s", self.direction)
        return found

    def on_agent(self) -> Conditions:
        found = Conditions()
        if self.agent_id is not None:
            found.add("c.agent_id = %s", self.agent_id)
        return found

    def on_call(self) -> Conditions:
        """Everything that the call's own row decides, days apart."""
        found = Conditions()
        if self.tests == ONLY_TESTS:
            found.add("c.is_test")
        elif self.tests == WITHOUT_TESTS:
            found.add("NOT c.is_test")
        for column in ("status", "direction", "agent_id", "outcome", "ended_by", "confirmation"):
            if (value := getattr(self, column)) not in ("", None):
                found.add(f"c.{column} = %s", value)
        for part, bound in (
            ("c.talk_s >= %s", self.talk_least_s),
            ("c.talk_s <= %s", self.talk_most_s),
            ("c.cost >= %s", self.cost_least),
            ("c.cost <= %s", self.cost_most),
        ):
            if bound is not None:
                found.add(part, bound)
        if self.answered:
            found.add(f"c.answered_at IS {'NOT ' if self.answered == ANSWERED else ''}NULL")
        if self.clock_hour is not None:
            found.add("EXTRACT(hour FROM c.created_at AT TIME ZONE %s) = %s", self.zone, self.clock_hour)
        if self.version_id is not None:
            found.add("EXISTS (SELECT FROM calls_session s WHERE s.id = c.session_id AND s.agent_version_id = %s)", self.version_id)
        if self.silent:
            found.add(f"EXISTS (SELECT FROM calls_session s WHERE s.id = c.session_id AND {TALKED})")
            found.add("NOT EXISTS (SELECT FROM calls_turn t WHERE t.session_id = c.session_id AND t.speaker = 'caller')")
        if self.failed:
            found.add(f"EXISTS (SELECT FROM calls_session s WHERE s.id = c.session_id AND {FAILED})")
        if digits := _digits(self.number):
            # 080…, 91… and +91… name the same line: what counts is the national part.
            backwards = digits[-WHOLE_DIGITS:][::-1] + "%"
            side = 'reverse(c.{}) COLLATE "C" LIKE %s'
            ours = ("c.direction = 'outbound' AND ", "c.direction = 'inbound' AND ")
            of_from, of_to = ours if self.numbers_hidden and is_part(self.number) else ("", "")
            found.add(f"({of_from}{side.format('from_phone')} OR {of_to}{side.format('to_phone')})", backwards, backwards)
        for phrase in self.said.phrases if self.said else ():
            pattern = f"%{phrase.replace(chr(92), chr(92) * 2).replace('%', chr(92) + '%').replace('_', chr(92) + '_')}%"
            found.add(
                "(EXISTS (SELECT FROM calls_turn t WHERE t.session_id = c.session_id AND t.text ILIKE %s)"
                " OR EXISTS (SELECT FROM calls_recording r WHERE r.session_id = c.session_id AND r.transcript_text ILIKE %s))",
                pattern,
                pattern,
            )
        return found

    def in_words(self, owner_id: int | None) -> Conditions:
        """The same as far as the index of facets knows it, for these calls together. Empty where another index alone is as good."""
        known = {
            "o": owner_id, "a": self.agent_id, "s": self.status or None, "d": self.direction or None, "r": self.outcome or None,
            "e": self.ended_by or None, "c": self.confirmation or None, "y": self.answered == ANSWERED if self.answered else None,
        }  # fmt: skip
        every = [facets.word(letter, value) for letter, value in known.items() if value is not None]
        ranges = [
            facets.buckets(letter, edges, least, most)
            for letter, edges, least, most in (
                ("l", facets.TALK_S, self.talk_least_s, self.talk_most_s),
                ("p", facets.COST, self.cost_least, self.cost_most),
            )
            if least is not None or most is not None
        ]
        found = Conditions()
        if len(every) + len(ranges) < 2:
            return found
        if self.tests != WITH_TESTS:
            every.append(facets.word("t", self.tests == ONLY_TESTS))
        if every:
            found.add(f"{facets.expression('c.')} @> %s::text[]", every)
        for words in ranges:
            found.add(f"{facets.expression('c.')} && %s::text[]", words)
        return found

    def between(self, row: str) -> Conditions:
        """The days, on the call's own row or on that of its words."""
        found = Conditions()
        if self.since is not None:
            found.add(f"{row}.created_at >= %s", self.since)
        if self.until is not None:
            found.add(f"{row}.created_at < %s", self.until)
        return found

    def on_words(self) -> Conditions:
        found = Conditions()
        if self.said is not None:
            found.add("w.words @@ %s::tsquery", self.said.tsquery)
        return found


def is_part(typed: str) -> bool:
    """Whether these are more digits than a mask shows, and fewer than a number has."""
    return SHOWN_DIGITS < len(_digits(typed)) < WHOLE_DIGITS


def _digits(typed: str) -> str:
    return "".join(character for character in typed if character.isascii() and character.isdigit())
