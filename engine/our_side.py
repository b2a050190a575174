"""What somebody on our side wants of a talk that is going on: a word to the agent, or a person for the caller. Pure; told the time.

Who may want that, and whom the caller gets, is somebody else's business.
"""

from engine.events import EndReason
from engine.floor import Floor, drop
from engine.moves import Action, Prepared, TakeNote
from engine.turn_rules import Phase


def take_note(floor: Floor, text: str) -> list[Action]:
    """An answer that was begun ahead does not know it and is begun anew; one that is being given is not taken back."""
    return [*drop(floor.ahead.drop()), TakeNote(text)]


def hand_over(floor: Floor, words: str, now_ms: int) -> list[Action]:
    """Stops the agent, says `words`, and leaves the line to whoever gets the caller. A goodbye in work is heard to its end instead.

    A machine, or a talk in which nobody answers, is told nothing.
    """
    if floor.phase is Phase.CLOSING:
        floor.closing.reason = EndReason.TRANSFERRED
        return []
    if floor.phase is Phase.MACHINE or not floor.is_live or not words:
        return floor.end(EndReason.TRANSFERRED)
    stopped, committed = floor.stop_everything(), floor.commit(now_ms)
    floor.begin_closing(EndReason.TRANSFERRED, now_ms)
    return [*stopped, *committed, *floor.say(Prepared.TRANSFER, words)]
