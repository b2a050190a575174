"""What a language model that works behind the calls gives back, whoever it is: one whole answer, in the JSON that was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from engine.ports import Message
from engine.usage import UsageRecord


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer. `text` is what the model wrote: asked for JSON, but nobody has checked it. `is_cut`: it hit the token limit."""

    request_id: str
    text: str
    is_cut: bool
    usage: tuple[UsageRecord, ...]


class Completer(Protocol):
    provider: str
    model: str

    def complete(self, messages: Sequence[Message], schema: dict[str, Any]) -> Completion:
        """One answer in the shape of the JSON Schema. Blocks; raises `ProviderError`. Nothing is retried here: a job decides that."""
