"""The catalogue is whole: compiled as written, nothing untranslated, and each translation holds the places of its sentence."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.utils.translation.template import templatize

from voiceagents.script_words import WORDS

ROOT = Path(settings.BASE_DIR)
HINDI = ROOT / "voiceagents/locale/hi/LC_MESSAGES"
_PLACES = re.compile(r"%\([^)]*\)[a-z]|%%|%[sd]|\{[a-z_.]*\}|\{\{[^}]*\}\}|</?[a-z][^>]*>")
_ROOMS = ("agents", "access", "audit", "calls", "pricing", "telephony", "voiceagents")
# Left out of `make words` (Makefile): what only programs read.
_FOR_PROGRAMS = re.compile(
    r"/(api\w*|\w+_api|serializers|\w+_serializers|problems|described|once|permissions|keys)\.py$|/management/|/serializers/"
)
_MARKS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy", "npgettext"}


@pytest.fixture(scope="module")
def written() -> polib.POFile:
    return polib.pofile(str(HINDI / "django.po"))


def told(entry: polib.POEntry | polib.MOEntry) -> tuple[str, ...]:
    return tuple(entry.msgstr_plural[number] for number in sorted(entry.msgstr_plural)) or (entry.msgstr,)


def test_what_is_compiled_is_what_is_written(written: polib.POFile) -> None:
    compiled = {(entry.msgctxt, entry.msgid): told(entry) for entry in polib.mofile(str(HINDI / "django.mo"))}
    assert compiled == {(entry.msgctxt, entry.msgid): told(entry) for entry in written if entry.translated()}, "run `make words`"


def test_nothing_is_untranslated_or_guessed(written: polib.POFile) -> None:
    assert [entry.msgid for entry in written if entry.obsolete or entry.fuzzy or not all(told(entry))] == []


def test_counted_sentences_have_both_forms(written: polib.POFile) -> None:
    assert [entry.msgid for entry in written if bool(entry.msgid_plural) != (sorted(entry.msgstr_plural) == [0, 1])] == []


def test_places_and_markup_are_those_of_the_sentence(written: polib.POFile) -> None:
    def places(text: str) -> list[str]:
        return sorted(_PLACES.findall(text))

    wrong = [
        (entry.msgid, text)
        for entry in written
        for english, text in zip((entry.msgid, entry.msgid_plural or entry.msgid), told(entry), strict=False)
        if text and places(text) != places(english)
    ]
    assert wrong == []


def test_a_translation_can_stand_in_an_attribute(written: polib.POFile) -> None:
    """`{% translate %}` escapes nothing: a straight quotation mark would end the attribute."""
    assert [text for entry in written for text in told(entry) if '"' in text and '"' not in entry.msgid] == []
    assert [text for entry in written for text in told(entry) if "'" in text and "'" not in entry.msgid] == []


def test_every_marked_sentence_is_in_the_catalogue(written: polib.POFile) -> None:
    known = {sentence for entry in written for sentence in (entry.msgid, entry.msgid_plural)}
    marked = {sentence for path in _sources() for sentence in _marked(path)}
    assert len(marked) > 500
    assert marked - known == set(), "run `make words` and translate what is new"


def _sources() -> Iterator[Path]:
    yield from (ROOT / "templates").rglob("*.html")
    for room in _ROOMS:
        yield from (path for path in (ROOT / room).rglob("*.py") if not _FOR_PROGRAMS.search(path.as_posix()))


def _marked(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        for call in re.findall(r"(?:_|n?p?gettext)\(((?:u?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")(?:,\s*)?)+)", templatize(text)):
            given = ast.literal_eval(f"({call.rstrip(', ')},)")
            yield given[-1] if len(given) < 3 else given[-2]
    elif "gettext" in text:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and (name := getattr(node.func, "id", "")) in _MARKS:
                sentence = node.args[1 if "pgettext" in name else 0]
                if isinstance(sentence, ast.Constant) and isinstance(sentence.value, str):
                    yield sentence.value


def test_scripts_say_what_the_table_holds() -> None:
    said: set[str] = set()
    for path in set((ROOT / "static/js").glob("*.js")) - {ROOT / "static/js/words.js"}:
        text = path.read_text(encoding="utf-8")
        said |= set(re.findall(r'\bsay\(\s*"([^"]*)"', text))
        said |= {sentence for pair in re.findall(r'\bsayCount\(\s*"([^"]*)",\s*"([^"]*)"', text) for sentence in pair}
    assert said == set(WORDS)
