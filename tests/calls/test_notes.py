"""What a notebook asks to have written: a row that was lost takes nothing with it."""

from calls import commands
from calls.conductor.line import Line
from calls.conductor.notes import Notebook, _write_usage
from calls.conductor.resuming import Before
from calls.models import Session
from engine.events import UsageRecorded
from engine.usage import Unit, UsageKind, UsageRecord


class Queue:
    """A writer whose every row is lost."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def add_to(self, what: str, together: object, part: object) -> None:
        self.asked.append(together)

    def add(self, what: str, write: object) -> None:
        self.asked.append(what)


class Tab:
    def put(self, record: UsageRecord) -> None:
        pass


def test_uses_are_asked_for_again_after_their_row_was_lost():
    queue = Queue()
    book = Notebook(Session(session_id="sess_1"), queue, None, None, Before(), Tab(), Line(None))  # type: ignore[arg-type]  # only what is used here
    for number in range(45):
        book.take(UsageRecorded(UsageRecord(UsageKind.LLM, "acme", "mind", Unit.OUTPUT_TOKENS, 1, f"r-{number}"), 0))
    assert queue.asked.count(_write_usage) == 3  # the first, the twentieth and the fortieth
    book.line_ended()
    assert queue.asked[-2:] == [_write_usage, commands.record_talk]
    assert len(book.used()[1]) == 45
