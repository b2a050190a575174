"""What a session is given: its plan and the providers that it talks through. Whoever assembles a conversation fills these in."""

from dataclasses import dataclass, field
from typing import Literal

from engine.ports import LanguageModel, Message, SpeechToText, TextToSpeech
from engine.tools import Tool
from engine.tuning import Tuning


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What is to be talked about and how.

    `mode` "voicemail" says `first_message`, then listens without a word until the caller falls silent. A `first_message` of "" waits for
    the caller to speak first. `apology`, `goodbye` and `still_there` need no model; "" leaves one out.
    """

    instructions: str
    first_message: str
    max_duration_ms: int
    silence_timeout_ms: int
    mode: Literal["live", "voicemail"]
    apology: str
    goodbye: str
    still_there: str
    tools: tuple[Tool, ...] = ()
    history: tuple[Message, ...] = ()
    tuning: Tuning = field(default_factory=Tuning)


@dataclass(frozen=True, slots=True)
class SessionParts:
    stt: SpeechToText
    llm: LanguageModel
    tts: TextToSpeech
