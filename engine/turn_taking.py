"""Whose turn is it? THE state machine of a conversation: facts and the time go in, orders come out.

It never waits, never reads a clock and never touches audio. Whoever runs it feeds it `TimePassed` when `deadline_ms` has come.
"""

from engine.agent_words import AgentWords
from engine.barge_in import Verdict, judge, while_greeting
from engine.closing import Closing
from engine.events import EndReason
from engine.interruption import Interruption, Order
from engine.moves import (
    Action,
    AgentAudioStarted,
    AnswerUser,
    CallerLeft,
    CommitUserTurn,
    DropAnswer,
    End,
    EndRequested,
    GoodbyeDecided,
    Heard,
    HearingLost,
    KeyTaken,
    PauseReply,
    PrepareAnswer,
    Prepared,
    ReplyEnded,
    ResumeReply,
    SayPrepared,
    SentenceStarted,
    SessionOpened,
    ShowUserWords,
    StopReply,
    TimePassed,
    ToneHeard,
)
from engine.ports import DtmfPressed, EagerEndOfTurn, FinalTranscript, InterimTranscript, SpeechStarted, TranscriptEvent
from engine.silence import SilenceLadder
from engine.speculation import Speculation
from engine.tuning import Tuning
from engine.turn_rules import Phase, TurnRules
from engine.user_turn import UserTurn
from engine.voicemail import VoicemailWatch

__all__ = ["Phase", "TurnRules", "TurnTaking"]

_GREETING_WORDS = 3


class TurnTaking:
    """One conversation's turns. Every reply has an id; what a cancelled reply still reports is ignored by it."""

    def __init__(self, rules: TurnRules, tuning: Tuning) -> None:
        self.phase = Phase.LISTENING
        self._rules = rules
        self._tuning, self._greeting_tuning = tuning, while_greeting(tuning)
        self._is_live = rules.mode == "live"
        self._user = UserTurn(tuning)
        self._ahead = Speculation(tuning)
        self._interruption = Interruption(tuning)
        self._silence = SilenceLadder(rules.silence_timeout_ms, tuning)
        self._voicemail = VoicemailWatch(tuning, outbound=rules.outbound and self._is_live, has_message=rules.has_voicemail_message)
        self._agent = AgentWords(tuning)
        self._closing = Closing(rules, tuning)
        self._reply_id = 0
        self._saying: Prepared | None = None
        self._is_answering = False  # the words in `_user` are what the reply in work answers
        self._speech_started_ms = -1
        self._owes_greeting = False
        self._failed_turns = 0

    def feed(self, event: Heard, now_ms: int) -> list[Action]:
        """Takes in one fact and says what to do, in order. Never raises for a late or repeated fact."""
        if self.phase is Phase.ENDED:
            if isinstance(event, FinalTranscript):
                self._user.hear(event, now_ms)
            return []
        if isinstance(event, TranscriptEvent):
            return self._hear(event, now_ms)
        match event:
            case TimePassed():
                return self._time_passed(now_ms)
            case AgentAudioStarted(reply_id=reply_id):
                return self._audio_started(now_ms) if reply_id == self._reply_id else []
            case SentenceStarted(reply_id=reply_id, text=text):
                if reply_id == self._reply_id:
                    self._agent.say(text)
                    self._user.asked = text
                return []
            case ReplyEnded(reply_id=reply_id):
                return self._reply_ended(event, now_ms) if reply_id == self._reply_id else []
            case GoodbyeDecided(reply_id=reply_id, reason=reason):
                return self._goodbye_decided(reason, now_ms) if reply_id == self._reply_id else []
            case DtmfPressed(digit=digit):
                return self._press(digit, now_ms)
            case KeyTaken():
                self._silence.life(now_ms)
                return []
            case CallerLeft(reason=reason):
                return self._caller_left(reason)
            case EndRequested(reason=reason):
                return self._close(reason, now_ms)
            case HearingLost():
                self._closing.apologise()
                return self._goodbye_decided(EndReason.PROVIDER_FAILED, now_ms) or self._close(EndReason.PROVIDER_FAILED, now_ms)
            case ToneHeard():
                return self._hear_tone(now_ms)
            case SessionOpened():
                self._silence.begin(now_ms)
                greets = self._rules.has_first_message and self.phase is Phase.LISTENING
                return self._say(Prepared.FIRST_MESSAGE) if greets else []

    def deadline_ms(self) -> int | None:
        """When to feed `TimePassed` if nothing else happens before."""
        dues: list[int | None] = [self._closing.limit_ms]
        match self.phase:
            case Phase.ENDED:
                return None
            case Phase.CLOSING:
                dues = [self._closing.due_ms]
            case Phase.MACHINE:
                dues += [self._voicemail.due_ms]
            case Phase.SPEAKING:
                dues += [self._interruption.due_ms]
            case Phase.LISTENING if self._user.due_ms is None:
                dues += [self._silence.due_ms, self._closing.warning_due_ms]
            case Phase.LISTENING:
                dues += [self._user.due_ms, self._ahead.due_ms]
        return min(due_ms for due_ms in dues if due_ms is not None)

    def awaits_tone(self, now_ms: int) -> bool:
        """Whether a machine's tone would mean anything now."""
        return self.phase is Phase.MACHINE or self._voicemail.is_watching(now_ms)

    def last_words(self, now_ms: int) -> list[Action]:
        """What the caller said and nobody answered, once the session has ended."""
        return self._commit(now_ms)

    # --- the caller speaks --------------------------------------------------------------------------------------------

    def _hear(self, event: TranscriptEvent, now_ms: int) -> list[Action]:
        if isinstance(event, SpeechStarted):
            self._speech_started_ms = now_ms
            self._silence.sound(now_ms)
        text = event.text.strip() if isinstance(event, InterimTranscript | FinalTranscript | EagerEndOfTurn) else ""
        if self._is_machine(text, now_ms):
            return self._hear_machine(event, text, now_ms)
        actions: list[Action] = []
        if self.phase is Phase.SPEAKING and self._is_live:
            tuning = self._greeting_tuning if self._saying is Prepared.FIRST_MESSAGE else self._tuning
            verdict = judge(event, self._agent.saying, tuning)
            actions += self._carry_out(self._interruption.hear(verdict, event, now_ms), now_ms)
            if self.phase is Phase.SPEAKING and verdict in (Verdict.ACKNOWLEDGEMENT, Verdict.ECHO, Verdict.PERHAPS_ECHO):
                self._set_aside(event, verdict, now_ms)
                return actions
        elif self.phase is Phase.THINKING and text and self._is_live:
            self._owes_greeting = self._saying is Prepared.FIRST_MESSAGE
            if self._is_answering:
                self._user.patience.cut_off()
            actions.append(self._stop_reply(by_caller=False))
            self._listen(now_ms)
        elif self.phase is Phase.LISTENING and text and self._agent.is_late_echo(text, self._speech_started_ms, now_ms):
            return []
        is_waiting = self.phase is Phase.THINKING and not text
        if not is_waiting and self._user.hear(event, now_ms):
            actions.append(ShowUserWords(self._user.text))
        if text:
            self._silence.life(now_ms)
        if self.phase is Phase.LISTENING and self._is_live:
            actions += _dropped(self._ahead.hear(event, self._user.text, self._user.asked, now_ms))
        return actions + self._answer_if_due(now_ms)

    def _press(self, key: str, now_ms: int) -> list[Action]:
        """A key is said like a word, and as clearly meant."""
        self._silence.life(now_ms)
        if not self._is_live or self.phase is Phase.MACHINE:
            return []
        actions = _dropped(self._ahead.drop())
        is_thinking = self.phase is Phase.THINKING
        if is_thinking or (self.phase is Phase.SPEAKING and self._tuning.keys_interrupt):
            actions.append(self._stop_reply(by_caller=not is_thinking))
            self._listen(now_ms)
        self._user.press(key, now_ms)
        return [*actions, ShowUserWords(self._user.text), *self._answer_if_due(now_ms)]

    def _carry_out(self, order: Order, now_ms: int) -> list[Action]:
        match order:
            case Order.PAUSE:
                return [PauseReply()]
            case Order.RESUME:
                return [ResumeReply()]
            case Order.STOP:
                if self._saying is None and self._agent.has_only_begun(now_ms):
                    self._user.patience.cut_off()
                stop = self._stop_reply(by_caller=True)
                self._listen(now_ms)
                return [stop]
            case Order.GO_ON:
                return []

    def _set_aside(self, event: TranscriptEvent, verdict: Verdict, now_ms: int) -> None:
        """These words stop nobody. Those of the caller are kept for a moment: they may answer the question that is being asked."""
        self._user.hear(InterimTranscript(""), now_ms)
        if verdict is not Verdict.ECHO and isinstance(event, FinalTranscript):
            self._agent.set_aside(event, now_ms)
            self._silence.life(now_ms)

    def _answer_if_due(self, now_ms: int) -> list[Action]:
        due_ms = self._user.due_ms
        if self.phase is not Phase.LISTENING or due_ms is None:
            return []
        if now_ms < due_ms:
            return self._prepare_if_due(now_ms)
        self._user.close()
        if not self._is_live:
            return self._commit(now_ms)
        text = self._user.text
        self._is_answering = True
        if self._owes_greeting and len(text.split()) <= _GREETING_WORDS:
            self._owes_greeting = False
            return self._say(Prepared.FIRST_MESSAGE)
        self._owes_greeting = False
        if self._ahead.take() is None:
            self._reply_id += 1
        self._saying, self.phase = None, Phase.THINKING
        return [AnswerUser(self._reply_id, text, self._user.last_word_ms)]

    def _prepare_if_due(self, now_ms: int) -> list[Action]:
        if not self._ahead.is_due(now_ms):
            return []
        if self._owes_greeting:  # a short word is answered by the greeting, which needs no thought
            return _dropped(self._ahead.take())
        self._reply_id += 1
        self._ahead.prepare(self._reply_id, self._user.text)
        return [PrepareAnswer(self._reply_id, self._user.text)]

    def _commit(self, now_ms: int) -> list[Action]:
        self._user.close()
        self._is_answering = False
        if not self._user.has_words:
            return []
        started_ms = self._user.started_ms(now_ms)
        commit = CommitUserTurn(self._user.text, started_ms, max(started_ms, self._user.last_word_ms))
        self._user.reset()
        return [commit]

    # --- a machine speaks ---------------------------------------------------------------------------------------------

    def _is_machine(self, text: str, now_ms: int) -> bool:
        if self.phase is Phase.MACHINE or not text or self.phase is Phase.CLOSING:
            return self.phase is Phase.MACHINE
        return self._voicemail.hears_machine(f"{self._user.text} {text}", now_ms)

    def _hear_machine(self, event: TranscriptEvent, text: str, now_ms: int) -> list[Action]:
        """It is known to be a machine: what it says is kept, and answered by the message or by nothing."""
        actions = self._stop_everything() if self.phase is not Phase.MACHINE else []
        if text or self.phase is not Phase.MACHINE:
            self._voicemail.keep_waiting(now_ms)
        self.phase = Phase.MACHINE
        if self._user.hear(event, now_ms):
            actions.append(ShowUserWords(self._user.text))
        return actions if self._voicemail.leaves_message else actions + self._end(EndReason.VOICEMAIL_DETECTED)

    def _hear_tone(self, now_ms: int) -> list[Action]:
        is_ready = self.phase is Phase.MACHINE or (self.phase is not Phase.CLOSING and self._voicemail.hears_tone(now_ms))
        if not is_ready:
            return []
        return [*self._stop_everything(), *self._leave_message(now_ms)]

    def _leave_message(self, now_ms: int) -> list[Action]:
        if not self._voicemail.leaves_message:
            return self._end(EndReason.VOICEMAIL_DETECTED)
        committed = self._commit(now_ms)
        self._begin_closing(EndReason.VOICEMAIL_DETECTED, now_ms)
        return committed + self._say(Prepared.VOICEMAIL_MESSAGE)

    # --- the agent speaks ---------------------------------------------------------------------------------------------

    def _say(self, sentence: Prepared) -> list[Action]:
        dropped = _dropped(self._ahead.take())
        self._reply_id += 1
        self._saying = sentence
        if self.phase is not Phase.CLOSING:
            self.phase = Phase.THINKING
        return [*dropped, SayPrepared(self._reply_id, sentence)]

    def _audio_started(self, now_ms: int) -> list[Action]:
        if self.phase is Phase.THINKING:
            self.phase = Phase.SPEAKING
        self._agent.begin(now_ms)
        return self._commit(now_ms) if self._is_answering else []

    def _reply_ended(self, event: ReplyEnded, now_ms: int) -> list[Action]:
        committed = self._commit(now_ms) if self._is_answering else []
        if self.phase is Phase.CLOSING:
            words = self._closing.next_words()
            return committed + (self._say(words) if words else self._end(self._closing.reason))
        if self.phase not in (Phase.THINKING, Phase.SPEAKING):
            return committed
        said, self._saying = self._saying, None
        early_answer = self._agent.end(now_ms)
        self._interruption = Interruption(self._tuning)
        self._listen(now_ms, after_farewell=said is None and self._agent.takes_leave)
        if event.failed and not event.spoke:
            return committed + self._after_failure(said, now_ms)
        if said is None and not event.failed:
            self._failed_turns = 0
            self._user.patience.heard_out()
        if early_answer is not None:
            self._user.hear(early_answer, now_ms)
        return committed + self._answer_if_due(now_ms)

    def _after_failure(self, said: Prepared | None, now_ms: int) -> list[Action]:
        if said is Prepared.APOLOGY:
            return self._end(EndReason.PROVIDER_FAILED)  # not even the apology can be said
        self._failed_turns += 1
        if self._failed_turns >= self._tuning.max_failed_turns:
            return self._close(EndReason.PROVIDER_FAILED, now_ms)
        return self._say(Prepared.APOLOGY)

    def _stop_reply(self, *, by_caller: bool) -> StopReply:
        if by_caller and self._saying is None:
            self._failed_turns = 0  # an answer was audible: the providers work
        self._reply_id += 1  # whatever the stopped reply still reports is stale
        self._saying = None
        self._interruption = Interruption(self._tuning)
        return StopReply(by_caller)

    def _stop_everything(self) -> list[Action]:
        """Whatever is being said or prepared is not wanted any more."""
        if self.phase in (Phase.THINKING, Phase.SPEAKING):
            return [self._stop_reply(by_caller=False)]
        return _dropped(self._ahead.take())

    def _listen(self, now_ms: int, *, after_farewell: bool = False) -> None:
        self.phase = Phase.LISTENING
        self._silence.begin(now_ms, after_farewell=after_farewell)

    # --- time and the end ---------------------------------------------------------------------------------------------

    def _time_passed(self, now_ms: int) -> list[Action]:
        deadline_ms = self.deadline_ms()
        if deadline_ms is None or now_ms < deadline_ms:
            return []
        if self.phase is Phase.CLOSING:
            return self._end(self._closing.reason)
        if now_ms >= self._closing.limit_ms:
            return self._close(EndReason.MAX_DURATION, now_ms)
        if self.phase is Phase.MACHINE:
            return self._leave_message(now_ms)
        if self.phase is Phase.SPEAKING:
            return self._carry_out(self._interruption.look(now_ms), now_ms)
        if self._user.due_ms is not None:
            return self._answer_if_due(now_ms)
        return self._after_silence(now_ms)

    def _after_silence(self, now_ms: int) -> list[Action]:
        if not self._is_live:
            return self._end(EndReason.VOICEMAIL_DONE)
        if self._closing.warn(now_ms):
            return self._say(Prepared.TIME_WARNING)
        if self._silence.is_over:
            return self._end(EndReason.AGENT_GOODBYE)
        return self._say(Prepared.STILL_THERE) if self._silence.ask() else self._close(EndReason.SILENCE, now_ms)

    def _goodbye_decided(self, reason: EndReason, now_ms: int) -> list[Action]:
        if self.phase not in (Phase.THINKING, Phase.SPEAKING):
            return []
        resumed: list[Action] = [ResumeReply()] if self._interruption.is_paused else []
        self._interruption = Interruption(self._tuning)
        self._begin_closing(reason, now_ms)
        return resumed

    def _caller_left(self, reason: EndReason) -> list[Action]:
        if self.phase is Phase.MACHINE:
            return self._end(EndReason.VOICEMAIL_DETECTED)
        return self._end(self._closing.reason_when_left(reason) if self.phase is Phase.CLOSING else reason)

    def _close(self, reason: EndReason, now_ms: int) -> list[Action]:
        """Says goodbye where that is due, then ends. A second wish to end changes nothing."""
        if self.phase is Phase.CLOSING:
            return []
        if not self._closing.says_goodbye(reason):
            return self._end(reason)
        stopped = self._stop_everything()
        committed = self._commit(now_ms)
        self._begin_closing(reason, now_ms)
        return stopped + committed + self._say(self._closing.next_words() or Prepared.GOODBYE)

    def _begin_closing(self, reason: EndReason, now_ms: int) -> None:
        self.phase = Phase.CLOSING
        self._closing.begin(reason, now_ms)

    def _end(self, reason: EndReason) -> list[Action]:
        self.phase = Phase.ENDED
        return [*_dropped(self._ahead.take()), End(reason)]


def _dropped(reply_id: int | None) -> list[Action]:
    return [] if reply_id is None else [DropAnswer(reply_id)]
