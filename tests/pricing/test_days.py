"""Prices and taxes count on their days, in started pulses, and an operator's own come first."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from engine.usage import Unit, UsageKind, UsageRecord
from pricing.cost import Priced, Unpriced, cost
from pricing.price_list import BadPriceList, Price, PriceList, parse, price_list

OCTOBER, NOVEMBER, DECEMBER = (date(2026, month, 1) for month in (10, 11, 12))
SPOKEN = UsageRecord(UsageKind.TTS, "elevenlabs", "voice-1", Unit.CHARACTERS, 1000, "r")


def price(amount: str, **facts) -> Price:
    return Price(
        kind=facts.pop("kind", UsageKind.TTS),
        provider=facts.pop("provider", "elevenlabs"),
        model=facts.pop("model", "voice-1"),
        unit=facts.pop("unit", Unit.CHARACTERS),
        price=Decimal(amount),
        per=facts.pop("per", 1000),
        currency=facts.pop("currency", "USD"),
        source="here",
        read_on=NOVEMBER,
        **facts,
    )


def entry(**facts: str) -> str:
    known = {
        "kind": '"tts"', "provider": '"elevenlabs"', "model": '"voice-1"', "unit": '"characters"', "price": "0.05", "per": "1000",
        "currency": '"USD"', "source": '"here"', "read_on": "2026-11-22",
    }  # fmt: skip
    return "[[price]]\n" + "\n".join(f"{name} = {value}" for name, value in {**known, **facts}.items()) + "\n"


def test_the_day_of_use_decides():
    prices = parse('version = "7"\n' + entry(effective_until="2026-11-01") + entry(price="0.06", effective_from="2026-11-01"))
    found = [prices.find(SPOKEN, on=day) for day in (OCTOBER, date(2026, 10, 31), NOVEMBER, DECEMBER)]
    assert [str(price.price) for price in found if price] == ["0.05", "0.05", "0.06", "0.06"]
    assert {price.version for price in found if price} == {"7"}


def test_a_day_without_a_price_is_unpriced():
    prices = parse(entry(effective_from="2026-11-01", effective_until="2026-12-01"))
    assert prices.find(SPOKEN, on=date(2026, 11, 30)) is not None
    for day in (OCTOBER, DECEMBER):
        found = cost(SPOKEN, on=day, prices=prices)
        assert isinstance(found, Unpriced)
        assert day.isoformat() in found.reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (entry(effective_from="2026-11-01") + entry(), "priced twice for the same day"),
        (entry(effective_from="2026-12-01", effective_until="2026-12-01"), "must come after"),
        (entry(pulse="0"), "`pulse` must be 1 or more"),
        (entry(version='"1"'), "unknown field version"),
        (entry(override="1"), "unknown field override"),
        ("version = 7\n" + entry(), "must be a text"),
        ('tax = "18 %"\n' + entry(), r"\[\[tax\]\]"),
        (entry() + '[[tax]]\nkind = "telephony"\ncurrency = "INR"\nname = "GST"\npercent = 118\nsource = "s"\nread_on = 2026-11-01', "100"),
    ],
)
def test_a_list_that_contradicts_itself_is_refused_with_the_reason(text, words):
    with pytest.raises(BadPriceList, match=words):
        parse(text)


@pytest.mark.parametrize(("seconds", "amount"), [(0, "0"), (1, "0.60"), (60, "0.60"), (61, "1.20"), (120, "1.20"), (3601, "36.60")])
def test_started_pulses_are_billed_whole(seconds, amount):
    line = price("0.60", kind=UsageKind.TELEPHONY, provider="carrier", model="*", unit=Unit.CALL_SECONDS, per=60, pulse=60, currency="INR")
    assert line.of(seconds).amount == Decimal(amount)


def test_an_operators_own_price_comes_first_on_its_days_and_the_last_written_wins():
    listed = PriceList([price("0.05")])
    own = [
        price("0.04", override=1, effective_from=OCTOBER, effective_until=DECEMBER),
        price("0.03", override=2, effective_from=NOVEMBER, effective_until=DECEMBER),
        price("0.02", override=3, effective_from=NOVEMBER, model="*"),
        replace(price("0.01"), override=None),
    ]
    amounts = []
    for day in (date(2026, 9, 30), OCTOBER, NOVEMBER, DECEMBER):
        found = cost(SPOKEN, on=day, overrides=own, prices=listed)
        assert isinstance(found, Priced)
        amounts.append(str(found.price.price))
    assert amounts == ["0.05", "0.04", "0.03", "0.02"]


def test_gst_is_in_the_list_with_its_day_and_only_for_the_line_in_rupees():
    gst = price_list().tax(UsageKind.TELEPHONY, "INR", on=NOVEMBER)
    assert gst is not None
    assert (gst.name, gst.percent, gst.of(Decimal("1.20")).amount) == ("GST", Decimal(18), Decimal("0.216"))
    assert price_list().tax(UsageKind.TELEPHONY, "INR", on=date(2017, 6, 30)) is None
    assert price_list().tax(UsageKind.TELEPHONY, "USD", on=NOVEMBER) is None
    assert price_list().tax(UsageKind.LLM, "INR", on=NOVEMBER) is None


def test_the_list_of_this_release_has_a_version():
    assert price_list().version
