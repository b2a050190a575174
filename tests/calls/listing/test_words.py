"""Words as the search knows them, in every script that callers speak."""

import pytest
from django.db import connection

from calls.listing.words import lexemes, search, sought, words_of


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Haan, theek hai!", ["haan", "theek", "hai"]),
        ("नमस्ते, आपका अपॉइंटमेंट बुक है।", ["नमस्ते", "आपका", "अपॉइंटमेंट", "बुक", "है"]),
        ("வணக்கம் நண்பா", ["வணக்கம்", "நண்பா"]),
        ("ہاں جی", ["ہاں", "جی"]),
        ("क\u093cलम", words_of("\u0958लम")),  # a letter with its dot is one spelling, however it was typed
        ("STRASSE ﬁne", ["strasse", "fine"]),
        ("order_42 costs ₹1,200.50", ["order", "42", "costs", "1", "200", "50"]),
        ("नमस्\u200dते", ["नमस्ते"]),
        ("🙏🏽 … --", []),
        ("x" * 500, ["x" * 60]),
    ],
)
def test_words_are_cut_alike_in_every_script(said, words):
    assert words_of(said) == words


def test_a_call_has_each_word_once():
    assert lexemes(["Haan haan", "HAAN ji", ""]) == ["haan", "ji"]


@pytest.mark.parametrize(
    ("typed", "tsquery", "phrases"),
    [
        ("refund Order", "'refund' & 'order'", ()),
        ('"good morning" doctor', "'good' & 'morning' & 'doctor'", ("good morning",)),
        ('"open at the end', "'open' & 'at' & 'the' & 'end'", ("open at the end",)),
        ("refund -cancelled", "'refund' & !('cancelled')", ()),
        ('refund -"call back"', "'refund' & !('call' & 'back')", ()),
        ("refu* re*", "'refu':* & 're'", ()),
        ("well-known", "'well' & 'known'", ("well-known",)),
        ("it's", "'it' & 's'", ("it's",)),
        ("!!! … -", "", ()),
        ("& | ! ( ) <-> :* \\ '", "", ()),
        ("वापसी", "'वापसी'", ()),
    ],
)
def test_what_is_typed_becomes_a_question_for_postgres(typed, tsquery, phrases):
    found = search(typed)
    assert (found.tsquery, found.phrases) == (tsquery, phrases)


@pytest.mark.django_db
@pytest.mark.parametrize("typed", ["a'b", "back\\slash", "x:*", "a & b | !c", '"', "'); DROP TABLE calls_turn; --", "\u0000word"])
def test_nothing_that_is_typed_breaks_the_question(typed):
    if tsquery := search(typed).tsquery:
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::tsquery", [tsquery])
            assert cursor.fetchone()


def test_what_was_typed_is_marked_as_it_was_typed():
    assert sought('refu* "Good  Morning" -never ok') == ["Good Morning", "refu", "ok"]
