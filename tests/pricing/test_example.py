"""docs/money.md explains one call to the paisa: every figure of its table is worked out again from the quantity and the price list."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from engine.usage import Unit, UsageKind, UsageRecord
from pricing.cost import Priced, cost
from pricing.price_list import price_list
from pricing.shares import rounded_parts

TEXT = (Path(__file__).parents[2] / "docs" / "money.md").read_text(encoding="utf-8").partition("## One call, to the paisa")[2]
DAY, RATE = date(2026, 11, 22), Decimal(90)
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| ") and "| use |" not in line
]
USES = [row for row in ROWS if row[0] not in {"telephony", "tax"}]


def number(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


@pytest.mark.parametrize("row", USES, ids=lambda row: f"{row[0]} {row[3]}")
def test_each_line_is_its_quantity_times_the_price_of_the_day(row):
    kind, of, _purpose, used, price, amount, _inr = row
    (provider, model), (quantity, unit) = of.split(), used.split()
    found = cost(UsageRecord(UsageKind(kind), provider, model, Unit(unit), int(number(quantity)), "the demo's"), on=DAY)
    assert isinstance(found, Priced)
    unit_price, per = price.removeprefix("× ").split(" / ")
    assert (found.price.price, Decimal(found.price.per)) == (number(unit_price), number(per))
    assert number(quantity) * number(unit_price) / number(per) == found.money.amount
    assert (found.money.amount, found.money.currency) == (number(amount.split()[0]), amount.split()[1])


def test_the_tax_is_the_days_on_the_carriers_price():
    [line] = [row for row in ROWS if row[0] == "telephony"]
    [tax] = [row for row in ROWS if row[0] == "tax"]
    listed = price_list().tax(UsageKind.TELEPHONY, "INR", on=DAY)
    assert listed is not None
    assert listed.of(number(line[5].split()[0])).amount == number(tax[5].split()[0])
    assert f"× {listed.percent.normalize():f} / 100" == tax[4]


def test_the_parts_add_up_to_the_totals_that_are_told():
    assert len(USES) == 8
    amounts = [(number(row[5].split()[0]), row[5].split()[1]) for row in ROWS]
    usd, inr = (sum(amount for amount, currency in amounts if currency == wanted) for wanted in ("USD", "INR"))
    assert f"Total: {usd} USD + {inr} INR." in TEXT
    converted = [amount * RATE if currency == "USD" else amount for amount, currency in amounts]
    assert [number(row[6]) for row in ROWS] == rounded_parts(converted, 2)
    told = re.search(r"\*\*₹([\d.]+)\*\*", TEXT)
    assert told is not None
    assert sum(number(row[6]) for row in ROWS) == number(told[1]) == sum(converted, Decimal(0)).quantize(Decimal("0.01"))
