"""What providers, the storage and the carrier did instead of their work is told in Hindi too: all that their adapters can write."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

from calls.failures import describe
from calls.sentences import in_readers_words
from engine.errors import ErrorCategory, ProviderError
from providers import connection
from providers.exotel.errors import from_answer

ROOT = Path(settings.BASE_DIR)
WRITERS = re.compile(
    r"ProviderError|CarrierError|OutcomeUnknown|NotYet|TooBig|BadOrder|timed_out|within|_Meaning|_error|_failed|Unanswered"
)
# Of these rooms some write for programs, or into the log only.
QUIET = ("media.py", "registry.py", "webhooks.py", "numbers.py")
LETTERS = re.compile(r"[A-Za-z]{3,}")
MACHINES = re.compile(
    r"HTTP|WAV|Exotel|API|URL|SHA|credentials|worker|RECORDING\w+|EXOTEL\w+|HTTPS?_PROXY|NO_PROXY|[\w/.:-]*[_/.:-][\w/.:-]*"
)
SAME = {"base", "sample", "rate", "encoding", "header", "openai", "time", "service", "StreamUrl", "CustomField", "port"}


def text_of(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "17" for part in node.values)
    return ""


def written(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if WRITERS.search(name):
                yield from (text_of(each) for each in (*node.args, *(word.value for word in node.keywords)))
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("message", "what", "advice"):
            yield text_of(node.value)
        elif isinstance(node, ast.Tuple) and len(node.elts) == 3:
            yield text_of(node.elts[1])


def sentences() -> list[str]:
    found = set()
    for path in (ROOT / "providers").rglob("*.py"):
        if path.name not in QUIET:
            found |= {text for text in written(ast.parse(path.read_text(encoding="utf-8"))) if len(LETTERS.findall(text)) > 2}
    return sorted(found)


def english_in(text: str) -> list[str]:
    return [word for word in LETTERS.findall(MACHINES.sub(" ", text)) if word not in SAME]


def test_every_failure_that_an_adapter_writes_is_told_in_hindi() -> None:
    found = sentences()
    assert len(found) > 60
    with translation.override("hi"):
        left = {text: told for text in found if english_in(told := in_readers_words(text))}
    assert left == {}


@pytest.mark.parametrize("category", list(ErrorCategory))
def test_a_providers_failure_is_told_with_its_category(category: ErrorCategory) -> None:
    error = ProviderError("openai", category, connection.status_error("openai", 401, code="bad_key").message, retryable=False)
    with translation.override("hi"):
        told = in_readers_words(describe(error))
    assert told.startswith("openai: API कुंजी नहीं मानी") and "(HTTP 401, bad_key) (" in told and english_in(told.replace("bad_key", "")) == []


def test_what_the_carrier_says_itself_is_quoted_in_its_own_words() -> None:
    error = from_answer(400, b'{"RestException": {"Status": 400, "Message": "Bad \'To\'. Number 9876543210 is wrong."}}')
    assert "Exotel says: " in error.message
    with translation.override("hi"):
        told = in_readers_words(error.message)
    assert told.startswith("Exotel को कोई पैरामीटर गलत लगा।") and "Exotel के शब्दों में: “Bad 'To'. Number" in told and told.endswith("”")


def test_what_nobody_has_translated_stays_whole() -> None:
    for text in ("A stranger said: no (maybe).", "Nothing known. Nor this.", "x" * 500):
        with translation.override("hi"):
            assert in_readers_words(text) == text
        assert in_readers_words(text) == text
