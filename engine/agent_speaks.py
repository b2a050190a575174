"""What becomes of the agent's own replies: heard from here on, heard to their end, failed, or the last one of the call. Pure."""

from engine.caller_speaks import answer_if_due
from engine.events import EndReason
from engine.floor import Floor
from engine.interruption import Interruption
from engine.moves import Action, Prepared, ReplyEnded, ResumeReply
from engine.spent import take_leave
from engine.turn_rules import Phase


def audio_started(floor: Floor, now_ms: int) -> list[Action]:
    """The reply in work became audible."""
    if floor.phase is Phase.THINKING:
        floor.phase = Phase.SPEAKING
    elif floor.phase is Phase.CLOSING:
        floor.closing.hear_out(now_ms)
    floor.agent.begin(now_ms)
    return floor.commit(now_ms) if floor.is_answering else []


def sentence_started(floor: Floor, text: str) -> list[Action]:
    """It says `text` from now on."""
    floor.agent.say(text)
    floor.user.asked = text
    return []


def reply_ended(floor: Floor, event: ReplyEnded, now_ms: int) -> list[Action]:
    """It was heard to its end, or failed."""
    committed = floor.commit(now_ms) if floor.is_answering else []
    if floor.phase is Phase.CLOSING:
        following = floor.closing.next_words(floor.saying, is_silent=event.failed and not event.spoke)
        if following is Prepared.REGRET:
            floor.begin_closing(floor.closing.reason, now_ms, floor.tuning.parting_ms)
        return committed + (floor.say(following) if following else floor.end(floor.closing.reason))
    if floor.phase not in (Phase.THINKING, Phase.SPEAKING):
        return committed
    said, floor.saying = floor.saying, None
    early_answer = floor.agent.end(now_ms)
    floor.interruption = Interruption(floor.tuning)
    floor.listen(now_ms, after_farewell=said is None and floor.agent.takes_leave)
    if event.failed and not floor.closing.is_spent:
        if not event.spoke:
            return committed + _after_failure(floor, said, now_ms, is_down=event.is_down)
        if event.is_awaited and said is None and early_answer is None and not floor.agent.takes_leave:
            return committed + floor.say(Prepared.APOLOGY)
    if said is None and not event.failed:
        floor.failed_turns = 0
        floor.user.patience.heard_out()
    if early_answer is not None:
        floor.user.hear(early_answer, now_ms)
    return committed + (take_leave(floor, now_ms) if floor.closing.is_spent else answer_if_due(floor, now_ms))


def goodbye_decided(floor: Floor, reason: EndReason, now_ms: int) -> list[Action]:
    """The reply in work is the last: nothing interrupts it any more."""
    if floor.phase is Phase.CLOSING and floor.saying is Prepared.HANDOVER:
        floor.closing.reason = reason
    if floor.phase not in (Phase.THINKING, Phase.SPEAKING):
        return []
    resumed: list[Action] = [ResumeReply()] if floor.interruption.is_paused else []
    floor.interruption = Interruption(floor.tuning)
    floor.begin_closing(reason, now_ms)
    return resumed


def turn_deaf(floor: Floor, now_ms: int) -> list[Action]:
    """Nobody can be heard any more: what is being said is said to its end, then the regret, then a person or a goodbye."""
    if floor.phase not in (Phase.THINKING, Phase.SPEAKING) or not floor.is_live:
        return floor.give_up(now_ms)
    floor.closing.owe_regret()
    return goodbye_decided(floor, EndReason.PROVIDER_FAILED, now_ms)


def _after_failure(floor: Floor, said: Prepared | None, now_ms: int, *, is_down: bool) -> list[Action]:
    if said is Prepared.APOLOGY and not floor.rules.has_handover:
        return floor.end(EndReason.PROVIDER_FAILED)  # not even the apology can be said
    floor.failed_turns += 1
    if is_down or said is Prepared.APOLOGY:
        return floor.give_up(now_ms)
    if floor.failed_turns >= floor.tuning.max_failed_turns:
        return floor.close(EndReason.PROVIDER_FAILED, now_ms)
    return floor.say(Prepared.APOLOGY)
