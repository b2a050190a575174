"""What operators may add to an agent beyond one value per field: stand-ins for its providers and how words are pronounced.

Shapes and limits only; the values are kept as JSON on the agent and read back as parts of its spec.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.utils.translation import gettext as _

from agents import catalogue
from agents.spec import Fallbacks, Pronunciation, StandIn
from providers import registry

MOST_STAND_INS = 3
MOST_PRONUNCIATIONS = 200
LONGEST_WORD = 80
KINDS: Final[tuple[registry.Kind, ...]] = ("stt", "llm", "tts")


def fallback_problems(wanted: object) -> Iterator[str]:
    """What is wrong with `{"llm": [{"provider": …, "model": …}], …}`, in words."""
    if not isinstance(wanted, Mapping):
        yield _("Write the fallbacks as one object with lists under stt, llm and tts.")
        return
    for kind, stand_ins in wanted.items():
        if kind not in KINDS:
            yield _("There is no part “%(kind)s”. The parts are: stt, llm, tts.") % {"kind": kind}
        elif not isinstance(stand_ins, list) or len(stand_ins) > MOST_STAND_INS:
            yield _("%(kind)s: write a list of at most %(most)d stand-ins.") % {"kind": kind, "most": MOST_STAND_INS}
        else:
            for stand_in in stand_ins:
                if wrong := _stand_in_problem(kind, stand_in):
                    yield f"{kind}: {wrong}"


def _stand_in_problem(kind: Any, stand_in: object) -> str:
    needed = {"provider", "model", "voice_id"} if kind == "tts" else {"provider", "model"}
    if not isinstance(stand_in, Mapping) or set(stand_in) != needed or not all(isinstance(v, str) and v.strip() for v in stand_in.values()):
        return _("each stand-in needs exactly: %(names)s.") % {"names": ", ".join(sorted(needed))}
    facts = {"provider": stand_in["provider"], "model": stand_in["model"], "choices": ", ".join(registry.names(kind))}
    if stand_in["provider"] not in registry.names(kind):
        return _("“%(provider)s” is not known here. Choose one of: %(choices)s.") % facts
    if catalogue.does_other_work(kind, stand_in["model"]):
        return _("%(model)s does another kind of work.") % facts
    if (owner := catalogue.owner(kind, stand_in["model"])) and owner != catalogue.vendor(facts["provider"]):
        return _("%(model)s is a model of %(owner)s, not of %(provider)s.") % {**facts, "owner": owner}
    if kind == "tts" and (owner := catalogue.voice_owner(stand_in["voice_id"])) and owner != catalogue.vendor(stand_in["provider"]):
        return _("the voice is one of %(owner)s, not of %(provider)s.") % {**facts, "owner": owner}
    return ""


def fallbacks(wanted: Mapping[str, Any]) -> Fallbacks:
    return Fallbacks(**{kind: tuple(StandIn(**stand_in) for stand_in in wanted.get(kind, ())) for kind in KINDS})


def pronunciation_problems(wanted: object) -> Iterator[str]:
    """What is wrong with `[{"written": …, "spoken": …}, …]`, in words."""
    if not isinstance(wanted, list) or len(wanted) > MOST_PRONUNCIATIONS:
        yield _("Write a list of at most %(most)d pronunciations.") % {"most": MOST_PRONUNCIATIONS}
        return
    seen = set()
    for number, one in enumerate(wanted, 1):
        if not isinstance(one, Mapping) or set(one) != {"written", "spoken"} or not all(_is_word(text) for text in one.values()):
            yield _("Pronunciation %(n)d: write written and spoken, each of 1 to %(most)d characters.") % {
                "n": number,
                "most": LONGEST_WORD,
            }
        elif one["written"].casefold() in seen:
            yield _("Pronunciation %(n)d: “%(word)s” is there already.") % {"n": number, "word": one["written"]}
        else:
            seen.add(one["written"].casefold())


def _is_word(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text.strip()) <= LONGEST_WORD and "\0" not in text


def pronunciations(wanted: list[Mapping[str, str]]) -> tuple[Pronunciation, ...]:
    return tuple(Pronunciation(one["written"].strip(), one["spoken"].strip()) for one in wanted)
