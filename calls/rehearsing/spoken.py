"""Holds one rehearsal by voice: a call over the real media door, in real time, with a caller who hears, speaks, presses keys and hangs up.

Rows, and whoever plays the caller, stay with the thread that asked; the line has its own. Must never leave a call behind: whatever goes
wrong here, the line is closed, and a process that dies takes it along.
"""

import time
from collections.abc import Callable
from typing import Final

from calls.models import Session
from calls.rehearsing import hearing
from calls.rehearsing.lines import CLOSED_EARLY, Line, NoLine
from calls.rehearsing.manners import Move, Situation, move, said_of
from calls.rehearsing.stage import Caller, HangUp, Leave, Say, TookTooLong
from calls.rehearsing.talk import AGENT, CALLER, Talk, keys_of
from calls.rehearsing.talk import Line as Words
from calls.rehearsing.voices import Voice, shortened

LIMIT_S: Final = 300.0  # of one call; what a worker may take leaves room for a last answer, the rows and the judgement
ROWS_WITHIN_S: Final = 60.0
BEGINS_WITHIN_S: Final = 5.0  # of a line that is closed
QUIET_WITHIN_S: Final = 15.0
_LOOK_S: Final = 0.05
_ROWS_EVERY_S: Final = 0.25
_BEAT_EVERY_S: Final = 2.0

NO_SOUND: Final = "The agent made no sound on the line."
DEAD_AIR: Final = "The line was dead: nobody spoke, so the caller hung up."


class CallTookTooLong(TookTooLong):
    """The call did not come to an end in time."""

    message = f"The call took longer than {LIMIT_S / 60:.0f} minutes, the most that a rehearsal by voice may take."


class NotWrittenDown(TookTooLong):
    message = "The call is over, but its end was not written down in time. Look at the media process's log."


def hold(
    session: Session,
    line: Line,
    caller: Caller,
    voice: Voice,
    *,
    speaks_first: bool = False,
    beat: Callable[[], None] = lambda: None,
    limit_s: float = LIMIT_S,
) -> Talk:
    """The whole talk, once the call is over. `beat` is called every two seconds, as long as nobody is asked, and may raise.

    Raises `TookTooLong`, `NoLine`, and what the caller, the voice and `beat` raise; what its providers do wrong is part of the talk.
    """
    call = _Call(session, line, caller, voice, speaks_first)
    deadline = time.monotonic() + limit_s
    try:
        next_beat = 0.0
        while call.goes_on():
            now = time.monotonic()
            if now > deadline:
                raise CallTookTooLong(CallTookTooLong.message)
            if now >= next_beat:
                beat()
                next_beat = now + _BEAT_EVERY_S
            time.sleep(_LOOK_S)
    finally:
        line.close()
        state = _state_in_the_end(session)
    if state == Session.State.WAITING:
        raise NoLine(CLOSED_EARLY)
    if state != Session.State.ENDED:
        raise NotWrittenDown(NotWrittenDown.message)
    talk = hearing.whole_talk(session)
    talk.answers, talk.unanswered_ms = call.answers_in_all()
    talk.flaws = call.flaws(talk)
    return talk


def _state_in_the_end(session: Session) -> str:
    """Waits for the rows of a call that began; one that did not begin leaves none."""
    began = time.monotonic()
    while (state := hearing.state(session)) != Session.State.ENDED:
        waited_s = time.monotonic() - began
        if waited_s > (BEGINS_WITHIN_S if state == Session.State.WAITING else ROWS_WITHIN_S):
            break
        time.sleep(_LOOK_S)
    return state


class _Call:
    """`known` is the talk as the caller knows it: the agent's turns, and their own words as they said them."""

    def __init__(self, session: Session, line: Line, caller: Caller, voice: Voice, speaks_first: bool) -> None:
        self._session, self._line, self._caller, self._voice = session, line, caller, voice
        self._opens = speaks_first
        self._known = Talk()
        self._seen = 0  # the latest word of a turn that was played
        self._has_news = False
        self._asked = self._answered = 0  # wishes for keys
        self._saying = ""
        self._rows_at_s = 0.0
        self._last_deed_ms = 0
        self._paired = 0  # waits that belong to a turn
        self._sounded_ms = 0
        self._waits_ms: tuple[int, ...] = ()
        self._waiting_ms = 0
        self._was_dead = False
        self._answers: list[tuple[int, int]] = []

    def goes_on(self) -> bool:
        """One look at the line, and what follows from it. False: the call is over."""
        heard = self._line.look()
        self._sounded_ms, self._waits_ms, self._waiting_ms = heard.sounded_ms, heard.waits_ms, heard.waiting_ms
        if heard.is_over:
            return False
        if self._saying and not heard.is_speaking:
            self._has_said(1.0)
        self._read()
        is_asked = self._asked > self._answered
        active_ms = max(self._last_deed_ms, heard.now_ms - heard.quiet_ms if heard.quiet_ms is not None else 0)
        match move(Situation(heard, self._has_news, is_asked, self._opens, heard.now_ms - active_ms)):
            case Move.GIVE_WAY:
                self._has_said(self._line.hush())
            case Move.GIVE_UP:
                self._was_dead = True
                return False
            case Move.ANSWER:
                return self._answer(is_asked)
        return True

    def answers_in_all(self) -> tuple[list[tuple[int, int]], int]:
        """Turns and how long the caller waited for each, and for how long their last words had no answer; asked once all rows are there."""
        self._has_played()
        own = [words.number for words in self._known.by(AGENT)]
        self._pair(own[-1] if own else 0)
        has_last_word = bool(self._known.lines) and self._known.lines[-1].speaker == CALLER
        return self._answers, self._waiting_ms if has_last_word else 0

    def flaws(self, talk: Talk) -> list[str]:
        """What alone keeps the rehearsal from passing."""
        found = [DEAD_AIR] if self._was_dead else []
        if not self._sounded_ms and talk.by(AGENT):
            found.append(NO_SOUND)
        return found

    def _read(self) -> None:
        if time.monotonic() < self._rows_at_s:
            return
        self._rows_at_s = time.monotonic() + _ROWS_EVERY_S
        self._has_news |= self._has_played()
        self._asked = hearing.asks_for_keys(self._session)

    def _answer(self, is_asked_for_keys: bool) -> bool:
        answer = self._caller.answer(self._known, is_asked_for_keys=is_asked_for_keys)
        self._opens = self._has_news = False
        self._answered = self._asked
        match answer:
            case HangUp() | Leave():
                return False
            case Say(text=text):
                self._say(text, is_asked_for_keys)
        self._last_deed_ms = self._line.look().now_ms
        return True

    def _say(self, text: str, is_asked_for_keys: bool) -> None:
        keys = keys_of(text) if is_asked_for_keys else ""
        if keys:
            self._line.press(keys)
            return
        text = shortened(text)
        sound = self._voice.spoken(text)
        if not sound:  # nothing in it can be spoken: that is silence, and nobody may answer it
            return
        self._await_quiet()
        self._line.say(sound)
        self._saying = text

    def _await_quiet(self) -> None:
        """The agent may have begun to speak again while the line was thought of; nobody begins in the middle of its words."""
        deadline = time.monotonic() + QUIET_WITHIN_S
        while time.monotonic() < deadline:
            heard = self._line.look()
            if heard.is_over or heard.quiet_ms is None or heard.quiet_ms >= 300:
                return
            time.sleep(_LOOK_S)

    def _has_played(self) -> bool:
        """Takes the turns that the agent has ended; whether there was one to be answered.

        One that the caller's last words broke off may be told late: it was said before them, and they were the answer.
        """
        has_news = False
        played = hearing.played_turns(self._session, after=self._seen)
        for self._seen, words in played:
            lines = self._known.lines
            if lines and lines[-1].speaker == CALLER and hearing.was_broken_off(self._session, words.number):
                lines.insert(-1, words)
            else:
                lines.append(words)
                has_news = True
            self._pair(words.number)
        return has_news

    def _pair(self, turn: int) -> None:
        """All waits since the turn before belong to this one: it may have begun to speak more than once, for other words of the caller."""
        self._answers += [(turn, wait_ms) for wait_ms in self._waits_ms[self._paired :]]
        self._paired = len(self._waits_ms)

    def _has_said(self, share: float) -> None:
        """What the agent had said before is answered by it, also what is known only now."""
        self._has_played()
        self._has_news, self._last_deed_ms = False, self._line.look().now_ms
        said, self._saying = said_of(self._saying, share), ""
        if said:
            self._known.lines.append(Words(len(self._known.lines) + 1, CALLER, said))
