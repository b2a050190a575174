"""Whose turn is it? THE state machine of a conversation: facts and the time go in, orders come out.

It never waits, never reads a clock and never touches audio. Whoever runs it feeds it `TimePassed` when `deadline_ms` has come.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from engine.barge_in import interrupts, is_backchannel
from engine.events import EndReason
from engine.moves import (
    Action,
    AgentAudioStarted,
    AnswerUser,
    CallerLeft,
    CommitUserTurn,
    End,
    EndRequested,
    GoodbyeDecided,
    Heard,
    HearingLost,
    Prepared,
    ReplyEnded,
    SayPrepared,
    SentenceStarted,
    SessionOpened,
    ShowUserWords,
    StopReply,
    TimePassed,
    ToneHeard,
)
from engine.ports import (
    DtmfPressed,
    EagerEndOfTurn,
    FinalTranscript,
    InterimTranscript,
    SpeechStarted,
    TranscriptEvent,
    TurnResumed,
    UtteranceEnded,
)
from engine.tuning import Tuning
from engine.user_turn import UserTurn

_GREETING_WORDS = 3
_SAID_WITH_GOODBYE = (
    EndReason.OPERATOR_HANGUP,
    EndReason.SHUTDOWN,
    EndReason.SILENCE,
    EndReason.MAX_DURATION,
    EndReason.PROVIDER_FAILED,
)


class Phase(Enum):
    LISTENING = "listening"
    THINKING = "thinking"  # a reply is in work, nothing of it is audible yet
    SPEAKING = "speaking"
    CLOSING = "closing"  # the goodbye is in work or being heard: nothing interrupts it
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class TurnRules:
    """What a session's plan says about turns."""

    mode: Literal["live", "voicemail"]
    has_first_message: bool
    silence_timeout_ms: int
    max_duration_ms: int


class TurnTaking:
    """One conversation's turns. Every reply has an id; what a cancelled reply still reports is ignored by it."""

    def __init__(self, rules: TurnRules, tuning: Tuning) -> None:
        self.phase = Phase.LISTENING
        self._rules = rules
        self._tuning = tuning
        self._user = UserTurn(tuning)
        self._reply_id = 0
        self._saying: Prepared | None = None
        self._is_answering = False  # the words in `_user` are what the reply in work answers
        self._quiet_since_ms = 0
        self._speech_started_ms = -tuning.words_follow_ms
        self._asked_still_there = False
        self._owes_greeting = False
        self._failed_turns = 0
        self._end_reason = EndReason.CRASH
        self._closing_due_ms = 0

    def feed(self, event: Heard, now_ms: int) -> list[Action]:
        """Takes in one fact and says what to do, in order. Never raises for a late or repeated fact."""
        if self.phase is Phase.ENDED:
            if isinstance(event, FinalTranscript):
                self._user.hear(event, now_ms)
            return []
        match event:
            case SpeechStarted() | InterimTranscript() | FinalTranscript() | UtteranceEnded() | EagerEndOfTurn() | TurnResumed():
                return self._hear(event, now_ms)
            case TimePassed():
                return self._time_passed(now_ms)
            case AgentAudioStarted(reply_id=reply_id):
                return self._audio_started(now_ms) if reply_id == self._reply_id else []
            case ReplyEnded(reply_id=reply_id):
                return self._reply_ended(event, now_ms) if reply_id == self._reply_id else []
            case GoodbyeDecided(reply_id=reply_id):
                if reply_id == self._reply_id and self.phase in (Phase.THINKING, Phase.SPEAKING):
                    self._begin_closing(EndReason.AGENT_GOODBYE, now_ms)
                return []
            case SentenceStarted() | ToneHeard():
                return []
            case DtmfPressed():
                self._caller_was_active(now_ms)
                return []
            case CallerLeft(reason=reason):
                return self._end(self._end_reason if self.phase is Phase.CLOSING else reason)
            case EndRequested(reason=reason):
                return self._close(reason, now_ms)
            case HearingLost():
                return self._close(EndReason.PROVIDER_FAILED, now_ms)
            case SessionOpened():
                self._quiet_since_ms = now_ms
                greets = self._rules.has_first_message and self.phase is Phase.LISTENING
                return self._say(Prepared.FIRST_MESSAGE) if greets else []

    def deadline_ms(self) -> int | None:
        """When to feed `TimePassed` if nothing else happens before."""
        if self.phase is Phase.ENDED:
            return None
        limit_ms = self._rules.max_duration_ms
        if self.phase is Phase.CLOSING:
            return min(self._closing_due_ms, limit_ms + self._tuning.max_duration_grace_ms)
        if self.phase is Phase.LISTENING:
            return min(limit_ms, self._silence_due_ms() if self._user.due_ms is None else self._user.due_ms)
        return limit_ms

    def last_words(self, now_ms: int) -> list[Action]:
        """What the caller said and nobody answered, once the session has ended."""
        return self._commit(now_ms)

    # --- the caller speaks --------------------------------------------------------------------------------------------

    def _hear(self, event: TranscriptEvent, now_ms: int) -> list[Action]:
        if isinstance(event, SpeechStarted):
            self._speech_started_ms = now_ms
        text = event.text.strip() if isinstance(event, InterimTranscript | FinalTranscript) else ""
        actions: list[Action] = []
        if self.phase is Phase.SPEAKING and self._rules.mode == "live":
            if interrupts(event, self._tuning):
                actions.append(self._stop_reply(by_caller=True))
                self._listen(now_ms)
            elif text and is_backchannel(text, self._tuning):
                return []
        elif self.phase is Phase.THINKING and text and self._rules.mode == "live":
            self._owes_greeting = self._saying is Prepared.FIRST_MESSAGE
            actions.append(self._stop_reply(by_caller=False))
            self._listen(now_ms)
        is_waiting = self.phase is Phase.THINKING and not text
        if not is_waiting and self._user.hear(event, now_ms):
            actions.append(ShowUserWords(self._user.text))
        if text:
            self._caller_was_active(now_ms)
        return actions + self._answer_if_due(now_ms)

    def _answer_if_due(self, now_ms: int) -> list[Action]:
        due_ms = self._user.due_ms
        if self.phase is not Phase.LISTENING or due_ms is None or now_ms < due_ms:
            return []
        self._user.close()
        if self._rules.mode == "voicemail":
            return self._commit(now_ms)
        text = self._user.text
        self._is_answering = True
        if self._owes_greeting and len(text.split()) <= _GREETING_WORDS:
            self._owes_greeting = False
            return self._say(Prepared.FIRST_MESSAGE)
        self._owes_greeting = False
        self._reply_id += 1
        self._saying, self.phase = None, Phase.THINKING
        return [AnswerUser(self._reply_id, text, self._user.last_word_ms)]

    def _caller_was_active(self, now_ms: int) -> None:
        self._asked_still_there = False
        self._quiet_since_ms = max(self._quiet_since_ms, now_ms)

    def _commit(self, now_ms: int) -> list[Action]:
        self._user.close()
        self._is_answering = False
        if not self._user.has_words:
            return []
        started_ms = self._user.started_ms(now_ms)
        commit = CommitUserTurn(self._user.text, started_ms, max(started_ms, self._user.last_word_ms))
        self._user.reset()
        return [commit]

    # --- the agent speaks ---------------------------------------------------------------------------------------------

    def _say(self, sentence: Prepared) -> list[Action]:
        self._reply_id += 1
        self._saying = sentence
        if self.phase is not Phase.CLOSING:
            self.phase = Phase.THINKING
        return [SayPrepared(self._reply_id, sentence)]

    def _audio_started(self, now_ms: int) -> list[Action]:
        if self.phase is Phase.THINKING:
            self.phase = Phase.SPEAKING
        return self._commit(now_ms) if self._is_answering else []

    def _reply_ended(self, event: ReplyEnded, now_ms: int) -> list[Action]:
        committed = self._commit(now_ms) if self._is_answering else []
        if self.phase is Phase.CLOSING:
            return committed + self._end(self._end_reason)
        said, self._saying = self._saying, None
        self._listen(now_ms)
        if event.failed and not event.spoke:
            return committed + self._after_failure(said, now_ms)
        if said is None and not event.failed:
            self._failed_turns = 0
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
        return StopReply(by_caller)

    def _listen(self, now_ms: int) -> None:
        self.phase = Phase.LISTENING
        self._quiet_since_ms = now_ms

    # --- time and the end ---------------------------------------------------------------------------------------------

    def _silence_due_ms(self) -> int:
        """A sound of speech puts the question off for a moment, but only words start the count anew."""
        return max(self._quiet_since_ms + self._rules.silence_timeout_ms, self._speech_started_ms + self._tuning.words_follow_ms)

    def _time_passed(self, now_ms: int) -> list[Action]:
        deadline_ms = self.deadline_ms()
        if deadline_ms is None or now_ms < deadline_ms:
            return []
        if self.phase is Phase.CLOSING:
            return self._end(self._end_reason)
        if now_ms >= self._rules.max_duration_ms:
            return self._close(EndReason.MAX_DURATION, now_ms)
        if self._user.due_ms is not None:
            return self._answer_if_due(now_ms)
        if self._rules.mode == "voicemail":
            return self._end(EndReason.VOICEMAIL_DONE)
        if self._asked_still_there:
            return self._close(EndReason.SILENCE, now_ms)
        self._asked_still_there = True
        return self._say(Prepared.STILL_THERE)

    def _close(self, reason: EndReason, now_ms: int) -> list[Action]:
        """Says goodbye where that is due, then ends. A second wish to end changes nothing."""
        if self.phase is Phase.CLOSING:
            return []
        if self._rules.mode == "voicemail" or reason not in _SAID_WITH_GOODBYE:
            return self._end(reason)
        is_busy = self.phase in (Phase.THINKING, Phase.SPEAKING)
        stopped: list[Action] = [self._stop_reply(by_caller=False)] if is_busy else []
        committed = self._commit(now_ms)
        self._begin_closing(reason, now_ms)
        return stopped + committed + self._say(Prepared.GOODBYE)

    def _begin_closing(self, reason: EndReason, now_ms: int) -> None:
        self.phase, self._end_reason = Phase.CLOSING, reason
        self._closing_due_ms = now_ms + self._tuning.goodbye_limit_ms

    def _end(self, reason: EndReason) -> list[Action]:
        self.phase = Phase.ENDED
        return [End(reason)]
