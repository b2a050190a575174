"""Who has the floor: the state that all rules of turn-taking share, and the few moves that each of them makes.

A table with pieces on it. When to move which is decided in `caller_speaks`, `agent_speaks`, `machine_speaks` and `turn_taking`.
"""

from engine.agent_words import AgentWords
from engine.closing import Closing
from engine.events import EndReason
from engine.interruption import Interruption
from engine.moves import Action, CommitUserTurn, DropAnswer, End, Prepared, SayPrepared, StopReply
from engine.pressed_keys import PressedKeys
from engine.silence import SilenceLadder
from engine.speculation import Speculation
from engine.tuning import Tuning
from engine.turn_rules import Phase, TurnRules
from engine.unheard import Unheard
from engine.user_turn import UserTurn
from engine.voicemail import VoicemailWatch


class Floor:
    """One conversation's. Every reply has an id; what a cancelled reply still reports is ignored by it."""

    def __init__(self, rules: TurnRules, tuning: Tuning, keys: PressedKeys | None = None) -> None:
        self.phase = Phase.LISTENING
        self.rules = rules
        self.tuning = tuning
        self.is_live = rules.mode == "live"
        self.user = UserTurn(tuning)
        self.ahead = Speculation(tuning)
        self.interruption = Interruption(tuning)
        self.silence = SilenceLadder(rules.silence_timeout_ms, tuning)
        self.unheard = Unheard(tuning, is_on=rules.has_not_caught and self.is_live)
        self.voicemail = VoicemailWatch(tuning, outbound=rules.outbound and self.is_live, has_message=rules.has_voicemail_message)
        self.agent = AgentWords(tuning)
        self.closing = Closing(rules, tuning)
        self.keys = keys  # None: this agent never asks for any
        self.reply_id = 0
        self.unwritten_id = 0  # the last answer, until it is written
        self.saying: Prepared | None = None
        self.is_answering = False  # the words in `user` are what the reply in work answers
        self.speech_started_ms = -1
        self.owes_greeting = False
        self.failed_turns = 0

    @property
    def may_want_keys(self) -> bool:
        """Whether an answer is in the making, or certain to follow, that may yet ask for keys."""
        if self.phase is Phase.LISTENING:
            return self.user.due_ms is not None and not self.user.has_keys
        return self.phase in (Phase.THINKING, Phase.SPEAKING) and self.unwritten_id == self.reply_id

    def say(self, sentence: Prepared, words: str = "") -> list[Action]:
        dropped = drop(self.ahead.take())
        if self.keys is not None:
            self.keys.forget()
        self.reply_id += 1
        self.saying = sentence
        if self.phase is not Phase.CLOSING:
            self.phase = Phase.THINKING
        return [*dropped, SayPrepared(self.reply_id, sentence, words)]

    def stop_reply(self, *, by_caller: bool) -> StopReply:
        if by_caller and self.saying is None:
            self.failed_turns = 0  # an answer was audible: the providers work
        self.reply_id += 1  # whatever the stopped reply still reports is stale
        self.saying = None
        self.interruption = Interruption(self.tuning)
        return StopReply(by_caller)

    def stop_everything(self) -> list[Action]:
        """Whatever is being said or prepared is not wanted any more."""
        if self.phase in (Phase.THINKING, Phase.SPEAKING):
            return [self.stop_reply(by_caller=False)]
        return drop(self.ahead.take())

    def listen(self, now_ms: int, *, after_farewell: bool = False) -> None:
        self.phase = Phase.LISTENING
        self.silence.begin(now_ms, after_farewell=after_farewell)
        self.unheard.begin()

    def commit(self, now_ms: int) -> list[Action]:
        """The caller's turn, if there is one, is final."""
        self.user.close()
        self.is_answering = False
        if not self.user.has_words:
            return []
        started_ms = self.user.started_ms(now_ms)
        commit = CommitUserTurn(self.user.text, started_ms, max(started_ms, self.user.last_word_ms))
        self.user.reset()
        return [commit]

    def close(self, reason: EndReason, now_ms: int) -> list[Action]:
        """Says goodbye where that is due, then ends. A second wish to end changes nothing."""
        if self.phase is Phase.CLOSING:
            return []
        if not self.closing.says_goodbye(reason):
            return self.end(reason)
        stopped = self.stop_everything()
        committed = self.commit(now_ms)
        self.begin_closing(reason, now_ms)
        return stopped + committed + self.say(Prepared.MUST_END if reason is EndReason.BUDGET else Prepared.GOODBYE)

    def give_up(self, now_ms: int) -> list[Action]:
        """Nobody can be reached who could go on with this talk: says so, then hands the caller over or takes leave, in a few seconds."""
        if self.phase is Phase.CLOSING or not self.closing.says_goodbye(EndReason.PROVIDER_FAILED):
            return self.close(EndReason.PROVIDER_FAILED, now_ms)
        stopped = self.stop_everything()
        committed = self.commit(now_ms)
        self.begin_closing(EndReason.PROVIDER_FAILED, now_ms, self.tuning.parting_ms)
        return stopped + committed + self.say(Prepared.REGRET)

    def begin_closing(self, reason: EndReason, now_ms: int, limit_ms: int | None = None) -> None:
        self.phase = Phase.CLOSING
        if self.keys is not None:
            self.keys.forget()
        self.closing.begin(reason, now_ms, limit_ms)

    def end(self, reason: EndReason) -> list[Action]:
        self.phase = Phase.ENDED
        return [*drop(self.ahead.take()), End(reason)]


def drop(reply_id: int | None) -> list[Action]:
    """The order to throw a prepared answer away, if there is one."""
    return [] if reply_id is None else [DropAnswer(reply_id)]
