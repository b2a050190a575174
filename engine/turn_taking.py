"""Whose turn is it? THE state machine of a conversation: facts and the time go in, orders come out.

It never waits, never reads a clock and never touches audio. Whoever runs it feeds it `TimePassed` when `deadline_ms` has come. The rules
stand in the files it asks: `caller_speaks`, `agent_speaks`, `machine_speaks`; what they share is the `Floor`.
"""

from engine import agent_speaks, caller_speaks, machine_speaks, our_side, spent
from engine.events import EndReason
from engine.floor import Floor
from engine.moves import (
    Action,
    AgentAudioStarted,
    AnswerWritten,
    CallerLeft,
    EndRequested,
    GoodbyeDecided,
    HandOverRequested,
    Heard,
    HearingLost,
    HearingStumbled,
    NoteGiven,
    Prepared,
    ReplyEnded,
    SentenceStarted,
    SessionOpened,
    SoundBegan,
    SoundEnded,
    TimePassed,
    ToneHeard,
)
from engine.ports import DtmfPressed, FinalTranscript, TranscriptEvent
from engine.pressed_keys import PressedKeys
from engine.tuning import Tuning
from engine.turn_rules import Phase, TurnRules

__all__ = ["Phase", "TurnRules", "TurnTaking"]


class TurnTaking:
    """One conversation's turns."""

    def __init__(self, rules: TurnRules, tuning: Tuning, keys: PressedKeys | None = None) -> None:
        """`keys`: of an agent that may ask for keys. What is pressed may then be meant for an entry, and is none of the talk's business."""
        self._floor = Floor(rules, tuning, keys)

    @property
    def phase(self) -> Phase:
        return self._floor.phase

    def feed(self, event: Heard, now_ms: int) -> list[Action]:
        """Takes in one fact and says what to do, in order. Never raises for a late or repeated fact."""
        floor = self._floor
        if floor.phase is Phase.ENDED:
            if isinstance(event, FinalTranscript):
                floor.user.hear(event, now_ms)
            return []
        if isinstance(event, TranscriptEvent):
            return caller_speaks.hear(floor, event, now_ms)
        if isinstance(event, AgentAudioStarted | SentenceStarted | AnswerWritten | ReplyEnded | GoodbyeDecided):
            return self._reply_tells(event, now_ms) if event.reply_id == floor.reply_id else []
        match event:
            case TimePassed():
                return self._time_passed(now_ms)
            case DtmfPressed(digit=digit):
                return caller_speaks.press(floor, digit, now_ms)
            case CallerLeft(reason=reason):
                return self._caller_left(reason)
            case EndRequested(reason=EndReason.BUDGET):
                return spent.budget_spent(floor, now_ms)
            case EndRequested(reason=reason):
                return floor.close(reason, now_ms)
            case NoteGiven(text=text):
                return our_side.take_note(floor, text)
            case HandOverRequested(words=words):
                return our_side.hand_over(floor, words, now_ms)
            case HearingStumbled():
                floor.unheard.doubt()
                return []
            case HearingLost():
                return agent_speaks.turn_deaf(floor, now_ms)
            case SoundBegan(at_ms=at_ms):
                return caller_speaks.sound(floor, at_ms, now_ms)
            case SoundEnded(lasted_ms=lasted_ms):
                return caller_speaks.quiet(floor, lasted_ms, now_ms)
            case ToneHeard():
                return machine_speaks.hear_tone(floor, now_ms)
            case SessionOpened():
                floor.silence.begin(now_ms)
                greets = floor.rules.has_first_message and floor.phase is Phase.LISTENING
                return floor.say(Prepared.FIRST_MESSAGE) if greets else []

    def deadline_ms(self) -> int | None:
        """When to feed `TimePassed` if nothing else happens before."""
        floor = self._floor
        dues: list[int | None] = [floor.closing.limit_ms]
        match floor.phase:
            case Phase.ENDED:
                return None
            case Phase.CLOSING:
                dues = [floor.closing.due_ms]
            case Phase.MACHINE:
                dues += [floor.voicemail.due_ms]
            case Phase.SPEAKING:
                dues += [floor.interruption.due_ms]
            case Phase.LISTENING if floor.user.due_ms is None:
                dues += [floor.silence.due_ms, floor.unheard.due_ms, floor.closing.warning_due_ms]
            case Phase.LISTENING:
                dues += [floor.user.due_ms, floor.ahead.due_ms]
        return min(due_ms for due_ms in dues if due_ms is not None)

    def awaits_tone(self, now_ms: int) -> bool:
        """Whether a machine's tone would mean anything now."""
        return self._floor.phase is Phase.MACHINE or self._floor.voicemail.is_watching(now_ms)

    def last_words(self, now_ms: int) -> list[Action]:
        """What the caller said and nobody answered, once the session has ended."""
        return self._floor.commit(now_ms)

    def _reply_tells(
        self, event: AgentAudioStarted | SentenceStarted | AnswerWritten | ReplyEnded | GoodbyeDecided, now_ms: int
    ) -> list[Action]:
        match event:
            case AgentAudioStarted():
                return agent_speaks.audio_started(self._floor, now_ms)
            case SentenceStarted(text=text):
                return agent_speaks.sentence_started(self._floor, text)
            case AnswerWritten():
                return caller_speaks.hand_keys_back(self._floor, now_ms)
            case ReplyEnded():
                return agent_speaks.reply_ended(self._floor, event, now_ms)
            case GoodbyeDecided(reason=reason):
                return agent_speaks.goodbye_decided(self._floor, reason, now_ms)

    def _time_passed(self, now_ms: int) -> list[Action]:
        floor, deadline_ms = self._floor, self.deadline_ms()
        if deadline_ms is None or now_ms < deadline_ms:
            return []
        if floor.phase is Phase.CLOSING:
            return floor.end(floor.closing.reason)
        if now_ms >= floor.closing.limit_ms:
            return floor.close(floor.closing.limit_reason, now_ms)
        if floor.phase is Phase.MACHINE:
            return machine_speaks.leave_message(floor, now_ms)
        if floor.phase is Phase.SPEAKING:
            return caller_speaks.carry_out(floor, floor.interruption.look(now_ms), now_ms)
        if floor.user.due_ms is not None:
            return caller_speaks.answer_if_due(floor, now_ms)
        return self._after_silence(now_ms)

    def _after_silence(self, now_ms: int) -> list[Action]:
        floor = self._floor
        if not floor.is_live:
            return floor.end(EndReason.VOICEMAIL_DONE)
        if floor.closing.is_spent:
            return spent.take_leave(floor, now_ms)
        if floor.closing.warn(now_ms):
            return floor.say(Prepared.TIME_WARNING)
        if floor.unheard.ask(now_ms):
            return floor.say(Prepared.NOT_CAUGHT)
        if now_ms < floor.silence.due_ms:
            return []
        if floor.silence.is_over:
            return floor.end(EndReason.AGENT_GOODBYE)
        return floor.say(Prepared.STILL_THERE) if floor.silence.ask() else floor.close(EndReason.SILENCE, now_ms)

    def _caller_left(self, reason: EndReason) -> list[Action]:
        floor = self._floor
        if floor.phase is Phase.MACHINE:
            return floor.end(EndReason.VOICEMAIL_DETECTED)
        return floor.end(floor.closing.reason_when_left(reason) if floor.phase is Phase.CLOSING else reason)
