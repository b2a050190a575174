"""Whatever the order, the copies and the gaps: one end. Through the inbox and the real database, each story taken back afterwards."""

import itertools
import os
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context

from django.db import connection, connections, transaction

from torture.ground import Ground
from torture.scale import Scale
from torture.stories import PIECES, End, tell
from torture.tale import Row, told

CLEAN = tuple(range(len(PIECES)))
SEED = 20261122
_CHUNK = 40


class _TakenBack(Exception):
    """Ends a story's transaction."""


def run(ground: Ground, scale: Scale) -> list[Row]:
    orders = list(itertools.permutations(CLEAN))
    chance = random.Random(SEED)
    mixed = [interleaving(chance) for _ in range(scale.through_database)]
    if scale.orders < len(orders):
        orders = chance.sample(orders, scale.orders)
    told_first = f"all {len(orders)} orders" if len(orders) == 720 else f"{len(orders)} orders"
    return [
        told(_compare(f"{told_first} of a call's {len(PIECES)} carrier events", orders)),
        told(_compare("random interleavings with drops, copies and delays, to the charges", mixed)),
        told(_folded(scale.interleavings, chance)),
    ]


def _folded(count: int, chance: random.Random) -> Row:
    """The same without a database, so that there may be many: events as a heap, heard at any time, and how the call stands then."""
    row = Row("random interleavings of the carrier's stories, how the call stands")
    try:
        stories, timeline = import_module("tests.calls.carrier_stories"), import_module("calls.timeline")
    except ModuleNotFoundError:
        row.remarks = "not tried: this release has no fold of events"
        return row
    row.trials = count
    for number in range(count):
        story = stories.STORIES[number % len(stories.STORIES)]
        heard = stories.interleaving(story, chance)
        if wrong := stories.is_right(story, timeline.fold(stories.events_of(story, heard, chance)), told=heard):
            row.lost += 1
            row.details.append(f"{story.name}: {wrong}"[:400])
    return row


def interleaving(chance: random.Random) -> tuple[int, ...]:
    """Each piece is lost, or comes up to three times; then all are shuffled."""
    pieces = [number for number in CLEAN for _ in range(chance.choice((0, 1, 1, 1, 2, 3)))]
    chance.shuffle(pieces)
    return tuple(pieces)


def _compare(fault: str, orders: Sequence[tuple[int, ...]]) -> Row:
    row = Row(fault, trials=len(orders))
    clean = ends([CLEAN])[0]
    connections.close_all()
    connection.close_pool()  # type: ignore[attr-defined]  # Postgres' own: its threads do not live on in a forked process
    chunks = [orders[at : at + _CHUNK] for at in range(0, len(orders), _CHUNK)]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("fork")) as processes:
        for place, (chunk, found) in enumerate(zip(chunks, processes.map(ends, chunks), strict=True), 1):
            if place % 25 == 0:
                print(f"  {place * _CHUNK:,} of {len(orders):,}", flush=True)
            for order, end in zip(chunk, found, strict=True):
                if end != clean:
                    row.lost += 1
                    row.details.append(f"{order} ends as {end} instead of {clean}"[:400])
    row.remarks = "the same state, usage and charges as told once in order" if not row.lost else ""
    return row


def ends(orders: Sequence[tuple[int, ...]]) -> list[End]:
    """How each story ends; nothing of them remains."""
    found = []
    for order in orders:
        try:
            with transaction.atomic():
                found.append(tell(order))
                raise _TakenBack
        except _TakenBack:
            pass
    return found
