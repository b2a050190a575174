"""What can be said of a call in one word each: its status, its agent, about how long it was. One index knows the calls of every word.

Two conditions that many calls fulfil and few fulfil together (busy, and longer than a minute) have no order to be walked along, and an
index for each pair is out of the question. Postgres cuts the lists of words with each other (GIN), however many calls there are, and reads
no row for it. What is exact is decided on the rows that are left: words narrow, they never decide.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

TALK_S: Final = (10, 30, 60, 120, 300, 600, 1200, 1800, 3600)
COST: Final = (1, 2, 5, 10, 20, 40, 80, 160, 320)


def _bucket(column: str, edges: Sequence[int]) -> str:
    return f"width_bucket({column}, ARRAY[{', '.join(str(edge) for edge in edges)}]::numeric[])"


def expression(row: str = "") -> str:
    """The words of a call in SQL. Whoever asks must write exactly what the index has: another word for it, and the index is not used.

    Changed, it needs a new index: `CALL_INDEXES`, and a migration.
    """
    return (
        f"ARRAY['o' || {row}owner_id::text, 'a' || {row}agent_id::text, 's' || {row}status, 'd' || {row}direction, 'r' || {row}outcome, "
        f"'e' || {row}ended_by, 'c' || {row}confirmation, 't' || {row}is_test::text, 'y' || ({row}answered_at IS NOT NULL)::text, "
        f"'l' || {_bucket(f'{row}talk_s::numeric', TALK_S)}::text, 'p' || {_bucket(f'{row}cost', COST)}::text]"
    )


def buckets(letter: str, edges: Sequence[int], least: int | Decimal | None, most: int | Decimal | None) -> list[str]:
    """The words for everything between the two, both included. Wider than asked for at both ends."""
    first = sum(edge <= least for edge in edges) if least is not None else 0
    last = sum(edge <= most for edge in edges) if most is not None else len(edges)
    return [f"{letter}{number}" for number in range(first, last + 1)]


def word(letter: str, value: Any) -> str:
    return f"{letter}{str(value).lower() if isinstance(value, bool) else value}"
