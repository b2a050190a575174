"""An answering machine took the call that we placed: what it says is kept, and answered by our message or by nothing. Pure."""

from engine.events import EndReason
from engine.floor import Floor
from engine.moves import Action, Prepared, ShowUserWords
from engine.ports import TranscriptEvent
from engine.turn_rules import Phase


def is_machine(floor: Floor, text: str, now_ms: int) -> bool:
    """Whether the far side is known for a machine, with `text` now."""
    if floor.phase is Phase.MACHINE or not text or floor.phase is Phase.CLOSING:
        return floor.phase is Phase.MACHINE
    return floor.voicemail.hears_machine(f"{floor.user.text} {text}", now_ms)


def hear(floor: Floor, event: TranscriptEvent, text: str, now_ms: int) -> list[Action]:
    """It is known to be a machine, and goes on."""
    actions = floor.stop_everything() if floor.phase is not Phase.MACHINE else []
    if text or floor.phase is not Phase.MACHINE:
        floor.voicemail.keep_waiting(now_ms)
    floor.phase = Phase.MACHINE
    if floor.user.hear(event, now_ms):
        actions.append(ShowUserWords(floor.user.text))
    return actions if floor.voicemail.leaves_message else actions + floor.end(EndReason.VOICEMAIL_DETECTED)


def hear_tone(floor: Floor, now_ms: int) -> list[Action]:
    """A long tone: it is ready to record, if it is a machine."""
    is_ready = floor.phase is Phase.MACHINE or (floor.phase is not Phase.CLOSING and floor.voicemail.hears_tone(now_ms))
    if not is_ready:
        return []
    return [*floor.stop_everything(), *leave_message(floor, now_ms)]


def leave_message(floor: Floor, now_ms: int) -> list[Action]:
    """The moment to speak has come."""
    if not floor.voicemail.leaves_message:
        return floor.end(EndReason.VOICEMAIL_DETECTED)
    committed = floor.commit(now_ms)
    floor.begin_closing(EndReason.VOICEMAIL_DETECTED, now_ms)
    return committed + floor.say(Prepared.VOICEMAIL_MESSAGE)
