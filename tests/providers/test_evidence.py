"""What a provider says of a request is kept only if a row can keep it, and believed only within reason."""

import pytest

from engine.errors import ProviderError
from providers.evidence import MOST_USED, SpokenRequests, is_plausible, name_of
from providers.exotel.details import read_call
from providers.exotel.errors import safe_words
from providers.openai.batch import completion
from providers.openai.streams import token_records


@pytest.mark.parametrize(
    ("told", "kept"),
    [("chatcmpl-9x:1", "chatcmpl-9x:1"), ("", ""), ("a b", ""), ("a\x00b", ""), ("é", ""), ("x" * 81, ""), (None, ""), (7, "")],
)
def test_a_name_is_printable_and_short_or_none(told, kept):
    assert name_of(told) == kept


@pytest.mark.parametrize(
    ("quantity", "is_so"), [(0, True), (MOST_USED, True), (MOST_USED + 1, False), (-1, False), (1.5, False), (True, False), (None, False)]
)
def test_a_quantity_is_a_whole_number_within_reason(quantity, is_so):
    assert is_plausible(quantity) is is_so


def test_speech_under_a_name_that_cannot_be_kept_has_one_of_ours():
    spoken = SpokenRequests()
    spoken.note("hello", "req\x00")
    assert spoken.take("hello").startswith("local-")


@pytest.mark.parametrize("counts", [(-1, 0, 5), (5, -1, 5), (5, 0, -5), (5, 0, 10**15)])
def test_a_bill_without_sense_is_none(counts):
    told, cached, out = counts
    assert token_records("m", "req", input_tokens=told, cached=cached, output_tokens=out) == ()


def test_a_bill_under_a_name_that_cannot_be_kept_has_one_of_ours():
    records = token_records("m", "req\x00", input_tokens=5, cached=2, output_tokens=1)
    assert len({record.evidence for record in records}) == 1 and records[0].evidence.startswith("local-")


class Answer:
    """An answer as the SDK builds it."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


@pytest.mark.parametrize(("prompt", "written"), [(-5, 1), (1, -5), (10**15, 1)])
def test_an_answer_whose_bill_makes_no_sense_is_unreadable(prompt, written):
    choice = Answer(message=Answer(refusal=None, content="{}"), finish_reason="stop")
    usage = Answer(prompt_tokens=prompt, completion_tokens=written, prompt_tokens_details=None)
    with pytest.raises(ProviderError, match="unreadable") as refused:
        completion(Answer(id="req-1", choices=[choice], usage=usage), "m")
    assert not refused.value.retryable


def test_what_is_no_text_in_exotels_details_was_not_told():
    call = {
        "Sid": "c1",
        "RecordingUrl": "https://recordings.example/a\x00.mp3",
        "Details": {"Leg1Status": "com\x00pleted", "Leg2Status": "BUSY"},
    }
    details = read_call(call)
    assert (details.recording_url, details.leg_statuses) == ("", ("busy",))
    assert read_call({"Sid": "a\x00b"}).call_sid == ""


def test_exotels_words_hold_nothing_that_no_row_can_keep():
    assert safe_words("not\x00 permitted\ud800 यहाँ") == "not permitted यहाँ"
