"""Words for operators: tables, and the arithmetic of strips, clocks and money."""

import ast
import re
from decimal import Decimal

import pytest
from django.utils import translation

from calls import wording
from calls.endings import Confirmation, EndedBy
from calls.sentences import SENTENCES, in_readers_words
from calls.status import CallStatus
from engine.events import EndReason
from engine.usage import Unit, UsageKind
from tests.house import source


def test_every_status_end_reason_and_kind_of_use_has_words():
    assert set(wording.STATUS) == set(CallStatus)
    assert set(wording.END_REASON) == set(EndReason)
    assert set(wording.USAGE) == set(UsageKind)
    assert set(wording.ENDED_BY) == set(wording.ENDER) == set(EndedBy)
    assert set(wording.CONFIRMATION) == set(Confirmation)
    assert wording.status_words("melted-down") == "Melted down"


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("NORMAL_CLEARING", "hung up normally"),
        ("16", "hung up normally"),
        ("USER_BUSY", "the line was busy"),
        ("no-answer", "nobody answered"),
        ("Streaming_call_throttled", "too many audio streams at once: raise the carrier's limit"),
        ("3009 failed to establish ws conn", "3009 failed to establish ws conn"),
        ("", ""),
    ],
)
def test_a_carriers_cause_reads_like_words_whatever_its_alphabet(cause, words):
    assert wording.cause_words(cause) == words


@pytest.mark.parametrize(
    ("who", "reason", "words"),
    [
        ("agent", "silence", "The agent hung up: the caller stayed silent"),
        ("watchdog", "operator-hangup", "Ended by us: a limit was reached"),
        ("caller", "link-lost", "The caller hung up"),
        ("carrier", "link-lost", "The line was lost without a hang-up"),
        ("caller", "", "The caller hung up"),
        ("carrier", "", "The carrier ended the call"),
        ("", "", ""),
        ("unknown", "brand-new", "Brand new"),
        ("unknown", "", "Nobody has said who hung up"),
    ],
)
def test_who_ended_a_call_and_why(who, reason, words):
    assert wording.ended_words(who, reason) == words


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+919876543212", "+91••••••••12"),
        ("+14155550123", "+1••••••••23"),
        ("+918047112233", "+91••••••••33"),
        ("", "Number withheld"),
        ("1234", "••34"),
        ("+000000000000", "••••••••••00"),
    ],
)
def test_a_masked_number_keeps_its_country_and_two_digits(number, masked):
    assert wording.mask_number(number) == masked


@pytest.mark.parametrize(("seconds", "words"), [(None, "–"), (0, "0:00"), (59.9, "0:59"), (84, "1:24"), (3600, "1:00:00"), (-3, "0:00")])
def test_durations_read_like_a_clock(seconds, words):
    assert wording.duration_words(seconds) == words


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        (Decimal("1.2"), "INR", "₹1.20"),
        (Decimal("0.000078"), "USD", "$0.000078"),
        (Decimal("0.0000004"), "USD", "$0.00"),
        (Decimal("12345.5"), "USD", "$12,345.50"),
        (Decimal("-3"), "EUR", "−€3.00"),
        (Decimal("7"), "CHF", "CHF 7.00"),
        (Decimal(0), "INR", "₹0.00"),
        (None, "", "unpriced"),
    ],
)
def test_money_keeps_the_digits_that_matter_and_unknown_is_never_nothing(amount, currency, words):
    assert wording.money_words(amount, currency) == words


@pytest.mark.parametrize(
    ("per", "unit", "words"),
    [
        (1_000_000, Unit.INPUT_TOKENS, "1M tokens"),
        (1000, Unit.CHARACTERS, "1K characters"),
        (1, Unit.CHARACTERS, "character"),
        (60_000, Unit.AUDIO_MS, "min"),
        (60, Unit.CALL_SECONDS, "min"),
        (250, Unit.OUTPUT_TOKENS, "250 tokens"),
        (None, Unit.AUDIO_MS, ""),
    ],
)
def test_what_a_unit_price_buys(per, unit, words):
    assert wording.per_words(per, unit) == words


@pytest.mark.parametrize(
    ("times", "parts"),
    [
        ((1000, 300, 400, 200), [("endpointing", 0, 300), ("model", 300, 400), ("voice", 700, 200), ("other", 900, 100)]),
        ((500, 300, 400, 200), [("endpointing", 0, 300), ("model", 300, 200)]),
        ((500, None, None, None), [("other", 0, 500)]),
        ((None, 300, 400, 200), []),
        ((0, 300, 400, 200), []),
    ],
)
def test_a_strip_is_as_long_as_the_measured_total(times, parts):
    total, endpointing, llm, tts = times
    found = wording.latency_parts(total_ms=total, endpointing_ms=endpointing, llm_ms=llm, tts_ms=tts)
    assert [(part.name, part.start_ms, part.length_ms) for part in found] == parts


@pytest.mark.parametrize(
    ("ms", "words", "tone"), [(None, "–", "quiet"), (800, "800 ms", "good"), (999.6, "1.00 s", "warn"), (1501, "1.50 s", "bad")]
)
def test_latency_is_judged_as_callers_judge_it(ms, words, tone):
    assert (wording.latency_words(ms), wording.latency_tone(ms)) == (words, tone)


def test_what_was_used_in_vain_says_so():
    assert wording.usage_words("llm", "") == "Language model"
    assert wording.usage_words("llm", "speculative") == "Language model, prepared ahead and not needed"
    assert wording.usage_words("tts", "interrupted") == "Text to speech, cut short by the caller, estimated"
    assert wording.usage_words("llm", "rehearsal") == "Language model, rehearsal"


# --- sentences that rows keep ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "read"),
    [
        ("nothing new in it", "इसमें कुछ नया नहीं"),
        ("repeated: the call is busy already", "दोहराया गया: कॉल पहले से व्यस्त है"),
        (
            "The endpoint answered 410 Gone: it wants no more messages. Switched off at once.",
            "एंडपॉइंट ने 410 Gone कहा: उसे और संदेश नहीं चाहिए। तुरंत बंद कर दिया गया।",
        ),
        (
            "Every try failed for 5 days. The last one: The endpoint answered 404: nothing is at this address. Check its path.",
            "5 दिन तक हर कोशिश फ़ेल हुई। आखिरी: एंडपॉइंट ने 404 कहा: इस पते पर कुछ नहीं है। इसका पाथ देखें।",
        ),
        (
            "The budget of “डेस्क” for 22 November 2026 is used up: ₹5.10 of ₹5.00. It starts anew at midnight.",
            "“डेस्क” का 22 नवमबर 2026 का बजट खत्म हो गया है: ₹5.00 में से ₹5.10। यह आधी रात को नए सिरे से शुरू होता है।",
        ),
        ("Something that nobody has translated. Switched off at once.", "Something that nobody has translated. तुरंत बंद कर दिया गया।"),
        ("", ""),
    ],
)
def test_what_rows_keep_in_english_is_read_in_ones_own_language(kept, read):
    assert in_readers_words(kept) == kept
    with translation.override("hi"):
        assert in_readers_words(kept) == read


def test_every_sentence_stands_in_the_code_as_it_does_in_the_table():
    """A sentence that was changed where it arises would be shown in English for ever."""
    said = set()
    for path in source.files("calls", "telephony", "providers", "pricing", "engine", "agents"):
        if path.name not in ("sentences.py", "outside_sentences.py"):
            for node in ast.walk(source.tree(path)):
                if isinstance(node, ast.JoinedStr):
                    said.add("".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    said.add(node.value)
    put_together = (
        "The budget ",
        "%(n)s minutes",
        "The carrier keeps its own copy",
        "%(who)s (tariff)",
        "%(provider)s: ",
        "%(what)s ",
        "(HTTP ",
    )
    wanted = {sentence: re.sub(r"%\(\w+\)s", "{}", sentence) for sentence in SENTENCES if not sentence.startswith(put_together)}
    everything = "\n".join(sorted(said))
    assert [sentence for sentence, plain in wanted.items() if plain not in everything] == []
