"""Nothing can be written on a call's timeline that nobody can read there."""

import ast
import string

import pytest

from calls.kinds import KINDS, WORDS
from calls.presentation.timeline import _UNSAID
from tests.house import source

WRITERS = {"record_event", "tell", "move", "_event", "_happened", "Happened", "CallEvent"}


def written_kinds() -> dict[str, str]:
    """Every kind that stands in the code as a literal beside one of the writers, and where."""
    found: dict[str, str] = {}
    for path in source.files("calls", "telephony"):
        for node in ast.walk(source.tree(path)):
            if not isinstance(node, ast.Call):
                continue
            called = node.args[0] if source.dotted(node.func) == "partial" else node.func
            if source.dotted(called).rpartition(".")[2] in WRITERS:
                for told in (*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "kind")):
                    if isinstance(told, ast.Constant) and isinstance(told.value, str):
                        found[told.value] = f"{path.name}:{node.lineno}"
    return found


def test_every_kind_of_event_that_the_code_can_write_has_words():
    found = written_kinds()
    assert len(found) > 30, "the walk through the source finds what it looks for"
    assert {kind: place for kind, place in found.items() if kind not in KINDS} == {}
    assert set(WORDS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_words_can_be_said_whatever_facts_are_missing(kind):
    named = {name for _, name, _, _ in string.Formatter().parse(WORDS[kind]) if name}
    assert named <= set(_UNSAID)
    assert WORDS[kind][0].isupper()
    assert not WORDS[kind].endswith(".")
