"""When the carrier is asked how a call stands. Pure: ages in, decisions out.

Exotel fills in duration, price and recording some minutes after the end, and its callbacks may never come. Three looks are the rule: one
just behind the end, one when its figures are usually there, one within ten minutes whatever happened. What is missing then is rare, and is
asked for together with others in one request.
"""

from datetime import timedelta
from typing import Final

# Seconds after the end: 10 s (whoever ended the call asked for that), 2½ min, 7 min; then the stragglers'.
RULE_S: Final = (10, 150, 420)
LOOKS_S: Final = (*RULE_S, 1080, 2100, 3070)
WHILE_RUNNING: Final = timedelta(minutes=5)
WHILE_RINGING: Final = timedelta(seconds=75)
RECORDING_COMES_WITHIN: Final = timedelta(minutes=20)  # Exotel says 15; a call without one must not stay unsettled for longer
FAILED_LOOK: Final = timedelta(seconds=60)
# A call that the carrier still calls unfinished this long after it began is the carrier's mistake; it cuts every call before.
LONGEST_CALL: Final = timedelta(hours=5)


def next_look(
    *, since_end: timedelta | None, since_start: timedelta, is_complete: bool, since_talk: timedelta | None = None
) -> timedelta | None:
    """How long to wait before asking again; None: never again.

    `since_end` is None while the carrier says that the call is not over. `is_complete`: nothing is missing. `since_talk`: how long ago our
    own part in the call ended (it goes on with the person it was handed over to); None if it had none.
    """
    if since_end is None:
        if since_start >= LONGEST_CALL:
            return None
        return WHILE_RINGING if since_talk is None else min(max(since_talk, WHILE_RINGING), WHILE_RUNNING)
    if is_complete:
        return None
    age_s = since_end.total_seconds()
    # A look that comes a little early must not be followed by the same one again.
    due = next((look for look in LOOKS_S if look > age_s + 5), None)
    return timedelta(seconds=due - age_s) if due is not None else None
