"""A price list that makes no sense is refused as a whole, with words that say which entry and why."""

from decimal import Decimal

import pytest

from engine.usage import Unit, UsageKind, UsageRecord
from pricing.price_list import BadPriceList, parse

GOOD = {
    "kind": '"tts"',
    "provider": '"vendor"',
    "model": '"voice-1"',
    "unit": '"characters"',
    "price": "0.05",
    "per": "1_000",
    "currency": '"USD"',
    "source": '"their price page"',
    "read_on": "2026-11-22",
}


def entry(**changes: str | None) -> str:
    fields = {**GOOD, **changes}
    return "\n".join(["[[price]]", *(f"{name} = {value}" for name, value in fields.items() if value is not None)])


def record(model: str) -> UsageRecord:
    return UsageRecord(UsageKind.TTS, "vendor", model, Unit.CHARACTERS, 10, "r")


def test_a_price_keeps_every_digit():
    found = parse(entry(price="0.0048")).find(record("voice-1"))
    assert found is not None
    assert found.price == Decimal("0.0048")
    assert found.per == 1000


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"price": None}, "price"),
        ({"price": "-1"}, "0 or more"),
        ({"price": "nan"}, "0 or more"),
        ({"price": '"free"'}, "price"),
        ({"per": "0"}, "how many units"),
        ({"per": "1.5"}, "per"),
        ({"unit": '"minutes"'}, "minutes"),
        ({"kind": '"magic"'}, "magic"),
        ({"currency": '"dollars"'}, "three capital letters"),
        ({"currency": '""'}, "three capital letters"),
        ({"source": '""'}, "source"),
        ({"read_on": '"yesterday"'}, "read_on"),
        ({"read_on": None}, "read_on"),
        ({"discount": "1"}, "discount"),
    ],
)
def test_a_bad_entry_is_named_with_its_fault(changes, says):
    with pytest.raises(BadPriceList, match="entry 2") as refused:
        parse(entry(model='"other"') + "\n" + entry(**changes))
    assert says in str(refused.value)


@pytest.mark.parametrize("text", ["", "this is no TOML", "price = 3", "[prices]\n", entry() + "\n" + entry(price="0.06")])
def test_a_list_that_is_not_one_is_refused(text):
    with pytest.raises(BadPriceList):
        parse(text)


def test_the_models_own_price_beats_the_price_for_every_model():
    prices = parse(entry(model='"*"', price="1") + "\n" + entry(price="2"))
    own, other = prices.find(record("voice-1")), prices.find(record("voice-2"))
    assert own is not None
    assert own.price == 2
    assert other is not None
    assert other.price == 1


def test_a_language_with_a_price_of_its_own_costs_that_and_every_other_the_common_one():
    prices = parse(entry(price="1") + "\n" + entry(price="2", language='"multi"'))
    assert [price and price.price for price in (prices.find(record("voice-1"), tongue) for tongue in ("", "hi", "multi"))] == [1, 1, 2]


def test_a_price_for_every_model_does_not_leave_its_provider():
    prices = parse(entry(model='"*"'))
    assert prices.find(UsageRecord(UsageKind.TTS, "another", "voice-1", Unit.CHARACTERS, 1, "r")) is None
    assert prices.find(UsageRecord(UsageKind.STT, "vendor", "voice-1", Unit.CHARACTERS, 1, "r")) is None
