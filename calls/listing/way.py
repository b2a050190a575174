"""How far to walk along the calls before what is rare is gathered (`calls.listing.finding`).

Both read rows from all over the disk, and one of them reads far fewer: of words that every tenth call has, a page of the list is full after
some hundred calls; what one call in a hundred thousand has is gathered before a walk would have met the first. Counted is in pages of the
table: gathered calls lie on a page each, walked ones on fewer the more of all calls they are.
"""

from typing import Final

# What is found without a search for words is walked to so far; whatever one call in five hundred has fills a page.
WALKED: Final = 20_000
# Nobody is made to walk further: from here on everything rare is gathered, whatever the guesses were.
FURTHEST: Final = 60_000
# So many calls that follow each other share a page of the table of words.
_NEIGHBOURS: Final = 7
# Guesses are rough: half as much again is walked.
_MARGIN: Final = 1.5


def walk(*, wanted: int, found: int, gathered: int, among: int, everything: int) -> int:
    """How many calls to walk along before gathering; 0: gather at once. All but `wanted` are Postgres' guesses.

    `found`: calls that are looked for. `gathered`: those whose words fit, whatever else was asked for. `among`: those that a walk goes
    along. `everything`: all calls.
    """
    needed = wanted * max(among, 1) / max(found, 1)
    page_each = 1 - (1 - 1 / _NEIGHBOURS) * min(1.0, among / max(everything, 1))
    if needed > FURTHEST or needed * page_each >= max(gathered, 1):
        return 0
    return min(FURTHEST, max(WALKED, int(needed * _MARGIN)))
