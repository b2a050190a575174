"""How an agent behaves on the line: the part of the engine's tuning that operators may set, each with its limits and in their words.

Only what differs from the defaults is stored. The defaults are the engine's, made for Indian phone lines; deadlines and buffers stay ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from engine.tuning import Tuning
from engine.words import words_of

MOST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Manner:
    """One thing to set. `low` and `high` bound a number; `choices` are the values of a word. The default tells the kind."""

    name: str
    label: Any
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()

    @property
    def default(self) -> Any:
        return DEFAULTS[self.name]


def _shown(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else value


DEFAULTS: Final[dict[str, Any]] = {field.name: _shown(getattr(Tuning(), field.name)) for field in fields(Tuning)}

MANNERS: Final = (
    Manner("min_speech_ms", gettext_lazy("Sound that pauses the agent (ms)"), 0, 2000),
    Manner("interrupt_min_words", gettext_lazy("Words that interrupt it"), 1, 10),
    Manner("backchannels", gettext_lazy("Words that do not interrupt")),
    Manner("interrupting_words", gettext_lazy("Words that always interrupt")),
    Manner("interrupt_on_speech", gettext_lazy("Pauses at a sound, before any word")),
    Manner("false_start_ms", gettext_lazy("Goes on after a false start (ms)"), 200, 5000),
    Manner("keys_interrupt", gettext_lazy("Keys interrupt it")),
    Manner("complete_wait_ms", gettext_lazy("Extra wait after a complete sentence (ms)"), 0, 3000),
    Manner("unfinished_wait_ms", gettext_lazy("Extra wait after an unfinished one (ms)"), 0, 5000),
    Manner("dictation_wait_ms", gettext_lazy("Extra wait while a number is dictated (ms)"), 0, 8000),
    Manner("max_wait_ms", gettext_lazy("Longest wait for more words (ms)"), 500, 15_000),
    Manner("speculate", gettext_lazy("Thinks ahead of the end of a turn")),
    Manner("key_end", gettext_lazy("Key that ends an entry"), choices=("#", "*", "")),
    Manner("key_gap_ms", gettext_lazy("Pause that ends an entry (ms)"), 500, 10_000),
    Manner("silence_prompts", gettext_lazy("Questions into silence before the goodbye"), 0, 5),
    Manner("warning_ms", gettext_lazy("Warning before the longest duration (ms)"), 0, 300_000),
    Manner("voicemail", gettext_lazy("When a machine answers an outbound call"), choices=("off", "hang-up", "leave-message")),
    Manner("filler_after_ms", gettext_lazy("Says that it takes a moment after (ms)"), 200, 5000),
)  # fmt: skip
BY_NAME: Final = {manner.name: manner for manner in MANNERS}


def problems(manners: object) -> list[str]:
    """What is wrong with stored or sent manners, each with what to write instead; empty if nothing is."""
    if not isinstance(manners, Mapping):
        return [_("Write the manners as one object of names and values.")]
    found = []
    for name, value in manners.items():
        manner = BY_NAME.get(name)
        if manner is None:
            found.append(_("There is no manner “%(name)s”. There are: %(known)s.") % {"name": name, "known": ", ".join(BY_NAME)})
        elif wrong := _problem(manner, value):
            found.append(f"{name}: {wrong}")
    return found


def _problem(manner: Manner, value: object) -> str:
    match manner.default:
        case bool():
            return "" if isinstance(value, bool) else _("Write true or false.")
        case int():
            if isinstance(value, bool) or not isinstance(value, int) or not manner.low <= value <= manner.high:
                return _("Write a whole number from %(low)d to %(high)d.") % {"low": manner.low, "high": manner.high}
        case list():
            if not isinstance(value, list) or len(value) > MOST_WORDS or not all(isinstance(w, str) and words_of(w) for w in value):
                return _("Write a list of at most %(most)d words.") % {"most": MOST_WORDS}
        case _:
            if value not in manner.choices:
                return _("Write one of: %(choices)s.") % {"choices": ", ".join(choice or "“”" for choice in manner.choices)}
    return ""


def stored(manners: Mapping[str, Any]) -> dict[str, Any]:
    """The good `manners` as they are kept: words as the engine compares them, and nothing that only repeats a default."""
    kept = {}
    for name, value in manners.items():
        tidy = sorted({word for text in value for word in words_of(text)}) if isinstance(value, list) else value
        if tidy != DEFAULTS[name]:
            kept[name] = tidy
    return dict(sorted(kept.items()))


def tuning(manners: Mapping[str, Any]) -> Tuning:
    """The engine's tuning with these manners. What an older or newer release stored and this one does not know is left out."""
    known = {name: value for name, value in manners.items() if name in BY_NAME and not _problem(BY_NAME[name], value)}
    values: dict[str, Any] = {name: frozenset(value) if isinstance(value, list) else value for name, value in known.items()}
    return replace(Tuning(), **values)
