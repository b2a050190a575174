"""The money for this call is used up: what is being said is said to its end, then a goodbye, and no turn after it. Pure; told the time.

How much a call may cost, and what it has cost, is somebody else's business.
"""

from engine.events import EndReason
from engine.floor import Floor, drop
from engine.moves import Action
from engine.turn_rules import Phase


def budget_spent(floor: Floor, now_ms: int) -> list[Action]:
    """Told once or often. A machine, or a talk in which nobody answers, gets no goodbye."""
    if floor.phase is Phase.CLOSING or floor.closing.is_spent:
        return []
    if floor.phase is Phase.MACHINE or not floor.is_live:
        return floor.end(EndReason.BUDGET)
    floor.closing.spend_out(now_ms)
    return take_leave(floor, now_ms)


def take_leave(floor: Floor, now_ms: int) -> list[Action]:
    """The goodbye, unless somebody is in the middle of a turn: the caller's is answered by it, the agent's followed."""
    if floor.phase is not Phase.LISTENING:
        return []
    if floor.user.due_ms is not None:
        return drop(floor.ahead.take())  # nobody will need an answer
    return floor.close(EndReason.BUDGET, now_ms)
