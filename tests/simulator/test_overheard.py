"""What is kept of what a recogniser told: that somebody speaks and which words, never the rest."""

from simulator.overheard import Overheard, Told


def results(text):
    return {"type": "Results", "channel": {"alternatives": [{"transcript": text, "words": []}]}}


def test_speech_and_words_are_kept_with_their_time():
    told = Told()
    for at_s, message in enumerate(
        [{"type": "SpeechStarted"}, results(""), results("Hello"), {"type": "Metadata"}, {"type": "UtteranceEnd"}]
    ):
        told.note(message, float(at_s))
    told.note({"type": "TurnInfo", "event": "Update", "transcript": "there"}, 9.0)
    assert told.reports == [(0.0, "speech", ""), (2.0, "words", "Hello"), (9.0, "words", "there")]


def test_what_is_kept_is_bounded():
    overheard = Overheard()
    for _ in range(2_500):
        told = overheard.stream()
    for at_s in range(1_500):
        told.note({"type": "SpeechStarted"}, at_s)
    assert (len(overheard.streams), len(told.reports)) == (2_000, 1_000)
