import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sentences import SentenceCutter, cut

_BITS = [*"abc XYZ 0123 .,!?;: \n\"')*₹।आप。", "p.m. ", "Dr. ", "Rs. 500 ", "https://a.b/c?d=e ", "some words "]
WRITTEN = st.lists(st.sampled_from(_BITS), max_size=300).map("".join)


@given(WRITTEN)
def test_the_pieces_joined_are_the_text(text):
    assert "".join(cut(text)) == text


@given(WRITTEN, st.lists(st.integers(1, 40), min_size=1))
def test_where_it_cuts_does_not_depend_on_how_the_text_arrived(text, sizes):
    cutter, pieces, start, index = SentenceCutter(), [], 0, 0
    while start < len(text):
        size = sizes[index % len(sizes)]
        pieces += cutter.feed(text[start : start + size])
        start, index = start + size, index + 1
    assert pieces + cutter.flush() == cut(text)


@given(st.text(max_size=3000))
def test_no_piece_is_longer_than_the_ceiling(text):
    assert all(0 < len(piece) <= 1000 for piece in cut(text))


@given(st.lists(st.from_regex(r"[a-z]{1,12}", fullmatch=True), min_size=1, max_size=300))
def test_a_run_on_is_cut_between_words_and_not_too_late(words):
    pieces = cut(" ".join(words))
    assert all(len(piece) <= 220 for piece in pieces)
    assert all(piece.endswith(" ") for piece in pieces[:-1])


@pytest.mark.parametrize(
    "text",
    [
        "We open at 5 p.m. tomorrow in the old building.",
        "It is Rs. 500 for each of the visits you make.",
        "Please ask for Dr. Mehta at the front desk there.",
        "It takes 2.5 hours and 1,500 rupees all in all.",
        "Go to https://example.com/a.b?c=d for the rest of it",
        "Bring documents, e.g. a passport and one photograph.",
        "Ask for Mr. A. K. Sharma when you are at the desk.",
        "1. Tea with milk and sugar as you like it best",
    ],
)
def test_it_never_cuts_where_the_sentence_goes_on(text):
    cutter = SentenceCutter()
    cutter._is_first = False  # the rule for a first clause is another one
    assert cutter.feed(text + " ") in ([], [text + " "])


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Sure. I can do that for you today. Anything else?", ["Sure. ", "I can do that for you today. ", "Anything else?"]),
        ("Hello! How are you doing this fine morning?", ["Hello! ", "How are you doing this fine morning?"]),
        ('She said "come in." Then she left the room.', ['She said "come in." ', "Then she left the room."]),
        ("नमस्ते। मैं आपकी कैसे मदद कर सकती हूँ आज?", ["नमस्ते। ", "मैं आपकी कैसे मदद कर सकती हूँ आज?"]),
        ("Tea, coffee\nand milk", ["Tea, coffee\n", "and milk"]),
        ("好的。我来帮你。", ["好的。", "我来帮你。"]),
        ("Wait... what did you say just now to me?", ["Wait... ", "what did you say just now to me?"]),
    ],
)
def test_it_cuts_at_the_ends_of_sentences(text, pieces):
    assert cut(text) == pieces


def test_the_first_piece_comes_at_the_first_clause_when_the_sentence_is_long():
    pieces = cut("Thank you for calling Sunrise Clinic, how can I help you today, and who is speaking please?")
    assert pieces[0] == "Thank you for calling Sunrise Clinic, "
    assert len(pieces) == 2


def test_a_first_clause_is_cut_off_once_it_lasts_long_enough_to_fetch_the_next():
    text = "Thank you for asking, it is five hundred. Sure, it is."
    assert cut(text)[0] == "Thank you for asking, "
    assert cut("Certainly, it is five hundred.")[0] == "Certainly, it is five hundred."


def test_later_short_sentences_travel_together():
    assert cut("Fine. Yes. No problem. It will be ready by noon.") == ["Fine. ", "Yes. No problem. It will be ready by noon."]


def test_a_piece_is_given_as_soon_as_its_end_is_sure():
    cutter = SentenceCutter()
    assert cutter.feed("Certainly.") == []
    assert cutter.feed(" ") == ["Certainly. "]


def test_something_speakable_is_in_every_piece_but_the_last():
    assert all(re.search(r"\w", piece) for piece in cut("... !! Well. ?! Good then, that is settled.")[:-1])
