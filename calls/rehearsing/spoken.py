"""Holds one rehearsal by voice: a call over the real media door, in real time, with a caller who hears, speaks, presses keys and hangs up.

Rows, and whoever plays the caller, stay with the thread that asked; the line has its own. Must never leave a call behind: whatever goes
wrong here, the line is closed, and a process that dies takes it along.
"""

import time
from collections.abc import Callable
from typing import Final

from calls.models import Session
from calls.rehearsing import hearing
from calls.rehearsing.lines import Line
from calls.rehearsing.manners import Move, Situation, move, said_of
from calls.rehearsing.stage import Caller, HangUp, Leave, Say, TookTooLong
from calls.rehearsing.talk import AGENT, CALLER, Talk, keys_of
from calls.rehearsing.talk import Line as Words
from calls.rehearsing.voices import Voice

LIMIT_S: Final = 420.0  # of one call; what a worker may take leaves room for the judgement
ROWS_WITHIN_S: Final = 60.0
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

    Raises `TookTooLong`, and what the caller, the voice and `beat` raise. What the engine's providers do wrong is part of the talk.
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
        written = _await_rows(session)
    if not written:
        raise NotWrittenDown(NotWrittenDown.message)
    talk = hearing.whole_talk(session)
    talk.answers = call.answers
    talk.flaws = call.flaws(talk)
    return talk


def _await_rows(session: Session) -> bool:
    deadline = time.monotonic() + ROWS_WITHIN_S
    while not (written := hearing.is_over(session)) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    return written


class _Call:
    """`known` is the talk as the caller knows it: the agent's turns, and their own words as they said them."""

    def __init__(self, session: Session, line: Line, caller: Caller, voice: Voice, speaks_first: bool) -> None:
        self._session, self._line, self._caller, self._voice = session, line, caller, voice
        self._opens = speaks_first
        self._known = Talk()
        self._seen = 0  # the number of the latest turn that needs no answer any more, or is known
        self._has_news = False
        self._asked = self._answered = 0  # wishes for keys
        self._saying = ""
        self._rows_at_s = 0.0
        self._last_deed_ms = 0
        self._paired = 0  # waits that belong to a turn
        self._sounded_ms = 0
        self._was_dead = False
        self.answers: list[tuple[int, int]] = []

    def goes_on(self) -> bool:
        """One look at the line, and what follows from it. False: the call is over."""
        heard = self._line.look()
        self._sounded_ms = heard.sounded_ms
        if heard.is_over:
            return False
        if self._saying and not heard.is_speaking:
            self._has_said(1.0)
        self._read(heard.waits_ms)
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

    def flaws(self, talk: Talk) -> list[str]:
        """What alone keeps the rehearsal from passing."""
        found = [DEAD_AIR] if self._was_dead else []
        if not self._sounded_ms and talk.by(AGENT):
            found.append(NO_SOUND)
        return found

    def _read(self, waits_ms: tuple[int, ...]) -> None:
        if time.monotonic() < self._rows_at_s:
            return
        self._rows_at_s = time.monotonic() + _ROWS_EVERY_S
        for words in hearing.agent_lines(self._session, after=self._seen):
            self._seen = words.number
            if words.text.strip():
                self._known.lines.append(words)
                self._has_news = True
            if len(waits_ms) > self._paired:
                self.answers.append((words.number, waits_ms[self._paired]))
                self._paired = len(waits_ms)
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
        sound = self._voice.spoken(text)
        self._await_quiet()
        self._line.say(sound)
        self._saying = text

    def _await_quiet(self) -> None:
        """The agent may have begun to speak again while the line was thought of; nobody begins in the middle of its words."""
        deadline = time.monotonic() + 15.0
        while time.monotonic() < deadline:
            heard = self._line.look()
            if heard.is_over or heard.quiet_ms is None or heard.quiet_ms >= 300:
                return
            time.sleep(_LOOK_S)

    def _has_said(self, share: float) -> None:
        said = said_of(self._saying, share)
        self._saying = ""
        if said:
            self._known.lines.append(Words(len(self._known.lines) + 1, CALLER, said))
        # What the agent had said before this was said is answered by it, also if its row came meanwhile.
        for words in hearing.agent_lines(self._session, after=self._seen):
            self._known.lines.insert(len(self._known.lines) - 1 if said else len(self._known.lines), words)
        self._seen = max(self._seen, hearing.latest_turn(self._session))
        self._has_news = False
        self._last_deed_ms = self._line.look().now_ms
