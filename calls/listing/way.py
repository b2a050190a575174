"""How far to walk along the calls before what is rare is gathered (`calls.listing.finding`).

Of words that every tenth call has, a page of the list is full after some hundred calls; what one call in a hundred thousand has is gathered
before a walk would have met the first. What counts is how many pages of the table are read that nobody has read just before: gathered calls
lie on a page each, all over the disk, while a walk along all calls begins with the newest, which share pages and are in memory.
"""

from typing import Final

# Whatever at least one call in five hundred has fills a page on the way.
WALKED: Final = 20_000
# Nobody is made to walk further (30 ms when the newest calls are in memory): from here on everything rare is gathered.
FURTHEST: Final = 60_000
# What a call costs on a walk along all of them, where a gathered one costs 1.
_BESIDE_EACH_OTHER: Final = 0.02
# Postgres knows how often the commonest thousand words are said; of all others it makes one guess.
_MARGIN: Final = 4


def walk(*, wanted: int, found: int, gathered: int, among: int, everything: int, by_time: bool = True) -> int:
    """How many calls to walk along before gathering; 0: gather at once. All but `wanted` are Postgres' guesses.

    `found`: calls that are looked for. `gathered`: those whose words fit, whatever else was asked for. `among`: those that a walk goes
    along. `everything`: all calls. `by_time`: in the order in which they were written; calls in any other lie all over the disk.
    """
    needed = wanted * max(among, 1) / max(found, 1)
    each = 1 - (1 - _BESIDE_EACH_OTHER) * min(1.0, among / max(everything, 1)) if by_time else 1
    furthest = FURTHEST if by_time else WALKED
    if needed > furthest or needed * each >= max(gathered, 1):
        return 0
    return WALKED if needed * _MARGIN <= WALKED else furthest
