"""The manners that operators may set: each with its limits, a label and a help text in their words. A table; `manners` judges by it.

The defaults are the engine's and the recogniser's own, made for Indian phone lines. Deadlines and buffers are not here: they stay ours.
"""

from dataclasses import dataclass, fields
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from engine.tuning import Tuning
from providers.config import SpeechToTextOptions

# What the recogniser is told, and not the engine: by the names of its options.
LISTENING: Final = ("end_of_turn_confidence", "eager_confidence", "end_of_turn_timeout_ms")


@dataclass(frozen=True, slots=True)
class Manner:
    """One thing to set. `low` and `high` bound a number; `choices` are the values of a word. The default tells the kind."""

    name: str
    label: Any
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()
    help: Any = ""

    @property
    def default(self) -> Any:
        return DEFAULTS[self.name]


def _shown(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else value


DEFAULTS: Final[dict[str, Any]] = {field.name: _shown(getattr(Tuning(), field.name)) for field in fields(Tuning)} | {
    name: getattr(SpeechToTextOptions("", ""), name) for name in LISTENING
}

GROUPS: Final[tuple[tuple[Any, tuple[Manner, ...]], ...]] = (
    (
        _("Interruptions"),
        (
            Manner("interrupt_on_speech", _("Pauses at a sound, before any word"), help=_("Off: only words interrupt it.")),
            Manner(
                "min_speech_ms", _("Sound that pauses the agent (ms)"), 0, 2000, help=_("Longer on noisy lines, so that a cough is none.")
            ),
            Manner("interrupt_min_words", _("Words that interrupt it"), 1, 10, help=_("How many words it takes to stop it for good.")),
            Manner(
                "backchannels",
                _("Words that do not interrupt"),
                help=_("English, Hindi and Hinglish, romanised and in Devanagari. Your list replaces ours."),
            ),
            Manner("interrupting_words", _("Words that always interrupt"), help=_("One of them is enough. Your list replaces ours.")),
            Manner("greetings", _("Words that do not interrupt the first message"), help=_("What people say when they pick up.")),
            Manner("false_start_ms", _("Goes on after a false start (ms)"), 200, 5000, help=_("How long a sound may stay without words.")),
            Manner(
                "acknowledgement_wait_ms",
                _("Goes on after a “haan” (ms)"),
                0,
                3000,
                help=_("More may follow an acknowledgement in this time."),
            ),
            Manner("max_false_starts", _("False starts in one reply"), 0, 10, help=_("After so many the line is noisy: only words count.")),
            Manner(
                "echo_similarity",
                _("Likeness that is an echo (0 to 1)"),
                0,
                1,
                help=_("How alike words must be to what the agent says to be its own, from a loudspeaker. 0: never."),
            ),
            Manner("keys_interrupt", _("Keys interrupt it"), help=_("A key on the telephone stops the agent, as a word does.")),
            Manner("local_vad", _("Listens for sound itself"), help=_("For recognisers that tell late, or never, that somebody speaks.")),
        ),
    ),
    (
        _("The end of the caller's turn"),
        (
            Manner(
                "complete_wait_ms",
                _("Extra wait after a complete sentence (ms)"),
                0,
                3000,
                help=_("For callers who think while they talk."),
            ),
            Manner(
                "unfinished_wait_ms",
                _("Extra wait after an unfinished one (ms)"),
                0,
                5000,
                help=_("After “my name is”, “aur”, a comma, an um."),
            ),
            Manner(
                "unfinished_words", _("Words that no sentence ends with"), help=_("After one of them it waits. Your list replaces ours.")
            ),
            Manner("dictation_wait_ms", _("Extra wait while a number is dictated (ms)"), 0, 8000, help=_("Between groups of digits.")),
            Manner(
                "max_extra_wait_ms",
                _("Most that is added for slow talkers (ms)"),
                0,
                3000,
                help=_("Who was cut short gets more time, up to this."),
            ),
            Manner("quiet_gap_ms", _("Pause that ends a turn by itself (ms)"), 500, 5000, help=_("Where the recogniser does not say so.")),
            Manner("stale_interim_ms", _("Takes a guess for words after (ms)"), 1000, 8000, help=_("Where it is never confirmed.")),
            Manner(
                "words_follow_ms", _("Waits for the words of a sound (ms)"), 300, 5000, help=_("A sound of speech puts things off so long.")
            ),
            Manner(
                "max_wait_ms", _("Longest wait for more words (ms)"), 500, 15_000, help=_("After it every turn is over, however it sounds.")
            ),
            Manner(
                "end_of_turn_confidence",
                _("Certainty that a turn is over (0.5 to 1)"),
                0.5,
                1,
                help=_("For Flux models, which judge it themselves."),
            ),
            Manner(
                "eager_confidence",
                _("Certainty that it may be over (0 to 0.9)"),
                0,
                0.9,
                help=_("For Flux: an answer is begun then. 0: never; 0.3 is the least otherwise. Not above the one before."),
            ),
            Manner("end_of_turn_timeout_ms", _("Silence that ends a turn anyway (ms)"), 500, 60_000, help=_("For Flux models.")),
            Manner("key_end", _("Key that ends an entry"), choices=("#", "*", ""), help=_("Empty: none.")),
            Manner("key_gap_ms", _("Pause that ends an entry (ms)"), 500, 10_000, help=_("After the last key.")),
        ),
    ),
    (
        _("Speed"),
        (
            Manner("speculate", _("Thinks ahead of the end of a turn"), help=_("Quicker; a wrong guess costs tokens and is never heard.")),
            Manner("eager_stable_ms", _("Words that stand still for this long (ms)"), 50, 1500, help=_("Then an answer is begun.")),
            Manner("max_guesses", _("Answers begun ahead in one turn"), 1, 5, help=_("Bounds what wrong guesses cost.")),
            Manner(
                "filler_after_ms",
                _("Says that it takes a moment after (ms)"),
                200,
                5000,
                help=_("While a tool runs or a provider is replaced."),
            ),
            Manner(
                "slow_answer_ms",
                _("Says so for a slow answer after (ms)"),
                500,
                4500,
                help=_("When nothing of the answer can be heard yet."),
            ),
            Manner("filler_again_ms", _("Says it again after (ms)"), 1000, 20_000, help=_("Of further quiet.")),
        ),
    ),
    (
        _("Silence, machines and failures"),
        (
            Manner("silence_prompts", _("Questions into silence before the goodbye"), 0, 5, help=_("“Are you still there?”")),
            Manner(
                "unheard_wait_ms",
                _("Asks again what nobody understood after (ms)"),
                0,
                4500,
                help=_("When the caller made a sound like speech and no words came. 0: never."),
            ),
            Manner(
                "farewell_wait_ms",
                _("Hangs up after its own goodbye (ms)"),
                0,
                15_000,
                help=_("If the caller says nothing more. 0: never."),
            ),
            Manner("warning_ms", _("Warning before the longest duration (ms)"), 0, 300_000, help=_("0: none.")),
            Manner(
                "max_failed_turns", _("Failed turns that end the call"), 1, 5, help=_("In a row. One in which no provider works is enough.")
            ),
            Manner(
                "voicemail",
                _("When a machine answers an outbound call"),
                choices=("off", "hang-up", "leave-message"),
                help=_("The message is a field of the agent."),
            ),
            Manner(
                "voicemail_window_ms", _("Watches for a machine for (ms)"), 3000, 60_000, help=_("From the beginning of an outbound call.")
            ),
            Manner("voicemail_quiet_ms", _("Leaves the message after quiet of (ms)"), 1000, 10_000, help=_("Where no tone is heard.")),
        ),
    ),
)
MANNERS: Final = tuple(manner for _title, group in GROUPS for manner in group)
BY_NAME: Final = {manner.name: manner for manner in MANNERS}
