import pytest

from engine.filler import Quiet, filler_wait_ms
from engine.ports import Message
from engine.sentence_cache import RepeatedSentences, SentenceCache
from engine.spending import Spending, estimate, tokens_in
from engine.tuning import Tuning
from engine.usage import Unit, UsageKind, UsageRecord


@pytest.mark.parametrize(
    ("quiet", "due_ms"),
    [
        (Quiet(0), 1800),
        (Quiet(1000), 800),
        (Quiet(-2000), 3800),
        (Quiet(500, switched=True), 200),
        (Quiet(3000, tool_ms=100), 600),
        (Quiet(-500, tool_ms=900), 1200),
        (Quiet(400, tool_ms=0, has_words=True), 0),
        (Quiet(400, tool_ms=0, has_words=True, said_anything=True), 700),
        (Quiet(1000, fillers=1), 3000),
        (Quiet(1000, tool_ms=900, fillers=2), 3000),
    ],
)
def test_when_a_filler_is_due(quiet, due_ms):
    assert filler_wait_ms(quiet, Tuning()) == due_ms


def record(purpose=""):
    return UsageRecord(UsageKind.TTS, "voice", "one", Unit.CHARACTERS, 12, "r1", purpose)


@pytest.mark.parametrize("purpose", ["", "speculative"])
def test_what_a_draft_uses_is_told_when_it_is_decided_on_and_what_follows_at_once(purpose):
    told: list[UsageRecord] = []
    spending = Spending(told.append, is_draft=True)
    spending.use([record()])
    assert told == []
    spending.settle(purpose)
    assert told == [record(purpose)]
    spending.use([record()])
    spending.settle("speculative")
    assert told == [record(purpose), record()]


def test_what_is_no_draft_is_told_at_once():
    told: list[UsageRecord] = []
    Spending(told.append, is_draft=False).use([record(), record()])
    assert told == [record(), record()]


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [("", 0, 0), ("a", 1, 1), ("Tomorrow at five is free for you, shall I book it?", 10, 16), ("कल पाँच बजे समय खाली है, बुक कर दूँ?", 14, 26)],
)
def test_tokens_are_estimated_by_script(text, least, most):
    assert least <= tokens_in(text) <= most


def test_an_estimate_tells_of_both_directions_and_leaves_out_what_is_nothing():
    asked = [Message("system", "x" * 400), Message("user", "y" * 40)]
    both = estimate("openai", "m", asked, "z" * 40, "e1")
    assert [(each.unit, each.quantity, each.purpose) for each in both] == [
        (Unit.INPUT_TOKENS, 118, "interrupted"),
        (Unit.OUTPUT_TOKENS, 10, "interrupted"),
    ]
    assert [each.unit for each in estimate("openai", "m", asked, "", "e1")] == [Unit.INPUT_TOKENS]


def test_the_cache_gives_back_what_it_was_given_and_stays_small():
    cache = SentenceCache(8000)
    second = bytes(16_000)
    cache.keep("long", [second] * 5)
    assert cache.get("long") is None
    for number in range(12):
        cache.keep(f"{number}", [second[:8000], second[8000:]])
    assert cache.get("0") == second  # just used: not the next to go
    cache.keep("12", [second])
    assert cache.get("1") is None
    assert cache.get("0") == cache.get("12") == second
    cache.keep("empty", [])
    assert cache.get("empty") is None


def said(repeated, words="please hold", *, voice="asha", rate_hz=8000, pcm=b"ab" * 100, **more):
    """A call of its own, in which `words` are bought unless they are known."""
    cache = SentenceCache(rate_hz, repeated, voice)
    known = cache.get(words)
    if known is None:
        cache.keep(words, [pcm], **more)
    return known


def test_a_sentence_that_was_bought_twice_is_known_to_every_further_call():
    repeated = RepeatedSentences()
    assert [said(repeated) is not None for _ in range(4)] == [False, False, True, True]


def test_what_one_call_alone_says_stays_out_of_the_others_however_often():
    repeated = RepeatedSentences()
    cache = SentenceCache(8000, repeated, "asha")
    for number in range(30):
        cache.keep("Dear Mrs Rao", [b"ab" * 100])
        cache.keep(f"{number}", [bytes(16_000)])  # until her name has fallen out of the call's own memory
    assert said(repeated, "Dear Mrs Rao") is None


@pytest.mark.parametrize("other", [{"voice": "ravi"}, {"rate_hz": 16_000}, {"words": "please wait"}])
def test_another_voice_rate_or_wording_is_other_audio(other):
    repeated = RepeatedSentences()
    for _ in range(3):
        said(repeated)
    assert said(repeated, **other) is None


@pytest.mark.parametrize("kept_apart", [{"own_voice": False}, {"voice": ""}])
def test_a_stand_ins_voice_or_a_nameless_one_is_not_shared(kept_apart):
    repeated = RepeatedSentences()
    assert [said(repeated, **kept_apart) for _ in range(4)] == [None] * 4


def test_what_calls_share_is_bounded_whatever_they_say():
    repeated = RepeatedSentences(most_bytes=1_000)
    for number in range(5_000):
        said(repeated, f"only once {number}")
    assert len(repeated._said_once) == 2_048
    for number in range(20):
        for _ in range(2):
            said(repeated, f"often {number}")
    assert said(repeated, "often 0") is None
    assert said(repeated, "often 19") is not None
    assert repeated._sentences._bytes <= 1_000
