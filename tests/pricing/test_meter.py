"""The meter of a running call: what was told, what runs with the clock, and what nobody has a price for."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from engine.usage import Unit, UsageKind, UsageRecord
from pricing.meter import LINE, Meter
from pricing.price_list import Price, PriceList, Tax

READ_ON = date(2026, 11, 22)


def price(kind, model, unit, amount, per, currency="USD", pulse=1) -> Price:
    return Price(
        kind=kind,
        provider="acme",
        model=model,
        unit=unit,
        price=Decimal(amount),
        per=per,
        currency=currency,
        pulse=pulse,
        source="a contract",
        read_on=READ_ON,
    )


PRICES = PriceList(
    [
        price(UsageKind.STT, "ears", Unit.AUDIO_MS, "0.60", 60_000),
        price(UsageKind.LLM, "mind", Unit.OUTPUT_TOKENS, "2", 1000),
    ]
)
TARIFF = price(UsageKind.TELEPHONY, "inbound", Unit.CALL_SECONDS, "1.20", 60, "INR", 60)
LISTENING = UsageRecord(UsageKind.STT, "acme", "ears", Unit.AUDIO_MS, 0, "meter")


def listened(quantity: int) -> UsageRecord:
    return UsageRecord(UsageKind.STT, "acme", "ears", Unit.AUDIO_MS, quantity, f"stt-{quantity}")


def written(quantity: int, model: str = "mind") -> UsageRecord:
    return UsageRecord(UsageKind.LLM, "acme", model, Unit.OUTPUT_TOKENS, quantity, f"llm-{quantity}")


def meter(**how) -> Meter:
    given: dict[str, Any] = {"running": [LISTENING], "tariff": TARIFF, "prices": PRICES}
    return Meter(**given | how)


@pytest.mark.parametrize(("elapsed_ms", "rupees"), [(0, None), (1, "1.20"), (60_000, "1.20"), (60_001, "2.40"), (119_000, "2.40")])
def test_the_line_costs_its_started_minutes(elapsed_ms, rupees):
    amount = meter().read(elapsed_ms).amounts.get("INR")
    assert amount == (None if rupees is None else Decimal(rupees))


def test_what_was_told_is_priced_and_listening_is_estimated_by_the_clock():
    one = meter()
    one.use(written(500))
    assert one.read(30_000).amounts["USD"] == Decimal("1") + Decimal("0.30")


def test_the_prices_of_the_operators_day_count():
    old, new = (price(UsageKind.LLM, "mind", Unit.OUTPUT_TOKENS, amount, 1000) for amount in ("2", "3"))
    by_day = PriceList([replace(old, effective_until=date(2027, 1, 1)), replace(new, effective_from=date(2027, 1, 1))])
    of_old, of_new = (meter(prices=by_day, running=[], on=day) for day in (date(2026, 12, 31), date(2027, 1, 1)))
    for one in (of_old, of_new):
        one.use(written(1000))
    assert of_old.read(0).amounts["USD"] == Decimal(2) and of_new.read(0).amounts["USD"] == Decimal(3)


def test_listening_is_not_counted_twice_when_it_is_told_of():
    one = meter()
    one.use(listened(20_000))
    assert one.read(30_000).amounts["USD"] == Decimal("0.30")
    one.use(listened(15_000))  # more than the clock says: then that counts
    assert one.read(30_000).amounts["USD"] == Decimal("0.35")


def test_reading_changes_nothing():
    one = meter()
    one.use(written(500))
    assert one.read(30_000) == one.read(30_000)


def test_what_has_no_price_is_named_and_not_taken_for_free():
    one = meter(tariff=None)
    one.use(written(5, "a-model-nobody-priced"))
    reading = one.read(1000)
    assert reading.unpriced == ("acme a-model-nobody-priced", LINE)
    assert "INR" not in reading.amounts


def test_a_call_that_goes_on_keeps_what_it_had_cost():
    assert meter(base={"INR": Decimal("1.20")}).read(1000).amounts["INR"] == Decimal("2.40")


def test_each_leg_is_billed_in_its_own_minutes_and_its_tax_comes_on_top():
    gst = Tax(kind=UsageKind.TELEPHONY, currency="INR", name="GST", percent=Decimal(18), source="the law", read_on=READ_ON)
    one = meter(tax=gst)
    assert one.read(61_000).amounts["INR"] == Decimal("2.40") * Decimal("1.18")
    assert one.read(61_000, [1, 0]).amounts["INR"] == Decimal("3.60") * Decimal("1.18")
    assert meter().read(61_000, [60_000]).amounts["INR"] == Decimal("3.60")
