"""How an agent behaves on the line: what operators set of it, judged, stored and handed to the engine and to the recogniser.

Only what differs from the defaults is stored.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from agents.manner_table import BY_NAME, DEFAULTS, GROUPS, LISTENING, MANNERS, Manner
from engine.tuning import Tuning
from engine.words import words_of

__all__ = ["BY_NAME", "DEFAULTS", "GROUPS", "MANNERS", "MOST_WORDS", "Manner", "listening", "problems", "stored", "tuning"]

MOST_WORDS = 200


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
    return found or _contradictions(manners)


def _contradictions(manners: Mapping[str, Any]) -> list[str]:
    meant = {**DEFAULTS, **manners}
    if meant["eager_confidence"] > meant["end_of_turn_confidence"]:
        return [
            _("eager_confidence: write no more than end_of_turn_confidence, which is %(most)s.") % {"most": meant["end_of_turn_confidence"]}
        ]
    return []


def _problem(manner: Manner, value: object) -> str:
    match manner.default:
        case bool():
            return "" if isinstance(value, bool) else _("Write true or false.")
        case int():
            if isinstance(value, bool) or not isinstance(value, int) or not manner.low <= value <= manner.high:
                return _("Write a whole number from %(low)d to %(high)d.") % {"low": manner.low, "high": manner.high}
        case float():
            if isinstance(value, bool) or not isinstance(value, int | float) or not manner.low <= value <= manner.high:
                return _("Write a number from %(low)g to %(high)g.") % {"low": manner.low, "high": manner.high}
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
    known = {name: value for name, value in _known(manners).items() if name not in LISTENING}
    values: dict[str, Any] = {name: frozenset(value) if isinstance(value, list) else value for name, value in known.items()}
    return replace(Tuning(), **values)


def listening(manners: Mapping[str, Any]) -> dict[str, Any]:
    """What the recogniser is told of these manners: options by name, only those that were set."""
    return {name: value for name, value in _known(manners).items() if name in LISTENING}


def _known(manners: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in manners.items() if name in BY_NAME and not _problem(BY_NAME[name], value)}
