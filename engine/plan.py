"""What a session is given: its plan and the providers that it talks through. Whoever assembles a conversation fills these in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from engine.keypad import Keypad
from engine.ports import LanguageModel, Message, PreparedAudio, SpeechToText, TextToSpeech
from engine.sentence_cache import RepeatedSentences
from engine.tools import Tool
from engine.tuning import Tuning


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What is to be talked about and how.

    `mode` "voicemail" says `first_message`, then listens without a word until the caller falls silent. A `first_message` of "" waits for
    the caller to speak first. `apology`, `goodbye`, `still_there` and `time_warning` need no model; "" leaves one out.
    `time_warning` is said `Tuning.warning_ms` before `max_duration_ms` comes. `outbound`: we placed the call, so a machine may answer;
    `voicemail_message` is what it is told where `Tuning.voicemail` says so ("": it is hung up on).
    `not_caught` asks the caller to repeat what nobody understood. When every provider is down `regret` ("": the `apology`) is said, and
    then `handover` while `SessionParts.hand_over` gives the call to a person ("": there is nobody), else `goodbye`.
    `must_end` is the goodbye of a call whose budget is used up ("": the `goodbye`).
    `filler` is said while the caller waits for a tool or a slow provider. `pronunciations` are pairs (written, spoken), whole words only.
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
    time_warning: str = ""
    outbound: bool = False
    voicemail_message: str = ""
    filler: str = ""
    not_caught: str = ""
    regret: str = ""
    handover: str = ""
    must_end: str = ""
    pronunciations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SessionParts:
    stt: SpeechToText
    llm: LanguageModel
    tts: TextToSpeech
    prepared: PreparedAudio | None = None  # sentences whose audio is in memory already
    keypad: Keypad | None = None  # shared with the tools that collect digits
    hand_over: Callable[[], Awaitable[bool]] | None = None  # keeps that a person takes the call; False: nobody can
    repeated: RepeatedSentences | None = None  # the process's memory of what is said again and again
    voice_key: str = ""  # names the voice with all that changes its sound, for that memory
