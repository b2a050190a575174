"""When each word is to be heard: known times are taken, the rest lies between them, and nothing ever goes backwards."""

from hypothesis import given
from hypothesis import strategies as st

from calls.page.words import Said, places

TEXT = "Hello, my name is Anita."


def test_without_a_transcript_words_lie_between_the_turns_beginning_and_its_end_by_their_letters():
    found = places(TEXT, 1000, 3400)
    assert [(TEXT[place.start : place.end], place.at_ms) for place in found] == [
        ("Hello,", 1000),
        ("my", 1700),
        ("name", 2000),
        ("is", 2500),
        ("Anita.", 2800),
    ]


def test_words_that_the_recording_has_take_its_time_and_the_others_lie_between_them():
    heard = [Said(1200, 1500, "hello"), Said(2000, 2100, "Name"), Said(3000, 3300, "Anita")]
    assert [place.at_ms for place in places(TEXT, 1000, 3400, heard)] == [1200, 1760, 2000, 2625, 3000]


def test_a_word_that_was_recognised_differently_lies_between_its_neighbours():
    heard = [Said(1000, 1100, "Call"), Said(1400, 1500, "Anitha"), Said(1800, 1900, "now")]
    assert [place.at_ms for place in places("Call Anita now", 1000, 2000, heard)] == [1000, 1364, 1800]


def test_letters_are_counted_as_browsers_count_them():
    assert [(place.start, place.end) for place in places("🙏 जी", 0, 0)] == [(0, 2), (3, 5)]


def test_a_turn_without_an_end_lasts_as_long_as_people_take_for_so_many_letters():
    assert places("one two", 500, 500)[1].at_ms > 500


def test_nothing_said_has_no_words():
    assert places("  ", 0, 100) == []


@given(
    st.text(max_size=80),
    st.integers(0, 10_000),
    st.integers(0, 20_000),
    st.lists(st.tuples(st.integers(0, 30_000), st.text(max_size=6)), max_size=12),
)
def test_times_never_go_backwards_and_places_stay_in_the_text(text, begin_ms, end_ms, heard):
    found = places(text, begin_ms, end_ms, sorted(Said(at_ms, at_ms + 100, word) for at_ms, word in heard))
    assert [place.at_ms for place in found] == sorted(place.at_ms for place in found)
    assert all(0 <= place.start < place.end <= len(text.encode("utf-16-le", "surrogatepass")) // 2 for place in found)
    assert len(found) == len(text.split())
