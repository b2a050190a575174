"""A person on the phone who plays a scenario: speaks prepared audio, hears by energy what was really played, presses keys, hangs up.

The person lives on the line's own clock: the line calls `tick` every 20 ms with what is heard and gets back what is said. No task, no
sleep and no socket, so a scenario plays the same way every time. Nothing here understands the agent's words.
"""

import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

import numpy as np

from simulator.hearing import Ear, bounds_ms
from simulator.scenario import (
    Beep,
    HangUp,
    Interrupt,
    Noise,
    Pause,
    Press,
    Say,
    Scenario,
    Step,
    WaitForAgent,
    WaitForClose,
)
from simulator.speech import Speech

TICK_MS = 20
Tell = Callable[..., None]


@dataclass(slots=True)
class Utterance:
    """Something the caller said. Times are of its first and last sound; `agent_was_speaking` when it began."""

    text: str
    start_ms: float
    end_ms: float
    interrupts: bool = False
    stops: bool = True
    agent_was_speaking: bool = False


class CannotGoOn(Exception):
    """The scenario met a situation it was not written for; the message says which."""


async def prepare(scenario: Scenario, speech: Speech, sample_rate_hz: int) -> dict[str, bytes]:
    """The audio of everything the scenario says, made before the call so that timing during it is exact."""
    clips: dict[str, bytes] = {}
    for text in scenario.texts:
        if text not in clips:
            clips[text] = await speech.synthesise(text, sample_rate_hz, voice=scenario.voice, speed=scenario.speed)
    return clips


_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


async def rehearse(scenario: Scenario, speech: Speech, sample_rate_hz: int) -> None:
    """Speaks the scenario's part and what the scripted model will answer once, so that real voices are quick however busy the machine is.

    Only a back end that keeps what it spoke gains by this. Answers built from what was heard cannot be known before.
    """
    await prepare(scenario, speech, sample_rate_hz)
    for reply in scenario.replies:
        for text in (str(reply.get("say", "")), str(reply.get("after_tool", ""))):
            for sentence in _SENTENCE_END.split(text):
                if sentence.strip() and "{" not in sentence:
                    await speech.synthesise(sentence.strip(), sample_rate_hz)


class Caller:
    """One person's side of one call. `tell(event, at_ms, **facts)` is called for what is worth showing as it happens."""

    def __init__(
        self, scenario: Scenario, clips: Mapping[str, bytes], sample_rate_hz: int, *, starts_at_ms: float = 0.0, tell: Tell | None = None
    ) -> None:
        self._scenario = scenario
        self._clips = clips
        self._sample_rate_hz = sample_rate_hz
        self._frame_bytes = sample_rate_hz * 2 * TICK_MS // 1_000
        self._silence = bytes(self._frame_bytes)
        self._tell: Tell = tell or (lambda *_args, **_facts: None)
        self._sound = b""
        self._sound_at = 0
        self._agent_sounding = False
        self.now_ms = starts_at_ms
        self.turn_since_ms = starts_at_ms
        self.ear = Ear()
        self.utterances: list[Utterance] = []
        self.keys: list[str] = []
        self.failure = ""
        self.has_hung_up = False
        self.is_done = False
        self.step_number = 0
        self._script = self._play()

    @property
    def is_speaking(self) -> bool:
        return bool(self.utterances) and self.utterances[-1].start_ms <= self.now_ms < self.utterances[-1].end_ms

    def tick(self, heard: bytes | None) -> bytes:
        """One 20 ms of the call: what is heard (None: nothing) against what is said (always a whole frame)."""
        self._listen(heard)
        if not self.is_done:
            try:
                next(self._script)
            except StopIteration:
                self.is_done = True
            except CannotGoOn as reason:
                self.is_done = self.has_hung_up = True
                self.failure = f"step {self.step_number}: {reason}"
                self._tell("scenario_failed", self.now_ms, reason=self.failure)
        frame = self._sound[self._sound_at : self._sound_at + self._frame_bytes]
        self._sound_at += self._frame_bytes
        self.now_ms += TICK_MS
        if len(frame) == self._frame_bytes:
            return frame
        return frame + bytes(self._frame_bytes - len(frame)) if frame else self._silence

    def closed(self) -> None:
        """The line is gone: a scenario that was not waiting for that is left unfinished."""
        if self.is_done:
            return
        self.is_done = True
        left = self._scenario.steps[self.step_number - 1 :] if self.step_number else self._scenario.steps
        if any(not isinstance(step, WaitForClose | HangUp) for step in left):
            self.failure = f"step {max(self.step_number, 1)}: the call ended before the scenario did"

    def _listen(self, heard: bytes | None) -> None:
        """What is handed over now sounds during the next frame: audio is never heard before it has arrived."""
        at_ms = self.now_ms + TICK_MS
        is_loud = self.ear.hear(heard, at_ms)
        if is_loud and not self._agent_sounding:
            self._agent_sounding = True
            self._tell("agent_speaks", at_ms)
        elif self._agent_sounding and not self.ear.is_open(self.now_ms):
            self._agent_sounding = False
            self._tell("agent_silent", self.ear.stretches[-1].end_ms)

    def _play(self) -> Generator[None]:
        for number, step in enumerate(self._scenario.steps, start=1):
            self.step_number = number
            yield from self._act(step)
            if self.has_hung_up:
                return
        self.has_hung_up = True

    def _act(self, step: Step) -> Generator[None]:
        match step:
            case Say():
                yield from self._speak(step.text)
            case Interrupt():
                yield from self._wait_to_interrupt(step)
                yield from self._speak(step.text, interrupts=True, stops=step.stops)
            case WaitForAgent():
                yield from self._wait_for_agent(step)
            case Press():
                for digit in step.digits:
                    self.keys.append(digit)
                    self._tell("key_pressed", self.now_ms)
                    yield from self._stay(step.gap_ms)
            case Pause():
                yield from self._stay(step.ms)
            case Noise():
                yield from self._emit(_noise(step.ms, self._sample_rate_hz, step.level_db))
            case Beep():
                yield from self._emit(_tone(step.ms, self._sample_rate_hz, step.hz))
                self.turn_since_ms = self.now_ms
            case HangUp():
                self.has_hung_up = True
            case WaitForClose():
                yield from self._wait_for_close(step)

    def _speak(self, text: str, *, interrupts: bool = False, stops: bool = True) -> Generator[None]:
        pcm = self._clips[text]
        first_ms, last_ms = bounds_ms(pcm, self._sample_rate_hz)
        speaking = self.ear.last_loud_ms is not None and self.now_ms - self.ear.last_loud_ms <= 200
        spoken = Utterance(text, self.now_ms + first_ms, self.now_ms + last_ms, interrupts, stops, speaking)
        self.utterances.append(spoken)
        self.turn_since_ms = spoken.end_ms
        self._tell("caller_speaks", spoken.start_ms, text=text, interrupts=interrupts)
        yield from self._emit(pcm)
        self._tell("caller_silent", spoken.end_ms)

    def _emit(self, pcm: bytes) -> Generator[None]:
        self._sound, self._sound_at = pcm, 0
        while self._sound_at < len(self._sound):
            yield

    def _stay(self, ms: float) -> Generator[None]:
        until_ms = self.now_ms + ms
        while self.now_ms < until_ms:
            yield

    def _has_agent_spoken(self) -> bool:
        return self.ear.last_loud_ms is not None and self.ear.last_loud_ms > self.turn_since_ms

    def _wait_for_agent(self, step: WaitForAgent) -> Generator[None]:
        deadline_ms = self.now_ms + step.deadline_s * 1_000
        while not (self._has_agent_spoken() and self.now_ms - (self.ear.last_loud_ms or 0) >= step.quiet_ms):
            if self.now_ms >= deadline_ms:
                state = "did not stop speaking" if self._has_agent_spoken() else "said nothing"
                raise CannotGoOn(f"the agent {state} within {step.deadline_s:g} s")
            yield

    def _wait_to_interrupt(self, step: Interrupt) -> Generator[None]:
        deadline_ms = self.now_ms + step.deadline_s * 1_000
        began_ms: float | None = None
        while True:
            if self._has_agent_spoken():
                began_ms = self.now_ms if began_ms is None else began_ms
                quiet_ms = self.now_ms - (self.ear.last_loud_ms or 0)
                if self.now_ms - began_ms >= step.after_ms and quiet_ms <= TICK_MS:
                    return
                if quiet_ms > 2_000:
                    raise CannotGoOn(f"the agent fell silent before it could be interrupted after {step.after_ms} ms")
            if self.now_ms >= deadline_ms:
                raise CannotGoOn(f"the agent said nothing to interrupt within {step.deadline_s:g} s")
            yield

    def _wait_for_close(self, step: WaitForClose) -> Generator[None]:
        deadline_ms = self.now_ms + step.deadline_s * 1_000
        while self.now_ms < deadline_ms:
            yield
        raise CannotGoOn(f"the other side did not end the call within {step.deadline_s:g} s")


def _noise(ms: int, sample_rate_hz: int, level_db: float) -> bytes:
    rms = 32_767 * 10 ** (level_db / 20)
    samples = np.random.default_rng(7).normal(0.0, rms, ms * sample_rate_hz // 1_000)
    return np.clip(samples, -32_767, 32_767).astype("<i2").tobytes()


def _tone(ms: int, sample_rate_hz: int, hz: int) -> bytes:
    times = np.arange(ms * sample_rate_hz // 1_000) / sample_rate_hz
    return (9_000 * np.sin(2 * np.pi * hz * times)).astype("<i2").tobytes()
