"""What is this sound from the caller while the agent speaks? Decisions only; `interruption.py` makes a pause or a stop of it."""

from dataclasses import replace
from enum import Enum

from engine.echo import could_be_echo, is_echo
from engine.ports import EagerEndOfTurn, FinalTranscript, InterimTranscript, SpeechStarted, TranscriptEvent
from engine.tuning import Tuning
from engine.words import words_of

__all__ = ["Verdict", "is_backchannel", "judge", "while_greeting", "words_of"]


class Verdict(Enum):
    """From nothing at all to a wish to speak."""

    NOTHING = "nothing"
    SOUND = "sound"  # of speech, no words yet
    ECHO = "echo"  # the agent's own words, back from a loudspeaker
    ACKNOWLEDGEMENT = "acknowledgement"  # "haan", "ok": go on, I am listening
    PERHAPS_ECHO = "perhaps-echo"  # too short to tell
    FEW_WORDS = "few-words"  # more may follow
    INTERRUPTION = "interruption"


def is_backchannel(text: str, tuning: Tuning) -> bool:
    """Whether the caller only says "I am listening": acknowledgement words and nothing else."""
    words = words_of(text)
    return bool(words) and all(word in tuning.backchannels for word in words)


def judge(event: TranscriptEvent, saying: str, tuning: Tuning) -> Verdict:
    """`event` was heard while the agent says `saying`."""
    match event:
        case SpeechStarted():
            return Verdict.SOUND if tuning.interrupt_on_speech else Verdict.NOTHING
        case InterimTranscript(text=text) | FinalTranscript(text=text) | EagerEndOfTurn(text=text):
            return _judge_words(text, saying, tuning)
        case _:
            return Verdict.NOTHING


def while_greeting(tuning: Tuning) -> Tuning:
    """The tuning for the first message: a "hello?" at pick-up is only a greeting there."""
    return replace(
        tuning, backchannels=tuning.backchannels | tuning.greetings, interrupting_words=tuning.interrupting_words - tuning.greetings
    )


def _judge_words(text: str, saying: str, tuning: Tuning) -> Verdict:
    words = words_of(text)
    if not words:
        return Verdict.NOTHING
    if is_echo(text, saying, tuning.echo_similarity):
        return Verdict.ECHO
    if tuning.interrupting_words.intersection(words) - set(words_of(saying)):
        return Verdict.INTERRUPTION
    if is_backchannel(text, tuning):
        return Verdict.ACKNOWLEDGEMENT
    if could_be_echo(text, saying, tuning.echo_similarity):
        return Verdict.PERHAPS_ECHO
    return Verdict.FEW_WORDS if len(words) < tuning.interrupt_min_words else Verdict.INTERRUPTION
