"""The columns of the list of calls: which there are, which are shown, and by which it can be sorted. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy

from calls.listing.finding import Order

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, slots=True)
class Column:
    """`first` and `then`: how the list is sorted when the heading is clicked once and again; None where no index allows it."""

    name: str
    title: "StrOrPromise"
    is_number: bool = False
    first: Order | None = None
    then: Order | None = None
    explained: "StrOrPromise" = ""


COLUMNS: Final = {
    column.name: column
    for column in (
        Column("when", gettext_lazy("When"), first=Order.NEWEST, then=Order.OLDEST),
        Column("agent", gettext_lazy("Agent")),
        Column("version", gettext_lazy("Version"), is_number=True),
        Column("caller", gettext_lazy("Caller")),
        Column("exophone", gettext_lazy("Exophone")),
        Column("direction", gettext_lazy("Direction")),
        Column("status", gettext_lazy("Status")),
        Column("confirmation", gettext_lazy("Confirmed")),
        Column("outcome", gettext_lazy("Outcome")),
        Column("duration", gettext_lazy("Duration"), is_number=True, first=Order.LONGEST, then=Order.SHORTEST),
        Column(
            "latency",
            gettext_lazy("Turn latency"),
            is_number=True,
            first=Order.SLOWEST,
            then=Order.FASTEST,
            explained=gettext_lazy("Median over the call's turns: the caller's last word to the agent's first audio"),
        ),
        Column("cost", gettext_lazy("Cost"), is_number=True, first=Order.COSTLIEST, then=Order.CHEAPEST),
    )
}
USUAL: Final = ("when", "agent", "caller", "direction", "status", "outcome", "duration", "latency", "cost")
ALWAYS: Final = "when"  # carries the link to the call on narrow screens, and a list without time is none


def chosen(names: Iterable[str]) -> list[str]:
    """Those of `names` that are columns, in the list's order, with the one that is always there; the usual ones if that is all."""
    wanted = {name for name in names if name in COLUMNS} | {ALWAYS}
    return [name for name in COLUMNS if name in wanted] if len(wanted) > 1 else list(USUAL)


@dataclass(frozen=True, slots=True)
class Heading:
    """One column's head. `order`: what a click sorts by; `sorted` is for aria-sort, empty if the list is sorted by something else."""

    column: Column
    order: Order | None
    sorted: str


def headings(names: Iterable[str], order: Order) -> list[Heading]:
    found = []
    for name in names:
        column = COLUMNS[name]
        direction = ("descending" if order.is_descending else "ascending") if order in (column.first, column.then) else ""
        found.append(Heading(column, column.then if order == column.first else column.first, direction))
    return found
