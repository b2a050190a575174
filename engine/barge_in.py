"""Does this sound from the caller stop the agent? Decisions only; whoever carries them out has the clock and the line."""

from engine.ports import FinalTranscript, InterimTranscript, SpeechStarted, TranscriptEvent
from engine.tuning import Tuning
from engine.words import words_of

__all__ = ["interrupts", "is_backchannel", "words_of"]


def is_backchannel(text: str, tuning: Tuning) -> bool:
    """Whether the caller only says "I am listening": acknowledgement words and nothing else."""
    words = words_of(text)
    return bool(words) and all(word in tuning.backchannels for word in words)


def interrupts(event: TranscriptEvent, tuning: Tuning) -> bool:
    """Whether `event`, heard while the agent's audio plays, stops the agent."""
    match event:
        case SpeechStarted():
            return tuning.interrupt_on_speech
        case InterimTranscript(text=text) | FinalTranscript(text=text):
            words = words_of(text)
            if tuning.interrupt_on_speech:
                return bool(words)
            return len(words) >= tuning.interrupt_min_words and not is_backchannel(text, tuning)
        case _:
            return False
