"""Live turns found again in a recording's transcript: a table of talks, without a database."""

import pytest

from calls.alignment import Heard, Spoken, align, voice_of

TALK = [
    ("agent", 0, "Good morning, this is the clinic. How may I help you?", 0, 3000),
    ("caller", 1, "I need an appointment for my daughter.", 4000, 6500),
    ("agent", 1, "Certainly. Is tomorrow at ten fine?", 7200, 9500),
    ("caller", 2, "Yes, that is fine.", 10_000, 11_200),
]


def spoken(*without: int) -> list[Spoken]:
    return [Spoken(*turn) for place, turn in enumerate(TALK) if place not in without]


def heard(offset_ms: int = 0, *without: int, voices: dict[str, str] | None = None) -> list[Heard]:
    voices = voices or {"agent": "c0", "caller": "c1"}
    return [
        Heard(voices[who], start + offset_ms, end + offset_ms, text.lower().rstrip("?."))
        for place, (who, _number, text, start, end) in enumerate(TALK)
        if place not in without
    ]


def verdicts(found) -> list[bool]:
    return [turn.heard for turn in found.turns]


@pytest.mark.parametrize("offset_ms", [0, 1_300, -800, 45_000])
def test_a_talk_is_found_whole_whatever_its_clocks_and_both_voices_get_their_names(offset_ms):
    found = align(spoken(), heard(offset_ms))
    assert verdicts(found) == [True] * 4
    assert [turn.similarity for turn in found.turns] == [1.0] * 4
    assert found.names == {"c0": "agent", "c1": "caller"}
    assert (found.offset_ms, found.unmatched) == (offset_ms, [])


def test_the_channels_may_lie_the_other_way_round():
    assert align(spoken(), heard(voices={"agent": "c1", "caller": "c0"})).names == {"c0": "caller", "c1": "agent"}


def test_a_turn_that_the_recording_does_not_have_was_not_heard():
    found = align(spoken(), heard(500, 2))
    assert verdicts(found) == [True, True, False, True]
    assert found.turns[2].similarity == 0.0


def test_what_only_the_recording_heard_belongs_to_no_turn_but_to_a_voice():
    found = align(spoken(3), heard(500))
    assert (found.unmatched, found.names["c1"]) == ([3], "caller")
    assert verdicts(found) == [True] * 3


def test_a_sentence_in_several_utterances_is_one_turn():
    cut = heard()
    cut[0:1] = [Heard("c0", 0, 1400, "good morning this is the clinic"), Heard("c0", 1600, 3000, "how may I help you")]
    found = align(spoken(), cut)
    assert (found.turns[0].utterances, found.turns[0].similarity) == ([0, 1], 1.0)


def test_the_same_word_minutes_apart_is_not_the_same_turn():
    turns = [*spoken(), Spoken("caller", 3, "yes", 100_000, 100_500), Spoken("caller", 4, "yes", 200_000, 200_500)]
    found = align(turns, [*heard(), Heard("c1", 200_000, 200_500, "Yes.")])
    assert [turn.heard for turn in found.turns[4:]] == [False, True]


def test_other_words_at_the_same_time_by_the_same_voice_were_heard_with_a_low_likeness():
    other = heard()
    other[1] = Heard("c1", 4100, 6400, "मुझे अपनी बेटी के लिए समय चाहिए")
    turn = align(spoken(), other).turns[1]
    assert (turn.heard, turn.similarity, turn.utterances) == (True, 0.0, [1])


def test_devanagari_words_stay_whole():
    turns = [Spoken("caller", 0, "मुझे डॉक्टर से मिलना है।", 0, 2000)]
    found = align(turns, [Heard("s0", 0, 2000, "मुझे डॉक्टर से मिलना है")])
    assert (found.turns[0].similarity, found.names) == (1.0, {"s0": "caller"})


@pytest.mark.parametrize(
    ("turns", "utterances"), [([], []), (spoken(), []), ([], heard()), ([Spoken("caller", 0, "", 0, 0)], [Heard("c0", 0, 0, "")])]
)
def test_nothing_on_either_side_is_no_error(turns, utterances):
    found = align(turns, utterances)
    assert not any(verdicts(found))
    assert found.unmatched == list(range(len(utterances)))


def test_voices_are_channels_unless_speakers_were_told_apart():
    assert [voice_of(one) for one in ({"channel": 1, "speaker": None}, {"channel": 0, "speaker": 2}, {"speaker": 0}, {})] == [
        "c1",
        "s2",
        "s0",
        "c0",
    ]
