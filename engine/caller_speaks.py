"""What becomes of the caller's words, sounds and keys: an interruption, a part of the turn, an answer in work. Pure; told the time."""

from engine import machine_speaks
from engine.barge_in import Verdict, judge, while_greeting
from engine.events import EndReason
from engine.floor import Floor, drop
from engine.interruption import Order
from engine.moves import Action, AnswerUser, PauseReply, PrepareAnswer, Prepared, ResumeReply, ShowUserWords
from engine.ports import EagerEndOfTurn, FinalTranscript, InterimTranscript, SpeechStarted, TranscriptEvent
from engine.turn_rules import Phase

_GREETING_WORDS = 3


def hear(floor: Floor, event: TranscriptEvent, now_ms: int) -> list[Action]:
    """Takes in what the recogniser heard, whoever has the floor."""
    if isinstance(event, SpeechStarted):
        floor.speech_started_ms = now_ms
        floor.silence.sound(now_ms)
    text = event.text.strip() if isinstance(event, InterimTranscript | FinalTranscript | EagerEndOfTurn) else ""
    if machine_speaks.is_machine(floor, text, now_ms):
        return machine_speaks.hear(floor, event, text, now_ms)
    actions: list[Action] = []
    if floor.phase is Phase.SPEAKING and floor.is_live:
        tuning = while_greeting(floor.tuning) if floor.saying is Prepared.FIRST_MESSAGE else floor.tuning
        verdict = judge(event, floor.agent.saying, tuning)
        actions += carry_out(floor, floor.interruption.hear(verdict, event, now_ms), now_ms)
        if floor.phase is Phase.SPEAKING and verdict in (Verdict.ACKNOWLEDGEMENT, Verdict.ECHO, Verdict.PERHAPS_ECHO):
            _set_aside(floor, event, verdict, now_ms)
            return actions
    elif floor.phase is Phase.THINKING and text and floor.is_live:
        floor.owes_greeting = floor.saying is Prepared.FIRST_MESSAGE
        if floor.is_answering:
            floor.user.patience.cut_off()
        actions.append(floor.stop_reply(by_caller=False))
        floor.listen(now_ms)
    elif floor.phase is Phase.LISTENING and text and floor.agent.is_late_echo(text, floor.speech_started_ms, now_ms):
        return []
    is_waiting = floor.phase is Phase.THINKING and not text
    if not is_waiting and floor.user.hear(event, now_ms):
        actions.append(ShowUserWords(floor.user.text))
    if text:
        floor.silence.life(now_ms)
        floor.unheard.words()
    if floor.phase is Phase.LISTENING and floor.is_live:
        actions += drop(floor.ahead.hear(event, floor.user.text, floor.user.asked, now_ms))
    return actions + answer_if_due(floor, now_ms)


def sound(floor: Floor, at_ms: int, now_ms: int) -> list[Action]:
    """Our own ear hears something. It means nothing yet, unless the recogniser is known to tell of speech late."""
    floor.unheard.sound(now_ms)
    floor.ahead.sound()
    return hear(floor, SpeechStarted(at_ms), now_ms) if floor.tuning.local_vad else []


def quiet(floor: Floor, lasted_ms: int, now_ms: int) -> list[Action]:
    """The sound is over: whoever spoke has at least paused."""
    floor.unheard.quiet(lasted_ms, now_ms)
    if floor.phase is not Phase.LISTENING or not floor.is_live:
        return []
    floor.ahead.quiet(floor.user.text, floor.user.asked, now_ms)
    return _prepare_if_due(floor, now_ms) if floor.user.due_ms is not None and now_ms < floor.user.due_ms else []


def press(floor: Floor, key: str, now_ms: int) -> list[Action]:
    """A key is said like a word, and as clearly meant."""
    floor.silence.life(now_ms)
    floor.unheard.words()
    if floor.keys is not None and floor.keys.press(key, now_ms, may_be_wanted=floor.may_want_keys):
        return []
    return _press(floor, key, now_ms)


def hand_keys_back(floor: Floor, now_ms: int) -> list[Action]:
    """The answer is written: what was pressed meanwhile is for nobody else."""
    floor.unwritten_id = 0
    kept = floor.keys.release() if floor.keys is not None and floor.phase in (Phase.THINKING, Phase.SPEAKING) else ()
    return [action for key in kept for action in _press(floor, key, now_ms)]


def _press(floor: Floor, key: str, now_ms: int) -> list[Action]:
    if not floor.is_live or floor.phase is Phase.MACHINE:
        return []
    actions = drop(floor.ahead.drop())
    is_thinking = floor.phase is Phase.THINKING
    if is_thinking or (floor.phase is Phase.SPEAKING and floor.tuning.keys_interrupt):
        actions.append(floor.stop_reply(by_caller=not is_thinking))
        floor.listen(now_ms)
    floor.user.press(key, now_ms)
    return [*actions, ShowUserWords(floor.user.text), *answer_if_due(floor, now_ms)]


def carry_out(floor: Floor, order: Order, now_ms: int) -> list[Action]:
    """What `interruption` ordered, as moves."""
    match order:
        case Order.PAUSE:
            return [PauseReply()]
        case Order.RESUME:
            return [ResumeReply()]
        case Order.STOP:
            if floor.saying is None and floor.agent.has_only_begun(now_ms):
                floor.user.patience.cut_off()
            stop = floor.stop_reply(by_caller=True)
            floor.listen(now_ms)
            return [stop]
        case Order.GO_ON:
            return []


def answer_if_due(floor: Floor, now_ms: int) -> list[Action]:
    """Answers the turn if it is over, or begins to where that is worth while."""
    due_ms = floor.user.due_ms
    if floor.phase is not Phase.LISTENING or due_ms is None:
        return []
    if now_ms < due_ms:
        return _prepare_if_due(floor, now_ms)
    floor.user.close()
    if not floor.is_live:
        return floor.commit(now_ms)
    if floor.closing.is_spent:
        return floor.close(EndReason.BUDGET, now_ms)
    text = floor.user.text
    floor.is_answering = True
    owes_greeting, floor.owes_greeting = floor.owes_greeting, False
    if owes_greeting and len(text.split()) <= _GREETING_WORDS:
        return floor.say(Prepared.FIRST_MESSAGE)
    if floor.ahead.take() is None:
        floor.reply_id += 1
    floor.saying, floor.phase, floor.unwritten_id = None, Phase.THINKING, floor.reply_id
    return [AnswerUser(floor.reply_id, text, floor.user.last_word_ms)]


def _prepare_if_due(floor: Floor, now_ms: int) -> list[Action]:
    if not floor.ahead.is_due(now_ms):
        return []
    # A short word is answered by the greeting, the last one by a goodbye: neither needs thought.
    if floor.owes_greeting or floor.closing.is_spent:
        return drop(floor.ahead.take())
    floor.reply_id += 1
    floor.ahead.prepare(floor.reply_id, floor.user.text)
    return [PrepareAnswer(floor.reply_id, floor.user.text)]


def _set_aside(floor: Floor, event: TranscriptEvent, verdict: Verdict, now_ms: int) -> None:
    """These words stop nobody. Those of the caller are kept for a moment: they may answer the question that is being asked."""
    floor.user.hear(InterimTranscript(""), now_ms)
    if verdict is not Verdict.ECHO and isinstance(event, FinalTranscript):
        floor.agent.set_aside(event, now_ms)
        floor.silence.life(now_ms)
