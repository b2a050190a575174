"""The language of turn-taking: what it is told (`Heard`), and what it orders (`Action`). Words only; nothing here decides or acts."""

from dataclasses import dataclass
from enum import Enum

from engine.events import EndReason
from engine.ports import DtmfPressed, TranscriptEvent


class Prepared(Enum):
    """A sentence that needs no model."""

    FIRST_MESSAGE = "first-message"
    STILL_THERE = "still-there"
    TIME_WARNING = "time-warning"
    VOICEMAIL_MESSAGE = "voicemail-message"
    NOT_CAUGHT = "not-caught"
    APOLOGY = "apology"
    REGRET = "regret"
    HANDOVER = "handover"
    TRANSFER = "transfer"
    GOODBYE = "goodbye"
    MUST_END = "must-end"


# --- told -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """The line is up: the conversation begins."""


@dataclass(frozen=True, slots=True)
class AgentAudioStarted:
    """The first audio of a reply went out on the link."""

    reply_id: int


@dataclass(frozen=True, slots=True)
class SentenceStarted:
    """The first audio of a sentence of a reply went out: `text` is what the agent is saying from now on."""

    reply_id: int
    text: str


@dataclass(frozen=True, slots=True)
class GoodbyeDecided:
    """The call ends with this reply: what it still says is the last that the caller hears. `reason`: a goodbye, or a transfer."""

    reply_id: int
    reason: EndReason = EndReason.AGENT_GOODBYE


@dataclass(frozen=True, slots=True)
class AnswerWritten:
    """The model has written its answer to the end: no tool is asked for any more. It may be heard for a while yet."""

    reply_id: int


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """A reply was heard to its end, or failed. `spoke`: at least one whole sentence of it was played.

    `is_down`: it failed because nobody who could have made it can be reached, which is more than a stumble. `is_awaited`: what was heard
    was cut in a sentence, or followed by a wait, so that the caller expects more.
    """

    reply_id: int
    failed: bool
    spoke: bool
    is_down: bool = False
    is_awaited: bool = False


@dataclass(frozen=True, slots=True)
class SoundBegan:
    """Our own ear hears a sound on the caller's line: speech, or a door."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SoundEnded:
    """The sound is over, and lasted for so long."""

    lasted_ms: int


@dataclass(frozen=True, slots=True)
class HearingStumbled:
    """Speech recognition failed and is tried again: what the caller says meanwhile may be understood late or never."""


@dataclass(frozen=True, slots=True)
class HearingLost:
    """Speech recognition is gone for good: the agent is deaf."""


@dataclass(frozen=True, slots=True)
class CallerLeft:
    """The link ended: nothing can be said any more."""

    reason: EndReason


@dataclass(frozen=True, slots=True)
class EndRequested:
    """Somebody on our side wants the call to end."""

    reason: EndReason


@dataclass(frozen=True, slots=True)
class NoteGiven:
    """Somebody on our side tells the agent something that the caller does not hear: the next answer knows it."""

    text: str


@dataclass(frozen=True, slots=True)
class HandOverRequested:
    """Somebody on our side has decided that a person takes the call: `words` are said, then the line is that person's."""

    words: str


@dataclass(frozen=True, slots=True)
class ToneHeard:
    """A long, steady tone came from the far side: a machine that is ready to record."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The moment of `TurnTaking.deadline_ms` has come."""


Heard = (
    SessionOpened
    | TranscriptEvent
    | SoundBegan
    | SoundEnded
    | DtmfPressed
    | AgentAudioStarted
    | SentenceStarted
    | GoodbyeDecided
    | AnswerWritten
    | ReplyEnded
    | HearingLost
    | HearingStumbled
    | CallerLeft
    | EndRequested
    | NoteGiven
    | HandOverRequested
    | ToneHeard
    | TimePassed
)

# --- ordered ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShowUserWords:
    """The caller's unfinished turn reads like this now."""

    text: str


@dataclass(frozen=True, slots=True)
class CommitUserTurn:
    """The caller's turn is final: nothing can be added to it any more."""

    text: str
    started_ms: int
    ended_ms: int


@dataclass(frozen=True, slots=True)
class PrepareAnswer:
    """Begin to answer `text` unheard: the caller has probably finished. `AnswerUser` with the same id lets it be heard, or
    `DropAnswer` throws it away; until then none of its audio may go out and no fact about it may be told.
    """

    reply_id: int
    text: str


@dataclass(frozen=True, slots=True)
class DropAnswer:
    """The prepared answer is not wanted: nobody heard it, nobody will, and it leaves no trace but what it cost."""

    reply_id: int


@dataclass(frozen=True, slots=True)
class AnswerUser:
    """Let the model answer. `text` is the caller's whole turn; it may still go on, and is then asked again, longer.

    With the id of a `PrepareAnswer` that was not dropped, that answer is the one: it says the same as `text` does now.
    """

    reply_id: int
    text: str
    last_word_ms: int


@dataclass(frozen=True, slots=True)
class SayPrepared:
    """`words`: what is said, where the plan does not know it."""

    reply_id: int
    sentence: Prepared
    words: str = ""


@dataclass(frozen=True, slots=True)
class TakeNote:
    """From here on the model knows this too."""

    text: str


@dataclass(frozen=True, slots=True)
class PauseReply:
    """Silence the line at once, but keep what was not heard yet: the sound may turn out to be no interruption.

    Followed by `ResumeReply`, or by `StopReply`, which then counts as known from this moment on.
    """


@dataclass(frozen=True, slots=True)
class ResumeReply:
    """It was no interruption: go on with the audio exactly where it was cut."""


@dataclass(frozen=True, slots=True)
class StopReply:
    """Cancel the reply in work and silence the line. `by_caller`: the caller began to speak over the agent's audio."""

    by_caller: bool


@dataclass(frozen=True, slots=True)
class End:
    """Close the line, now."""

    reason: EndReason


Action = (
    ShowUserWords
    | CommitUserTurn
    | PrepareAnswer
    | DropAnswer
    | AnswerUser
    | SayPrepared
    | PauseReply
    | ResumeReply
    | StopReply
    | TakeNote
    | End
)
