"""When the carrier is asked how a call stands. Pure: ages in, decisions out.

Exotel fills in duration, price and recording some minutes after the end, and its callbacks may never come; so it is asked, early at first
and then patiently, until nothing is missing or it is not worth asking any more.
"""

from datetime import timedelta
from typing import Final

# Seconds after the end: 10 s (whoever ended the call asked for that), 1 min, 5 min, then every 15 min.
LOOKS_S: Final = (10, 70, 370, 1270, 2170, 3070)
WHILE_RUNNING: Final = timedelta(minutes=5)
WHILE_RINGING: Final = timedelta(seconds=75)
RECORDING_COMES_WITHIN: Final = timedelta(minutes=20)  # Exotel says 15; a call without one must not stay unsettled for longer
FAILED_LOOK: Final = timedelta(seconds=60)
# A call that the carrier still calls unfinished this long after it began is the carrier's mistake; it cuts every call before.
LONGEST_CALL: Final = timedelta(hours=5)


def next_look(*, since_end: timedelta | None, since_start: timedelta, is_complete: bool, is_talking: bool = False) -> timedelta | None:
    """How long to wait before asking again; None: never again.

    `since_end` is None while the carrier says that the call is not over. `is_complete`: nothing is missing.
    """
    if since_end is None:
        if since_start >= LONGEST_CALL:
            return None
        return WHILE_RUNNING if is_talking else WHILE_RINGING
    if is_complete:
        return None
    age_s = since_end.total_seconds()
    # A look that comes a little early must not be followed by the same one again.
    due = next((look for look in LOOKS_S if look > age_s + 5), None)
    return timedelta(seconds=due - age_s) if due is not None else None
