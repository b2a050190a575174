import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ports import Message, ToolCall
from engine.transcript import AgentTurn, Piece, Transcript, cut_at_word


@pytest.mark.parametrize(
    ("fraction", "heard"),
    [
        (0, ""),
        (0.1, ""),
        (0.29, "Hello"),
        (0.5, "Hello"),
        (0.62, "Hello there"),
        (0.99, "Hello there"),
        (1, "Hello there friend"),
        (7, "Hello there friend"),
    ],
)
def test_text_is_cut_at_the_last_whole_word(fraction, heard):
    assert cut_at_word("Hello there friend", fraction) == heard


@given(st.text(max_size=200), st.floats(-1, 2))
def test_a_cut_text_is_its_beginning_and_ends_at_a_word(text, fraction):
    heard = cut_at_word(text, fraction)
    assert text.startswith(heard)
    assert heard in ("", text) or text[len(heard)].isspace()


@given(st.text(max_size=200), st.floats(0, 1), st.floats(0, 1))
def test_who_hears_longer_hears_no_less(text, one, other):
    less, more = sorted([one, other])
    assert len(cut_at_word(text, less)) <= len(cut_at_word(text, more))


def spoken(transcript, *pieces):
    """An agent turn whose pieces are (text, start_ms, end_ms)."""
    turn = AgentTurn()
    for text, start_ms, end_ms in pieces:
        piece = transcript.add_piece(turn, text)
        piece.start_ms, piece.end_ms = start_ms, end_ms
    return turn


def test_an_interrupted_turn_keeps_whole_sentences_and_cuts_the_one_in_play():
    transcript = Transcript("Be kind.")
    turn = spoken(transcript, ("One two. ", 0, 1000), ("Three four five. ", 1000, 2600), ("Six.", None, None))
    turn.settle(2000)

    assert turn.heard == "One two. Three four"
    assert turn.generated == "One two. Three four five. Six."
    assert transcript.messages() == [Message("system", "Be kind."), Message("assistant", "One two. Three four")]


def test_audio_that_never_came_to_its_end_is_judged_by_the_length_of_its_text():
    turn = spoken(Transcript(""), ("one two three four five six", 0, None))
    turn.settle(14 * 70)
    assert turn.heard == "one two three"


def test_a_turn_of_which_nothing_was_heard_is_no_message():
    transcript = Transcript("")
    transcript.hear_user("hello")
    spoken(transcript, ("Good day.", 0, 900)).settle(0)
    assert transcript.messages() == [Message("user", "hello")]


def test_a_turn_that_goes_on_replaces_its_beginning_until_it_is_committed():
    transcript = Transcript("")
    transcript.hear_user("I want")
    transcript.hear_user("I want tea")
    transcript.commit_user()
    transcript.hear_user("with milk")
    assert [message.content for message in transcript.messages()] == ["I want tea", "with milk"]


def test_tools_stand_between_what_was_said_before_and_after():
    transcript = Transcript("")
    transcript.hear_user("book it")
    turn = spoken(transcript, ("One moment.", 0, 500))
    call = ToolCall("c1", "book", "{}")
    transcript.add_tools([call], ["booked"])
    piece = transcript.add_piece(turn, "Done.")
    piece.start_ms, piece.end_ms = 500, 900

    assert transcript.messages()[1:] == [
        Message("assistant", "One moment.", tool_calls=(call,)),
        Message("tool", "booked", tool_call_id="c1"),
        Message("assistant", "Done."),
    ]
    assert turn.generated == "One moment. Done."
    assert turn.said_until(turn.pieces[0]) == "One moment."


def test_turns_of_both_sides_share_one_count():
    transcript = Transcript("")
    assert [transcript.next_turn() for _ in range(3)] == [1, 2, 3]


def aligned(text, spoken, *, ms_each=100, until=None):
    """A piece of 100 ms a character whose voice told the times of its first `until` characters."""
    piece = Piece(text, start_ms=1000, end_ms=1000 + len(spoken) * ms_each, spoken=spoken)
    piece.align((each, (index + 1) * ms_each) for index, each in enumerate(spoken[:until]))
    return piece


@pytest.mark.parametrize(
    ("heard_ms", "heard"),
    [
        (900, ""),
        (1400, ""),
        (1499, ""),
        (1500, "Hello"),
        (1900, "Hello"),
        (2100, "Hello there"),
        (2799, "Hello there"),
        (2800, "Hello there friend"),
    ],
)
def test_an_aligned_sentence_is_cut_at_the_word_that_had_ended(heard_ms, heard):
    piece = aligned("Hello there friend", "Hello there friend")
    piece.settle(heard_ms)
    assert piece.heard == heard


def test_alignment_beats_proportion_where_the_voice_lingers():
    piece = Piece("One two three", start_ms=0, end_ms=3000, spoken="One two three")
    piece.align([("One ", 2000), ("two ", 2500), ("three", 3000)])
    piece.settle(1900)
    assert piece.heard == ""
    piece.settle(2600)
    assert piece.heard == "One two"


def test_a_sentence_that_is_spoken_otherwise_than_written_is_cut_in_proportion_of_what_was_spoken():
    piece = aligned("It is ₹500 for you.", "It is 500 rupees for you.")
    piece.settle(1000 + 100 * len("It is 500 rupees "))
    assert piece.heard == "It is ₹500"


def test_a_sentence_that_broke_off_was_never_heard_whole_however_long_the_turn_went_on():
    piece = Piece("one two three four five six", start_ms=0, end_ms=980)
    piece.break_off()
    piece.settle(60_000)
    assert piece.heard == "one two three"


def test_a_draft_is_no_part_of_the_conversation_until_it_is_adopted():
    transcript = Transcript("")
    transcript.hear_user("I want")
    draft = AgentTurn(supposes="I want tea")
    transcript.add_piece(draft, "Tea it is.")
    assert [message.content for message in transcript.messages()] == ["I want"]
    assert [message.content for message in transcript.messages(draft)] == ["I want tea", "Tea it is."]
    transcript.hear_user("I want tea.")
    transcript.adopt(draft)
    transcript.add_piece(draft, "With milk?")
    assert [message.content for message in transcript.messages(draft)] == ["I want tea.", "Tea it is. With milk?"]


def test_a_filler_stands_where_it_was_heard():
    transcript = Transcript("")
    turn = AgentTurn()
    piece = transcript.add_piece(turn, "Here it is.")
    transcript.add_filler(turn, "One moment.", piece)
    assert turn.generated == "One moment. Here it is."
    assert transcript.messages() == [Message("assistant", "One moment. Here it is.")]
    assert turn.has_answer
