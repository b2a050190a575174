"""What nobody heard of a turn stands where it was cut, and the heard stretches are the turn's text to the letter."""

import pytest

from calls.cuts import said


def drawn(heard: str, generated: str) -> str:
    """As the pages draw it, with what nobody heard in brackets."""
    parts = said(heard, generated)
    assert "".join(part.text for part in parts if part.heard) == heard
    return "".join(part.text if part.heard else f"{part.before}[{part.text}]{part.after}" for part in parts)


@pytest.mark.parametrize(
    ("heard", "generated", "told"),
    [
        ("Monday at ten", "Monday at ten, or noon", "Monday at ten[, or noon]"),
        ("Monday at ten", "Monday at ten or noon", "Monday at ten [or noon]"),
        ("Monday at ten ", "Monday at ten", "Monday at ten "),
        ("Monday  at ten", "Monday at ten", "Monday  at ten"),
        ("", "All of it", "[All of it]"),
        ("Heard", "", "Heard"),
        ("", "", ""),
        ("Good morning. The fee", "Good morning. We are open. The fee is ten.", "Good morning. [We are open.] The fee [is ten.]"),
        ("The fee is ten.", "Well then. The fee is ten.", "[Well then.] The fee is ten."),
        ("Something else", "Quite different", "[Quite different] Something else"),
        ("ठीक है, कल सुबह", "ठीक है, कल सुबह ग्यारह बजे।", "ठीक है, कल सुबह [ग्यारह बजे।]"),
        ("🙏🏽 haan", "🙏🏽 ji haan", "🙏🏽 [ji] haan"),
    ],
)
def test_what_the_caller_did_not_hear(heard: str, generated: str, told: str) -> None:
    assert drawn(heard, generated) == told


def test_a_turn_of_an_hour_is_not_compared_word_by_word() -> None:
    heard, generated = "a b " * 1500, "c " + "a b " * 1500
    assert [part.heard for part in said(heard, generated)] == [True, False]
