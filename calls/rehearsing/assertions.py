"""What a rehearsal must show, one wish a line, as people write it and as it is stored. Pure.

tool called: book_slot {"day": "Tuesday"}      tool never called: transfer_call
says: your booking is confirmed                never says: /refund|money back/
ended by: agent                                within: 120 seconds
answers within: 1.5 seconds                    costs at most: ₹5
judged: The agent reads the date back before it books.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

TOOL_CALLED, TOOL_NEVER_CALLED, SAYS, NEVER_SAYS = "tool called", "tool never called", "says", "never says"
ENDED_BY, WITHIN, ANSWERS_WITHIN, COSTS, JUDGED = "ended by", "within", "answers within", "costs at most", "judged"
KINDS: Final = (TOOL_CALLED, TOOL_NEVER_CALLED, SAYS, NEVER_SAYS, ENDED_BY, WITHIN, ANSWERS_WITHIN, COSTS, JUDGED)
ENDERS: Final = ("agent", "caller", "transfer", "limit")
CURRENCY: Final = "INR"  # of "costs at most", whatever currency costs are shown in
MOST: Final = 40
LONGEST: Final = 500
_TOOL = re.compile(r"([A-Za-z_][\w-]{0,63})\s*(\{.*\})?", re.DOTALL)
_SECONDS = re.compile(r"(\d{1,5})\s*(s|sec|secs|seconds?)?", re.IGNORECASE)
_FINE_SECONDS = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s*(s|sec|secs|seconds?)?", re.IGNORECASE)
_MONEY = re.compile(r"(?:₹|rs\.?|inr)?\s*(\d{1,7}(?:\.\d{1,4})?)\s*(?:₹|rs\.?|inr|rupees?)?", re.IGNORECASE)


class NotUnderstood(ValueError):
    """A line that means nothing. `problems` say which, and what to write instead."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Assertion:
    """`wish` is what stands behind the colon; `arguments` are those a tool has to be called with, at least."""

    kind: str
    wish: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        behind = f" {json.dumps(self.arguments, ensure_ascii=False)}" if self.arguments else ""
        return f"{self.kind}: {self.wish}{behind}"

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "wish": self.wish, **({"arguments": dict(self.arguments)} if self.arguments else {})}


def from_json(stored: Sequence[Mapping[str, Any]]) -> list[Assertion]:
    return [Assertion(str(each["kind"]), str(each["wish"]), each.get("arguments") or {}) for each in stored]


def parse(text: str) -> list[Assertion]:
    """One assertion for each line that is not empty. Raises `NotUnderstood`."""
    return parse_lines(text.splitlines())


def parse_lines(lines: Sequence[str]) -> list[Assertion]:
    """As `parse`, from lines that were taken apart already."""
    found, problems = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(_parsed(line.strip()))
        except ValueError as error:
            problems.append(f"Line {number}: {error}")
    if len(found) > MOST:
        problems.append(f"Write at most {MOST} lines.")
    if problems:
        raise NotUnderstood(problems)
    return found


def _parsed(line: str) -> Assertion:
    if len(line) > LONGEST:
        raise ValueError(f"write at most {LONGEST} characters.")
    if len(line.splitlines()) > 1:
        raise ValueError("write it on one line.")
    kind, colon, wish = line.partition(":")
    kind, wish = " ".join(kind.casefold().split()), wish.strip()
    if not colon or kind not in KINDS:
        raise ValueError(f"begin with one of: {', '.join(f'{each}:' for each in KINDS)}")
    if not wish:
        raise ValueError(f"write something behind “{kind}:”.")
    match kind:
        case "tool called" | "tool never called":
            return _tool(kind, wish)
        case "says" | "never says":
            if (pattern := pattern_of(wish)) is not None:
                _checked(pattern)
        case "ended by":
            if wish.casefold() not in ENDERS:
                raise ValueError(f"write one of: {', '.join(ENDERS)}.")
            return Assertion(kind, wish.casefold())
        case "within":
            if not (told := _SECONDS.fullmatch(wish)):
                raise ValueError("write a number of seconds, as in “within: 120 seconds”.")
            return Assertion(kind, f"{int(told.group(1))} seconds")
        case "answers within":
            if not (told := _FINE_SECONDS.fullmatch(wish)) or not answer_ms(wish):
                raise ValueError("write a number of seconds, as in “answers within: 1.5 seconds”.")
            return Assertion(kind, f"{Decimal(told.group(1)).normalize():f} seconds")
        case "costs at most":
            return Assertion(kind, f"₹{money(wish)}")
    return Assertion(kind, wish)


def _tool(kind: str, wish: str) -> Assertion:
    told = _TOOL.fullmatch(wish)
    if told is None:
        raise ValueError('write the name of a tool, and perhaps arguments: book_slot {"day": "Tuesday"}.')
    if not told.group(2):
        return Assertion(kind, told.group(1))
    try:
        arguments = json.loads(told.group(2))
        is_kept = "\\u0000" not in json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode().decode()
    except (ValueError, RecursionError):  # nor can Postgres keep half a pair of surrogates, a number that is none, or NUL
        is_kept = False
    if not is_kept:
        raise ValueError('the arguments are no JSON; write them as {"day": "Tuesday"}.')
    for value in arguments.values():
        if isinstance(value, str) and (pattern := pattern_of(value)) is not None:
            _checked(pattern)
    return Assertion(kind, told.group(1), arguments)


def pattern_of(wish: str) -> str | None:
    """The regular expression between slashes; None if these are plain words."""
    return wish[1:-1] if len(wish) > 2 and wish.startswith("/") and wish.endswith("/") else None


def _checked(pattern: str) -> None:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"this is no regular expression: {error}.") from None


def seconds(wish: str) -> int:
    told = _SECONDS.fullmatch(wish.strip())
    return int(told.group(1)) if told else 0


def answer_ms(wish: str) -> int:
    told = _FINE_SECONDS.fullmatch(wish.strip())
    return int(Decimal(told.group(1)) * 1000) if told else 0


def money(wish: str) -> Decimal:
    """Raises `ValueError`."""
    told = _MONEY.fullmatch(wish.strip())
    try:
        return Decimal(told.group(1)) if told else Decimal("nonsense")
    except InvalidOperation:
        raise ValueError("write an amount in rupees, as in “costs at most: ₹5”.") from None


def written(assertions: Sequence[Assertion]) -> str:
    """As `parse` reads them."""
    return "\n".join(str(each) for each in assertions)
