"""Puts a whole conversation on: a scripted caller on a carrier's line, scripted providers, the real session between them."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from engine.events import AgentTurnEnded, ProviderFailed, SessionEnded, UserTurnEnded
from engine.session import ConversationSession, SessionParts, SessionPlan
from engine.tuning import Tuning
from tests.engine.carrier import Line, Says
from tests.engine.vendors import Ears, Mind, Thought, Voice
from tests.engine.virtual_loop import play

GREETING = "Hello, this is Asha from Sunrise Clinic."
GOODBYE = "Goodbye and take care."
APOLOGY = "Sorry, I have a problem on my side."
STILL_THERE = "Are you still there?"


def plan(**changes):
    given: dict[str, Any] = {
        "instructions": "You are Asha.",
        "first_message": GREETING,
        "max_duration_ms": 120_000,
        "silence_timeout_ms": 8_000,
        "mode": "live",
        "apology": APOLOGY,
        "goodbye": GOODBYE,
        "still_there": STILL_THERE,
        "tuning": Tuning(),
    }
    return SessionPlan(**(given | changes))


@dataclass
class Scene:
    """What became of a conversation. Every event with its own `at_ms` where it has one."""

    events: list = field(default_factory=list)
    line: Any = None  # a Line, Ears, Mind and Voice once it is played
    ears: Any = None
    mind: Any = None
    voice: Any = None

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def reason(self):
        return self.events[-1].reason

    @property
    def ended_ms(self):
        return self.events[-1].at_ms

    @property
    def dialogue(self):
        """Who was heard to say what, in order."""
        lines = []
        for event in self.events:
            if isinstance(event, UserTurnEnded):
                lines.append(("user", event.text))
            elif isinstance(event, AgentTurnEnded):
                lines.append(("agent", event.heard))
        return lines

    @property
    def failed_providers(self):
        return [event.provider for event in self.of(ProviderFailed)]

    def ms(self, at_s):
        """A moment of the loop in ms of the session."""
        return round((at_s - self.line.zero_s) * 1000)


def perform(
    script=(), *, thoughts=None, session_plan=None, ears=None, voice=None, line=None, during=None, prepared=None, mind=None, hand_over=None
):
    """Plays the conversation to its end in virtual time. `during(session)` may be a coroutine function that acts while it runs."""
    scene = Scene()

    async def run():
        scene.line = line or Line(list(script))
        scene.ears = ears or Ears([])
        scene.ears.lines = [step for step in scene.line.script if isinstance(step, Says)]
        scene.mind = mind or Mind(thoughts or [Thought("I see, thank you for telling me.")])
        scene.voice = voice or Voice()
        session = ConversationSession(
            session_plan or plan(),
            SessionParts(scene.ears, scene.mind, scene.voice, prepared, hand_over=hand_over),
            scene.line,
            scene.events.append,
        )
        actor = asyncio.create_task(during(session)) if during else None
        ended = await session.run()
        if actor is not None:
            await actor
        assert scene.events[-1] is ended

    play(run())
    assert len(scene.of(SessionEnded)) == 1
    assert scene.line.is_closed
    assert scene.mind.open_streams == 0
    assert scene.voice.open_streams == 0
    assert all(stream.is_closed for stream in scene.ears.streams if stream.fault not in ("open", "hang"))
    assert all(sent.size == scene.line.chunk_bytes for sent in scene.line.sent)
    lead_limit_ms = max(400, scene.line.chunk_bytes / scene.line.sample_rate_hz / 2 * 1000)
    assert all(sent.lead_ms <= lead_limit_ms + 0.01 for sent in scene.line.sent)
    return scene
