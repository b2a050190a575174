"""What replies are made with: the same for every reply of a session. Only shapes; nothing here acts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from engine.errors import ProviderError
from engine.events import ProviderFailed, SessionEvent
from engine.ports import LanguageModel, PreparedAudio, TextToSpeech
from engine.sentence_cache import SentenceCache
from engine.tools import Toolbox
from engine.transcript import Piece, Transcript
from engine.tuning import Tuning


class Mouth(Protocol):
    """Where a reply's audio goes. `begin` a turn, `open` and `close` its pieces, `write` between them, then `finish`.

    A turn begun `held` is inaudible until `release`.
    """

    def begin(self, *, held: bool = False) -> None: ...

    def release(self) -> None: ...

    def open(self, piece: Piece) -> None: ...

    async def write(self, pcm: bytes) -> None:
        """Queues audio, and waits while too much of it is queued."""

    def add(self, pcm: bytes) -> None:
        """Queues audio that is in memory anyway, without waiting."""

    def close(self, piece: Piece) -> None: ...

    def finish(self) -> None: ...

    def quiet_ms(self) -> float:
        """How long nothing has been audible; negative while audio is queued or playing."""

    async def room(self) -> None:
        """Waits until so little is queued that the next piece should be fetched."""

    async def heard_to_end(self, *, patient: bool) -> None:
        """Waits, after `finish`, until the caller has heard the whole turn."""


@dataclass(frozen=True, slots=True)
class ReplyParts:
    """`now_ms` is the session's clock; `emit` must not block."""

    llm: LanguageModel
    tts: TextToSpeech
    playback: Mouth
    transcript: Transcript
    toolbox: Toolbox
    tuning: Tuning
    link_rate_hz: int
    goodbye: str
    now_ms: Callable[[], int]
    emit: Callable[[SessionEvent], None]
    cache: SentenceCache
    prepared: PreparedAudio | None = None
    filler: str = ""
    pronunciations: tuple[tuple[str, str], ...] = field(default=())

    def report(self, error: ProviderError) -> None:
        self.emit(ProviderFailed(error.provider, error.category.value, error.message, self.now_ms()))
