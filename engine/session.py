"""One conversation over one link: one start, one end, one reason.

It only carries out what `turn_taking` decides: a task listens to the link, one to the recogniser, one paces the audio, one makes the reply
in work, and this file's own loop takes one fact after the other and acts. No rule about who may speak belongs here.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from engine.audio import AudioChunk
from engine.errors import LinkClosed, ProviderError
from engine.events import (
    DtmfReceived,
    EndReason,
    ProviderFailed,
    SessionEnded,
    SessionEvent,
    SessionStarted,
    UsageRecorded,
    UserTurnEnded,
    UserTurnUpdated,
)
from engine.hearing import Hearing
from engine.latency import TurnMoments
from engine.moves import (
    Action,
    AgentAudioStarted,
    AnswerUser,
    CallerLeft,
    CommitUserTurn,
    End,
    EndRequested,
    HandOverRequested,
    Heard,
    HearingLost,
    NoteGiven,
    ReplyEnded,
    SessionOpened,
    ShowUserWords,
    TakeNote,
    TimePassed,
    ToneHeard,
)
from engine.plan import SessionParts, SessionPlan
from engine.ports import AudioLink, CallerAudio, DtmfPressed, LinkEnded, MarkReached, Message, QuickAudioLink
from engine.speaker import Speaker
from engine.tone import ToneDetector
from engine.transcript import Transcript
from engine.turn_rules import TurnRules
from engine.turn_taking import TurnTaking
from engine.usage import UsageRecord

__all__ = ["ConversationSession", "SessionParts", "SessionPlan"]

_MOST_WAITING_FACTS, _LOOK_AGAIN_S = 1024, 60.0


class ConversationSession:
    """Runs once. `emit` is called with every event in order, on the loop, and must not block."""

    def __init__(self, plan: SessionPlan, parts: SessionParts, link: AudioLink, emit: Callable[[SessionEvent], None]) -> None:
        self._plan = plan
        self._link = link
        self._emit = emit
        self._zero_s: float | None = None
        self._inbox: asyncio.Queue[tuple[int, Heard]] = asyncio.Queue(_MOST_WAITING_FACTS)
        self._turns = TurnTaking(TurnRules.of(plan), plan.tuning, None if parts.keypad is None else parts.keypad.keys)
        self._tones = ToneDetector()
        self._transcript = Transcript(plan.instructions, plan.history)
        self._speaker = Speaker(
            plan,
            parts,
            link,
            self._transcript,
            now_ms=self._now_ms,
            emit=emit,
            tell=self._tell,
            tell_in_turn=self._tell_in_turn,
        )
        self._hearing = Hearing(
            parts.stt,
            link.sample_rate_hz,
            plan.tuning,
            now_ms=self._now_ms,
            deliver=self._tell_in_turn,
            on_failure=self._report_failure,
            on_usage=self._report_usage,
        )
        self.dropped_facts = 0

    def request_end(self, reason: EndReason) -> None:
        """Asks for the end of the call: with a goodbye for an operator's hang-up or a shutdown, at once otherwise. Same loop only."""
        self._tell(EndRequested(reason))

    @property
    def messages(self) -> list[Message]:
        """The conversation as a model would be given it now, the instructions first."""
        return self._transcript.messages()

    def request(self, wish: NoteGiven | HandOverRequested) -> None:
        """Asks for what an operator wants of the talk. Same loop only."""
        self._tell(wish)

    async def run(self) -> SessionEnded:
        """Holds the conversation. Outside failures end it with a reason; only a bug or a cancellation raises, after `SessionEnded`."""
        self._zero_s = asyncio.get_running_loop().time()
        self._emit(SessionStarted(0))
        reason = EndReason.CRASH
        try:
            reason = await self._converse()
        except asyncio.CancelledError:
            reason = EndReason.SHUTDOWN
            raise
        finally:
            try:
                await self._link.close()
            finally:
                ended = SessionEnded(reason, self._now_ms())
                self._emit(ended)
        return ended

    async def _converse(self) -> EndReason:
        self._tell(SessionOpened())
        try:
            async with asyncio.TaskGroup() as tasks:
                ears = tasks.create_task(self._hear(), name="hearing")
                background = [
                    ears,
                    tasks.create_task(self._listen(), name="link"),
                    tasks.create_task(self._speaker.playback.run(), name="playback"),
                ]
                reason = await self._decide(tasks)
                await self._wind_down(ears)
                for task in background:
                    task.cancel()
        finally:
            await self._speaker.close()
        return reason

    async def _decide(self, tasks: asyncio.TaskGroup) -> EndReason:
        """Takes one fact after the other until the call is to end."""
        while True:
            at_ms, fact = await self._next_fact()
            if isinstance(fact, ReplyEnded):
                self._speaker.end_turn(fact.reply_id)
            for action in self._turns.feed(fact, at_ms):
                if isinstance(action, End):
                    return action.reason
                await self._act(action, at_ms, tasks)
            if isinstance(fact, AgentAudioStarted):
                self._speaker.begin_turn(fact.reply_id)

    async def _next_fact(self) -> tuple[int, Heard]:
        deadline_ms, now_ms = self._turns.deadline_ms(), self._now_ms()
        if deadline_ms is not None and deadline_ms <= now_ms:
            return now_ms, TimePassed()
        wait_s = _LOOK_AGAIN_S if deadline_ms is None else (deadline_ms - now_ms) / 1000
        due = asyncio.get_running_loop().call_later(wait_s, self._tell, TimePassed())
        try:
            return await self._inbox.get()
        finally:
            due.cancel()

    async def _act(self, action: Action, at_ms: int, tasks: asyncio.TaskGroup) -> None:
        match action:
            case ShowUserWords(text=text):
                self._emit(UserTurnUpdated(text, at_ms))
            case CommitUserTurn():
                self._commit_user_turn(action)
            case AnswerUser(reply_id=reply_id, text=text, last_word_ms=last_word_ms):
                self._transcript.hear_user(text)
                self._speaker.answer(tasks, reply_id, TurnMoments(last_word_ms, at_ms))
            case TakeNote(text=text):
                self._transcript.note(text)
            case _:
                await self._speaker.obey(action, at_ms, tasks)

    async def _wind_down(self, ears: asyncio.Task[None]) -> None:
        """Closes the line, then waits a moment for the caller's last words and what they cost."""
        await self._speaker.stop(self._now_ms(), by_caller=False)
        await self._link.close()
        self._hearing.finish()
        await asyncio.wait({ears}, timeout=self._plan.tuning.stt_finish_ms / 1000)
        while not self._inbox.empty():
            at_ms, fact = self._inbox.get_nowait()
            self._turns.feed(fact, at_ms)
        for action in self._turns.last_words(self._now_ms()):
            if isinstance(action, CommitUserTurn):
                self._commit_user_turn(action)

    # --- the caller's side --------------------------------------------------------------------------------------------

    def _commit_user_turn(self, turn: CommitUserTurn) -> None:
        self._transcript.hear_user(turn.text)
        self._transcript.commit_user()
        self._emit(UserTurnEnded(self._transcript.next_turn(), turn.text, turn.started_ms, turn.ended_ms))

    async def _hear(self) -> None:
        if not await self._hearing.run():
            self._tell(HearingLost())

    def _take_audio(self, chunk: AudioChunk) -> None:
        if (speech := self._hearing.take(chunk)) is not None:
            self._tell(speech)
        if self._turns.awaits_tone(self._hearing.last_ms) and self._tones.feed(chunk):
            self._tell(ToneHeard())

    async def _listen(self) -> None:
        if isinstance(self._link, QuickAudioLink):
            self._link.give_audio_to(self._take_audio)
        with suppress(LinkClosed):
            async for event in self._link:
                if isinstance(event, CallerAudio):
                    self._take_audio(event.chunk)
                elif isinstance(event, MarkReached):
                    self._speaker.playback.reach_mark(event.name)
                elif isinstance(event, DtmfPressed):
                    self._emit(DtmfReceived(self._now_ms()))
                    self._tell(event)
                elif isinstance(event, LinkEnded):
                    self._tell(CallerLeft(EndReason.LINK_LOST if event.reason == "lost" else EndReason.CALLER_HANGUP))
                    return
        self._tell(CallerLeft(EndReason.LINK_LOST))

    # --- plumbing -----------------------------------------------------------------------------------------------------

    def _now_ms(self) -> int:
        return 0 if self._zero_s is None else round((asyncio.get_running_loop().time() - self._zero_s) * 1000)

    def _tell(self, fact: Heard) -> None:
        try:
            self._inbox.put_nowait((self._now_ms(), fact))
        except asyncio.QueueFull:
            self.dropped_facts += 1

    async def _tell_in_turn(self, fact: Heard) -> None:
        await self._inbox.put((self._now_ms(), fact))

    def _report_failure(self, error: ProviderError) -> None:
        self._emit(ProviderFailed(error.provider, error.category.value, error.message, self._now_ms()))

    def _report_usage(self, records: Iterable[UsageRecord]) -> None:
        for record in records:
            self._emit(UsageRecorded(record, self._now_ms()))
