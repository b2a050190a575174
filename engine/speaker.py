"""The agent's side of the talk: at most one reply in work, its turn in the transcript, and the events that tell of it.

It starts and stops what `turn_taking` orders, on behalf of the session. Turns get their number when they are first heard.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from engine.events import AgentTurnEnded, AgentTurnInterrupted, AgentTurnStarted, AgentTurnUpdated, EndReason, SessionEvent, TurnLatency
from engine.latency import TurnMoments
from engine.moves import (
    Action,
    AgentAudioStarted,
    AnswerWritten,
    CallerLeft,
    DropAnswer,
    GoodbyeDecided,
    Heard,
    PauseReply,
    PrepareAnswer,
    Prepared,
    ReplyEnded,
    ResumeReply,
    SayPrepared,
    SentenceStarted,
    StopReply,
)
from engine.plan import SessionParts, SessionPlan
from engine.playback import Playback
from engine.ports import AudioLink
from engine.reply import Reply, ReplyParts
from engine.sentence_cache import SentenceCache
from engine.spending import INTERRUPTED, SPECULATIVE
from engine.tools import Toolbox
from engine.transcript import AgentTurn, Piece, Transcript

_STOP_S = 2.0
_LAST_WORDS = (Prepared.GOODBYE, Prepared.HANDOVER, Prepared.TRANSFER, Prepared.MUST_END)


@dataclass(slots=True)
class _Current:
    """The reply in work."""

    reply_id: int
    reply: Reply
    turn: AgentTurn
    moments: TurnMoments | None
    latency: TurnLatency | None = None
    task: asyncio.Task[None] | None = None


class Speaker:
    """Speaks for one session. `tell` and `tell_in_turn` carry facts to the session's loop; `now_ms` is its clock."""

    def __init__(
        self,
        plan: SessionPlan,
        parts: SessionParts,
        link: AudioLink,
        transcript: Transcript,
        *,
        now_ms: Callable[[], int],
        emit: Callable[[SessionEvent], None],
        tell: Callable[[Heard], None],
        tell_in_turn: Callable[[Heard], Awaitable[None]],
    ) -> None:
        self.playback = Playback(link, plan.tuning, self._piece_started, lambda: tell(CallerLeft(EndReason.LINK_LOST)))
        self._toolbox = Toolbox(plan.tools)
        self._hand_over, self._hand_over_s = parts.hand_over, plan.tuning.hand_over_ms / 1000
        self._transcript = transcript
        self._now_ms = now_ms
        self._emit = emit
        self._tell = tell
        self._tell_in_turn = tell_in_turn
        self._texts = {
            Prepared.FIRST_MESSAGE: plan.first_message,
            Prepared.STILL_THERE: plan.still_there,
            Prepared.APOLOGY: plan.apology,
            Prepared.NOT_CAUGHT: plan.not_caught,
            Prepared.REGRET: plan.regret or plan.apology,
            Prepared.HANDOVER: plan.handover,
            Prepared.GOODBYE: plan.goodbye,
            Prepared.MUST_END: plan.must_end or plan.goodbye,
            Prepared.TIME_WARNING: plan.time_warning,
            Prepared.VOICEMAIL_MESSAGE: plan.voicemail_message,
        }
        self._reply_parts = ReplyParts(
            llm=parts.llm,
            tts=parts.tts,
            playback=self.playback,
            transcript=transcript,
            toolbox=self._toolbox,
            tuning=plan.tuning,
            link_rate_hz=link.sample_rate_hz,
            goodbye=plan.goodbye,
            now_ms=now_ms,
            emit=emit,
            cache=SentenceCache(link.sample_rate_hz, parts.repeated, parts.voice_key),
            prepared=parts.prepared,
            filler=plan.filler,
            pronunciations=plan.pronunciations,
        )
        self._current: _Current | None = None
        self._leaving: asyncio.Task[None] | None = None  # a reply that was cancelled: the next one waits until it is gone
        self._is_mute = False  # the voice was of no use to the last answer
        self._paused: tuple[int, int] | None = None  # when the speech that paused us was known, and after how many ms we were silent

    async def obey(self, action: Action, at_ms: int, tasks: asyncio.TaskGroup) -> None:
        """Carries out what turn-taking ordered of the agent's side."""
        match action:
            case PrepareAnswer(reply_id=reply_id, text=text):
                self.prepare(tasks, reply_id, text)
            case DropAnswer(reply_id=reply_id):
                await self.drop(reply_id)
            case SayPrepared(reply_id=reply_id, sentence=sentence, words=words):
                self.say(tasks, reply_id, sentence, words)
            case PauseReply():
                await self.pause(at_ms)
            case ResumeReply():
                self.resume()
            case StopReply(by_caller=by_caller):
                await self.stop(at_ms, by_caller=by_caller)

    def prepare(self, tasks: asyncio.TaskGroup, reply_id: int, text: str) -> None:
        """Begins to answer `text` unheard. `answer` with the same id lets it be heard; `drop` throws it away."""
        self._start(tasks, reply_id, TurnMoments(0, 0), None, supposes=text)

    def answer(self, tasks: asyncio.TaskGroup, reply_id: int, moments: TurnMoments) -> None:
        """Lets the model answer what the transcript says. An answer prepared under this id is the one, unless it failed."""
        current = self._current
        if current is not None and current.reply_id == reply_id and current.reply.is_draft and not current.reply.failed:
            current.reply.release(moments)
            return
        self._start(tasks, reply_id, moments, None)

    async def drop(self, reply_id: int) -> None:
        """Throws a prepared answer away. Nothing of it was heard; what it cost is told as speculative."""
        current = self._current
        if current is not None and current.reply_id == reply_id and current.reply.is_draft:
            await self._discard(current)

    def say(self, tasks: asyncio.TaskGroup, reply_id: int, sentence: Prepared, words: str = "") -> None:
        if words:
            self._texts[sentence] = words
        self._start(tasks, reply_id, None, sentence)

    def begin_turn(self, reply_id: int) -> None:
        """The first audio of a reply is out, and the caller's turn before it is told: now the agent's turn is too."""
        current = self._current
        if current is None or current.reply_id != reply_id or current.turn.started_ms is None:
            return
        turn = current.turn
        turn.number = self._transcript.next_turn()
        self._emit(AgentTurnStarted(turn.number, current.turn.started_ms, current.latency))
        first = next(piece for piece in turn.pieces if piece.start_ms is not None)
        self._emit(AgentTurnUpdated(turn.number, turn.said_until(first), current.turn.started_ms))

    def end_turn(self, reply_id: int) -> None:
        """A reply came to its own end: it was heard whole, or it failed on the way."""
        if self._current is not None and self._current.reply_id == reply_id:
            self._end(self._current, self.playback.heard_ms(), interrupted=False)

    async def stop(self, known_ms: int, *, by_caller: bool) -> None:
        """Silences the line and cancels the reply in work. A turn that the caller had heard to its end was not interrupted."""
        current, paused = self._current, self._paused
        self._paused = None
        if current is None or current.task is None:
            return
        if current.reply.is_draft:
            await self._discard(current)
            return
        was_heard_whole = self.playback.is_heard_whole
        current.task.cancel()
        heard_ms = self.playback.heard_ms() if was_heard_whole else await self.playback.interrupt()
        if by_caller and not was_heard_whole and current.turn.number:
            known_ms, silence_after_ms = paused or (known_ms, self._now_ms() - known_ms)
            self._emit(AgentTurnInterrupted(current.turn.number, known_ms, silence_after_ms))
        self._end(current, heard_ms, interrupted=not was_heard_whole)
        await asyncio.wait({current.task}, timeout=_STOP_S)
        current.reply.account(INTERRUPTED)

    async def pause(self, known_ms: int) -> None:
        """Silences the line, but keeps what was not heard yet for `resume`. `known_ms`: when the caller's speech was known."""
        if self._current is None or self._paused is not None or self._current.reply.is_draft:
            return
        await self.playback.pause()
        self._paused = (known_ms, self._now_ms() - known_ms)

    def resume(self) -> None:
        """Goes on with the audio exactly where `pause` cut it."""
        self._paused = None
        self.playback.resume()

    async def close(self) -> None:
        """Stops the tools that still run."""
        await self._toolbox.close()

    def _start(
        self, tasks: asyncio.TaskGroup, reply_id: int, moments: TurnMoments | None, sentence: Prepared | None, supposes: str | None = None
    ) -> None:
        if self._current is not None and self._current.reply.is_draft:  # one that failed, or that nobody has dropped
            self._cancel_draft(self._current)
        self._paused = None
        turn = AgentTurn(supposes=supposes)
        reply = Reply(
            self._reply_parts,
            turn,
            moments,
            on_end=lambda reason: self._tell(GoodbyeDecided(reply_id, reason)),
            on_written=lambda: self._tell(AnswerWritten(reply_id)),
        )
        self._current = current = _Current(reply_id, reply, turn, moments)
        current.task = tasks.create_task(self._run(current, sentence), name=f"reply {reply_id}")

    async def _discard(self, draft: _Current) -> None:
        self._cancel_draft(draft)
        if draft.task is not None:
            await asyncio.wait({draft.task}, timeout=_STOP_S)
        await self.playback.interrupt()

    def _cancel_draft(self, draft: _Current) -> None:
        self._current = None
        if draft.task is not None:
            draft.task.add_done_callback(lambda _: draft.reply.account(SPECULATIVE))
            draft.task.cancel()
            self._leaving = draft.task

    async def _run(self, current: _Current, sentence: Prepared | None) -> None:
        if self._leaving is not None:
            await asyncio.wait({self._leaving}, timeout=_STOP_S)
            self._leaving = None
        if sentence is None:
            await current.reply.answer()
        elif sentence is not Prepared.HANDOVER or await self._is_handed_over(current.reply_id):
            is_last = sentence in _LAST_WORDS
            await current.reply.say(self._texts[sentence], is_goodbye=is_last, from_memory=self._is_mute)
        await current.reply.wait_released()
        current.reply.account()
        self._is_mute = current.reply.is_mute or (self._is_mute and sentence is not None)
        reply = current.reply
        await self._tell_in_turn(ReplyEnded(current.reply_id, reply.failed, reply.spoke, reply.is_down, reply.is_awaited))

    async def _is_handed_over(self, reply_id: int) -> bool:
        """Gives the call to a person, if there is one and time for it. The sentence that says so is said only then."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._hand_over_s):
                if self._hand_over is not None and await self._hand_over():
                    self._tell(GoodbyeDecided(reply_id, EndReason.TRANSFERRED))
                    return True
        return False

    def _piece_started(self, piece: Piece) -> None:
        """Playback put the first audio of `piece` on the link."""
        current = self._current
        if current is None or not any(each is piece for each in current.turn.pieces):
            return
        now_ms = self._now_ms()
        if current.turn.started_ms is None:
            current.turn.started_ms = now_ms
            current.latency = current.moments.latency(now_ms) if current.moments else None
            self._tell(AgentAudioStarted(current.reply_id))
            self._tell(SentenceStarted(current.reply_id, piece.text))
            return
        self._tell(SentenceStarted(current.reply_id, piece.text))
        if current.turn.number:
            self._emit(AgentTurnUpdated(current.turn.number, current.turn.said_until(piece), now_ms))

    def _end(self, current: _Current, heard_ms: float, *, interrupted: bool) -> None:
        self._current = None
        turn = current.turn
        if interrupted or current.reply.failed or turn.is_broken:
            turn.settle(heard_ms)
        if turn.number and turn.started_ms is not None:
            ended_ms = self._now_ms()
            self._emit(AgentTurnEnded(turn.number, turn.heard, turn.generated, interrupted, turn.started_ms, ended_ms, current.latency))
