"""How a call comes to its end: the longest duration and the word of warning before it, the reason, the limit of a goodbye. Pure."""

from engine.events import EndReason
from engine.moves import Prepared
from engine.tuning import Tuning
from engine.turn_rules import TurnRules

_SAID_WITH_GOODBYE = (
    EndReason.OPERATOR_HANGUP,
    EndReason.SHUTDOWN,
    EndReason.SILENCE,
    EndReason.MAX_DURATION,
    EndReason.BUDGET,
    EndReason.PROVIDER_FAILED,
)


class Closing:
    """`limit_ms` is when the call has lasted long enough; `warning_due_ms` when the caller is told, None if not (any more)."""

    def __init__(self, rules: TurnRules, tuning: Tuning) -> None:
        self._rules = rules
        self._tuning = tuning
        self.reason = EndReason.CRASH
        self._owes_regret = False
        self.is_spent = False
        self.limit_ms = rules.max_duration_ms
        self._goodbye_due_ms = 0
        has_time = rules.max_duration_ms >= 2 * tuning.warning_ms > 0  # a call of a minute needs no warning half-way
        warns = rules.mode == "live" and rules.has_time_warning and has_time
        self.warning_due_ms = rules.max_duration_ms - tuning.warning_ms if warns else None

    def begin(self, reason: EndReason, now_ms: int, limit_ms: int | None = None) -> None:
        """The last words are in work; `limit_ms` is how long all of them may take."""
        self.reason = reason
        self._goodbye_due_ms = now_ms + (self._tuning.goodbye_limit_ms if limit_ms is None else limit_ms)

    def hear_out(self, now_ms: int) -> None:
        """Last words became audible: they are not cut because others before them took long."""
        self._goodbye_due_ms = max(self._goodbye_due_ms, now_ms + self._tuning.parting_ms)

    def spend_out(self, now_ms: int) -> None:
        """The money for this call is used up: the turn in work may come to its end, within `budget_grace_ms`; no other follows."""
        self.is_spent = True
        self.limit_ms = min(self.limit_ms, now_ms + self._tuning.budget_grace_ms)

    @property
    def limit_reason(self) -> EndReason:
        """Why the call ends at `limit_ms`."""
        return EndReason.BUDGET if self.is_spent else EndReason.MAX_DURATION

    def owe_regret(self) -> None:
        """What is being said may be heard to its end; the regret follows it."""
        self._owes_regret = True

    def next_words(self, said: Prepared | None, *, is_silent: bool) -> Prepared | None:
        """What is said after `said`, which came to its end; None: the line is closed. `is_silent`: nothing of it could be heard.

        Who can speak no more may still hand the caller over: that needs no voice.
        """
        if self._owes_regret and self.reason is EndReason.PROVIDER_FAILED and said is not Prepared.GOODBYE:
            self._owes_regret = False
            return Prepared.REGRET
        if said is Prepared.REGRET and self._rules.has_handover:
            return Prepared.HANDOVER
        if said in (Prepared.REGRET, Prepared.HANDOVER) and self.reason is not EndReason.TRANSFERRED and not is_silent:
            return Prepared.GOODBYE
        return None

    @property
    def due_ms(self) -> int:
        """When the line is closed though the last words were not heard to their end."""
        return min(self._goodbye_due_ms, self.limit_ms + self._tuning.max_duration_grace_ms)

    def says_goodbye(self, reason: EndReason) -> bool:
        return self._rules.mode == "live" and reason in _SAID_WITH_GOODBYE

    def warn(self, now_ms: int) -> bool:
        """Whether to warn now; says so once."""
        if self.warning_due_ms is None or now_ms < self.warning_due_ms:
            return False
        self.warning_due_ms = None
        return True

    def reason_when_left(self, reason: EndReason) -> EndReason:
        """The caller left during the last words: they had been decided, but a transfer has nobody left to hand over."""
        return reason if self.reason is EndReason.TRANSFERRED else self.reason
