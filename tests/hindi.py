"""Reads a page as somebody does who knows no English: which words of it are still English."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

# Names, units and signs that are the same in every language. Words with a digit, a dot, an underscore or four capitals are machines' own.
SAME = frozenset(
    re.findall(
        r"\w+",
        "voiceagents AI API PIN INR USD esc HTTP JSON Schema URL URLs ID SID IP SHA GET POST PUT PATCH DELETE ms csv PDF "
        "Exotel ElevenLabs OpenAI Deepgram Flux Control Command Mac README JavaScript",
    )
)
_SKIPPED = frozenset({"script", "style", "code", "pre", "textarea", "svg", "head"})
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
_SAID = ("title", "aria-label", "placeholder", "alt", "data-confirm-title", "data-confirm-text", "data-confirm-yes")
_MACHINES = re.compile(r"\[\{.*\}\]|\{.*\}|\S*[\d_.@:/]\S*|[A-Z_]{4,}")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        hidden = tag in _SKIPPED or given.get("translate") == "no" or "material-symbols" in (given.get("class") or "")
        hidden = hidden or bool(self._open and self._open[-1][1])
        if tag not in _VOID:
            self._open.append((tag, hidden))
        if not hidden:
            self.said += [value for name in _SAID if (value := given.get(name))]

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, text: str) -> None:
        if not (self._open and self._open[-1][1]):
            self.said.append(text)


def english_left(page: str, *known: str) -> list[str]:
    """The texts of `page` with an English word in them, beside what is `known`: the names that the test gave things."""
    reader = _Reader()
    reader.feed(page)
    return [text for said in reader.said if (text := " ".join(said.split())) and any(_english(text, known))]


def _english(text: str, known: tuple[str, ...]) -> Iterator[str]:
    for name in sorted(known, key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])", "", text)
    for word in re.findall(r"[A-Za-z]{2,}", _MACHINES.sub(" ", text)):
        if word not in SAME:
            yield word
