"""What leaves the list for a spreadsheet: one line a call, read some thousand at a time. Nothing here writes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from calls import wording
from calls.listing.finding import Wish, every
from calls.listing.sheets import Cell
from calls.models import CallLog

AT_ONCE: Final = 2000
PATIENCE_MS: Final = 60_000  # nobody waits for a page here

_READ: Final = (
    "session_id", "session__session_id", "created_at", "agent__name", "session__agent_version__number", "direction", "from_phone",
    "to_phone", "status", "outcome", "answered_at", "ended_at", "talk_s", "ended_by", "session__end_reason", "confirmation", "failure",
    "latency_ms", "cost", "unpriced", "is_test",
)  # fmt: skip


def head() -> list[str]:
    """In the reader's language. What stands below it is the same for everybody: programs read it too."""
    return [
        _("Call"), _("Began"), _("Agent"), _("Version"), _("Direction"), _("From"), _("To"), _("Status"), _("Outcome"), _("Answered"),
        _("Ended"), _("Seconds"), _("Ended by"), pgettext("of a call", "End"), _("Confirmation"), _("Failure"), _("Turn latency ms"),
        _("Cost %(currency)s") % {"currency": settings.BILLING_CURRENCY}, _("Unpriced charges"), _("Test"),
    ]  # fmt: skip


def let_go() -> None:
    """Gives the connection back. Whoever downloads may take their time: the pool's few are for those who wait for a page."""
    if not connection.in_atomic_block:
        connection.close()


@dataclass(slots=True)
class Lines:
    """The lines of an export; `count` says how many were given out by now. Numbers are masked unless `with_numbers`.

    Memory is the same for any number of calls, and no combination of filters is too broad.
    """

    wish: Wish
    with_numbers: bool
    count: int = 0

    def batches(self) -> Iterator[list[list[Cell]]]:
        for pks in every(self.wish, at_once=AT_ONCE, patience_ms=PATIENCE_MS):
            rows = {row[0]: row for row in CallLog.objects.filter(session_id__in=pks).values_list(*_READ)}
            lines = [self._line(rows[pk]) for pk in pks if pk in rows]
            self.count += len(lines)
            let_go()
            yield lines

    def _line(self, row: tuple[Any, ...]) -> list[Cell]:
        cells: list[Any] = list(row[1:])
        for place in (1, 9, 10):
            cells[place] = timezone.localtime(cells[place]).replace(microsecond=0) if cells[place] else None
        for place in (5, 6):
            cells[place] = cells[place] if self.with_numbers else wording.mask_number(cells[place])
        end = cells[13]
        with translation.override(settings.LANGUAGE_CODE):
            cells[13] = wording.ended_words(cells[12], end) if cells[12] or end else ""
        return cells
