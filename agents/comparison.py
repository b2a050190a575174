"""Two specs side by side, for people: in sections, by plain names, texts by words. Pure; shows no secret and no whole phone number."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final, Literal

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from agents.manners import BY_NAME, DEFAULTS

Kind = Literal["same", "gone", "new"]
# Beyond this many pairs of words a passage counts as rewritten: the page must not think for seconds.
_MOST_PAIRS: Final = 100_000_000
# From here on the commonest words do not anchor a match: quicker, and the difference is still one that people can read.
_MANY_PAIRS: Final = 200_000
_WORDS: Final = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of one side's text."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that differs. An empty side did not have it. `is_text`: to be read as a passage, not as a value."""

    label: Any
    left: tuple[Piece, ...]
    right: tuple[Piece, ...]
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    title: Any
    rows: tuple[Row, ...]


_TEXTS: Final = {"prompt": _("Prompt"), "first_message": _("First message"), "voicemail_message": _("Message on answering machines")}
_FIELDS: Final[Mapping[Any, Mapping[str, Any]]] = {
    _("Who it is"): {"name": _("Name"), "language": _("Language"), "mode": _("Mode")},
    _("Voice"): {
        "voice.provider": _("Provider"), "voice.model": _("Model"), "voice.voice_id": _("Voice"), "voice.speed": _("Speed"),
    },
    _("Models"): {
        "llm.provider": _("Thinks with"), "llm.model": _("Language model"), "llm.temperature": _("Temperature"),
        "llm.max_tokens": _("Longest reply (tokens)"), "stt.provider": _("Listens with"), "stt.model": _("Speech-to-text model"),
        "stt.endpointing_ms": _("Pause that ends a turn (ms)"), "fallbacks.stt": _("Stand-ins for listening"),
        "fallbacks.llm": _("Stand-ins for thinking"), "fallbacks.tts": _("Stand-ins for the voice"),
    },
    _("Limits and what is kept"): {
        "max_duration_s": _("Longest call (seconds)"), "silence_timeout_s": _("Silence time-out (seconds)"),
        "record_calls": _("Records its calls"), "recording_retention_days": _("Keeps recordings for (days)"),
        "analyse_calls": _("Reads its calls afterwards"), "extraction_schema": _("What is read out of each call"),
        "collects_digits": _("May ask for keys"), "pronunciations": _("Pronunciations"),
    },
}  # fmt: skip


_LABELS: Final[Mapping[str, Any]] = {**_TEXTS, **{name: label for names in _FIELDS.values() for name, label in names.items()}}


def field_words(dotted: str) -> str:
    """What a person calls a part of the stored spec, such as `llm.temperature`."""
    if label := _LABELS.get(dotted):
        return str(label)
    inner = dotted.removeprefix("manners.")
    return str(BY_NAME[inner].label) if inner in BY_NAME else pgettext("name", dotted.replace("_", " ").replace(".", " "))


def compare(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Section]:
    """What differs between two stored specs; empty if nothing does."""
    sections = [Section(_("What it says"), tuple(_text_rows(left, right)))]
    sections += [Section(title, tuple(_value_rows(names, left, right))) for title, names in _FIELDS.items()]
    sections.append(Section(_("Manners"), tuple(_manner_rows(left.get("manners", {}), right.get("manners", {})))))
    sections.append(Section(_("Tools"), tuple(_part_rows("tools", left, right))))
    sections.append(Section(_("People it hands over to"), tuple(_part_rows("destinations", left, right))))
    return [section for section in sections if section.rows]


def _text_rows(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Row]:
    for name, label in _TEXTS.items():
        old, new = left.get(name) or "", right.get(name) or ""
        if old != new:
            yield Row(label, *word_diff(old, new), is_text=True)


def _value_rows(names: Mapping[str, Any], left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Row]:
    for name, label in names.items():
        old, new = _at(left, name), _at(right, name)
        if old != new:
            yield _row(label, old, new)


def _at(spec: Mapping[str, Any], dotted: str) -> Any:
    found: Any = spec
    for part in dotted.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _manner_rows(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Row]:
    for name in sorted({*left, *right}):
        old, new = left.get(name, DEFAULTS.get(name)), right.get(name, DEFAULTS.get(name))
        if old != new:
            yield _row(BY_NAME[name].label if name in BY_NAME else name, old, new)


def _part_rows(kind: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Row]:
    """Tools and destinations, by their rows' ids: one that is renamed stays the same one."""
    before = {part["id"]: part for part in left.get(kind) or ()}
    after = {part["id"]: part for part in right.get(kind) or ()}
    for number in dict.fromkeys([*before, *after]):
        old, new = before.get(number), after.get(number)
        if old is None or new is None:
            told = old or new or {}
            yield _row(told["name"], told.get("description") if old else None, told.get("description") if new else None)
            continue
        for field in (name for name in new if name != "id" and old.get(name) != new.get(name)):
            yield _row(
                f"{new['name']}: {pgettext('name', field.replace('_', ' '))}", _shown(field, old.get(field)), _shown(field, new.get(field))
            )


def _shown(field: str, value: Any) -> Any:
    return [_masked(number) for number in value or ()] if field == "numbers" else value


def _masked(number: str) -> str:
    return f"{number[:3]}{'•' * max(len(number) - 5, 0)}{number[-2:]}"


def _row(label: Any, old: Any, new: Any) -> Row:
    left, right = value_words(old), value_words(new)
    if max(len(left), len(right)) > 60:
        return Row(label, *word_diff(left, right), is_text=True)
    return Row(label, (Piece("gone", left),) if left else (), (Piece("new", right),) if right else ())


def value_words(value: Any) -> str:
    """A stored value as a person reads it; empty for nothing."""
    match value:
        case None | "" | [] | {}:
            return ""
        case bool():
            return str(_("yes") if value else _("no"))
        case float():
            return f"{value:g}"
        case list() if all(isinstance(one, str) for one in value):
            return ", ".join(value)
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, indent=1)
    return str(value)


def word_diff(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both texts whole, each cut where it differs from the other: by lines first, by words within lines that changed."""
    if not old or not new:
        return ((Piece("gone", old),) if old else ()), ((Piece("new", new),) if new else ())
    left: list[Piece] = []
    right: list[Piece] = []
    old_lines, new_lines = old.splitlines(keepends=True), new.splitlines(keepends=True)
    for what, a, b, c, d in SequenceMatcher(None, old_lines, new_lines, autojunk=False).get_opcodes():
        before, after = "".join(old_lines[a:b]), "".join(new_lines[c:d])
        if what == "equal":
            left.append(Piece("same", before))
            right.append(Piece("same", after))
        else:
            _words(before, after, left, right)
    return _joined(left), _joined(right)


def _words(before: str, after: str, left: list[Piece], right: list[Piece]) -> None:
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    if len(old) * len(new) > _MOST_PAIRS:
        left.append(Piece("gone", before))
        right.append(Piece("new", after))
        return
    for what, a, b, c, d in SequenceMatcher(None, old, new, autojunk=len(old) * len(new) > _MANY_PAIRS).get_opcodes():
        left.append(Piece("same" if what == "equal" else "gone", "".join(old[a:b])))
        right.append(Piece("same" if what == "equal" else "new", "".join(new[c:d])))


def _joined(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Neighbours of one kind as one piece, empty ones left out."""
    made: list[Piece] = []
    for piece in pieces:
        if not piece.text:
            continue
        if made and made[-1].kind == piece.kind:
            made[-1] = Piece(piece.kind, made[-1].text + piece.text)
        else:
            made.append(piece)
    return tuple(made)
