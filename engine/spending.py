"""What one reply used, told once and under the right heading: an answer that nobody heard is paid too, but must never look like one
that was heard.

A stream that is left early never tells its quantities. Those are estimated here and marked, since silently nothing would be a lie.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from engine.ports import Message
from engine.usage import Unit, UsageKind, UsageRecord

SPECULATIVE = "speculative"
INTERRUPTED = "interrupted"
FAILED = "failed"

_ASCII_PER_TOKEN = 4.0
_OTHERS_PER_TOKEN = 1.6  # Indian scripts: one token for one or two characters
_TOKENS_PER_MESSAGE = 4


class Spending:
    """One reply's usage. A draft's is kept back until it is known whether the draft was wanted."""

    def __init__(self, emit: Callable[[UsageRecord], None], *, is_draft: bool) -> None:
        self._emit = emit
        self._kept: list[UsageRecord] | None = [] if is_draft else None

    def use(self, records: Iterable[UsageRecord]) -> None:
        for record in records:
            if self._kept is None:
                self._emit(record)
            else:
                self._kept.append(record)

    def settle(self, purpose: str = "") -> None:
        """The draft is decided on: wanted (""), or wasted. Nothing happens for what was no draft."""
        kept, self._kept = self._kept or [], None
        for record in kept:
            self._emit(replace(record, purpose=purpose or record.purpose))


def tokens_in(text: str) -> int:
    """About how many tokens `text` is; at least one for any text. Right to a quarter for English, a third for Indian scripts."""
    plain = sum(character.isascii() for character in text)
    return max(1 if text else 0, round(plain / _ASCII_PER_TOKEN + (len(text) - plain) / _OTHERS_PER_TOKEN))


def estimate(
    provider: str, model: str, asked: Sequence[Message], written: str, evidence: str, purpose: str = INTERRUPTED
) -> tuple[UsageRecord, ...]:
    """What a model stream that was left early, or that broke off, probably cost; marked by `purpose`."""
    given = sum(tokens_in(message.content) + _TOKENS_PER_MESSAGE for message in asked)
    quantities = ((Unit.INPUT_TOKENS, given), (Unit.OUTPUT_TOKENS, tokens_in(written)))
    return tuple(
        UsageRecord(UsageKind.LLM, provider, model, unit, quantity, evidence, purpose) for unit, quantity in quantities if quantity
    )
