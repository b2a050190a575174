"""Whether a rehearsed conversation shows what it must, and in which turns that is seen. Pure.

What only a reader can tell (`judged`) is asked of a language model elsewhere and comes in as its readings.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Final

from calls.rehearsing import assertions as told
from calls.rehearsing.assertions import Assertion
from calls.rehearsing.talk import AGENT, Line, Talk, ToolUse
from engine.events import EndReason
from engine.words import words_of

_ENDS: Final = {
    "agent": {EndReason.AGENT_GOODBYE, EndReason.SILENCE, EndReason.VOICEMAIL_DONE},
    "caller": {EndReason.CALLER_HANGUP},
    "transfer": {EndReason.TRANSFERRED},
    "limit": {EndReason.MAX_DURATION, EndReason.BUDGET},
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`turns` are the numbers of the turns in which it is seen; empty where there is nothing to be seen."""

    wish: str
    passed: bool
    why: str
    turns: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "turns": list(self.turns)}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a model that read the conversation says of one criterion."""

    holds: bool
    why: str
    turns: tuple[int, ...] = ()


def grade(
    wanted: Sequence[Assertion], talk: Talk, *, cost: Decimal | None, judgements: Mapping[str, Judgement] | None = None
) -> list[Verdict]:
    """One verdict for each assertion, in order. `cost` is in rupees, None where a price is not known."""
    return [_graded(each, talk, cost, judgements or {}) for each in wanted]


def _graded(wanted: Assertion, talk: Talk, cost: Decimal | None, judgements: Mapping[str, Judgement]) -> Verdict:
    wish = str(wanted)
    match wanted.kind:
        case told.TOOL_CALLED | told.TOOL_NEVER_CALLED:
            return _tool(wanted, talk)
        case told.SAYS | told.NEVER_SAYS:
            return _said(wanted, talk.by(AGENT))
        case told.ENDED_BY:
            reason = talk.reason.value if talk.reason else "nothing"
            return Verdict(wish, talk.reason in _ENDS[wanted.wish], f"it ended with {reason}", _last(talk))
        case told.WITHIN:
            lasted_s = talk.lasted_ms / 1000
            took = f"it took {lasted_s:.0f} s" if talk.is_spoken else f"it would have taken {lasted_s:.0f} s on the telephone"
            return Verdict(wish, lasted_s <= told.seconds(wanted.wish), took)
        case told.ANSWERS_WITHIN:
            return _answers(wanted, talk)
        case told.COSTS:
            if cost is None:
                return Verdict(wish, False, "nobody knows what it cost: a price or an exchange rate is missing")
            return Verdict(wish, cost <= told.money(wanted.wish), f"the agent's side cost ₹{cost:.4f}")
        case told.JUDGED:
            judgement = judgements.get(wanted.wish)
            if judgement is None:
                return Verdict(wish, False, "the model that was to judge it gave no judgement")
            return Verdict(wish, judgement.holds, judgement.why, judgement.turns)
    return Verdict(wish, False, "this release knows no such assertion")


def _tool(wanted: Assertion, talk: Talk) -> Verdict:
    named = [use for use in talk.tools if use.name == wanted.wish]
    fitting = [use for use in named if _fits(use, wanted.arguments)]
    turns = tuple(dict.fromkeys(use.turn for use in fitting if use.turn))
    if wanted.kind == told.TOOL_NEVER_CALLED:
        why = f"it was called {len(fitting)} times" if fitting else "it was not called"
        return Verdict(str(wanted), not fitting, why, turns)
    if fitting:
        return Verdict(str(wanted), True, f"called with {_short(fitting[0].arguments)}", turns)
    if named:
        seen = tuple(dict.fromkeys(use.turn for use in named if use.turn))
        return Verdict(str(wanted), False, f"it was called with {_short(named[0].arguments)} instead", seen)
    others = ", ".join(dict.fromkeys(use.name for use in talk.tools)) or "no tool at all"
    return Verdict(str(wanted), False, f"it was not called; the agent used {others}")


def _fits(use: ToolUse, arguments: Mapping[str, Any]) -> bool:
    return all(name in use.arguments and _same(value, use.arguments[name]) for name, value in arguments.items())


def _same(wanted: Any, given: Any) -> bool:
    if isinstance(wanted, str) and isinstance(given, str):
        pattern = told.pattern_of(wanted)
        if pattern is not None:
            return re.search(pattern, given, re.IGNORECASE) is not None
        return wanted.casefold().strip() == given.casefold().strip()
    return bool(wanted == given)


def _answers(wanted: Assertion, talk: Talk) -> Verdict:
    """The slowest counts: one long silence is what callers remember."""
    if not talk.is_spoken:
        return Verdict(str(wanted), False, "it is measured by voice only; rehearse it by voice")
    if not talk.answers:
        return Verdict(str(wanted), False, "the agent never answered")
    if talk.unanswered_ms > told.answer_ms(wanted.wish):
        return Verdict(str(wanted), False, f"the caller's last words had no answer for {talk.unanswered_ms / 1000:.1f} s", _last(talk))
    slowest_ms = max(wait_ms for _turn, wait_ms in talk.answers)
    late = tuple(turn for turn, wait_ms in talk.answers if wait_ms > told.answer_ms(wanted.wish))
    seen = late or tuple(turn for turn, wait_ms in talk.answers if wait_ms == slowest_ms)[:1]
    return Verdict(str(wanted), not late, f"its slowest answer began after {slowest_ms / 1000:.1f} s", seen)


def _said(wanted: Assertion, lines: Sequence[Line]) -> Verdict:
    found = [line for line in lines if is_said(wanted.wish, line.text)]
    turns = tuple(line.number for line in found)
    if wanted.kind == told.NEVER_SAYS:
        return Verdict(str(wanted), not found, f"said: “{_short(found[0].text)}”" if found else "it was not said", turns)
    return Verdict(str(wanted), bool(found), f"said: “{_short(found[0].text)}”" if found else "it was never said", turns)


def is_said(wish: str, text: str) -> bool:
    """Whether `text` holds these words, whatever their case and punctuation, or fits the expression between slashes."""
    pattern = told.pattern_of(wish)
    if pattern is not None:
        return re.search(pattern, text, re.IGNORECASE) is not None
    return f" {_plain(wish)} " in f" {_plain(text)} "


def _plain(text: str) -> str:
    return " ".join(words_of(text))


def _last(talk: Talk) -> tuple[int, ...]:
    return (talk.lines[-1].number,) if talk.lines else ()


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:159]}…"
