"""The money page, the drift report and the admin's own prices: what operators see of the books, and what they may do."""

import csv
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.test import Client
from django.utils import timezone

from calls import commands, ledger
from calls.models import CallLog, Charge, ExchangeRate, PriceOverride
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


@pytest.fixture
def root():
    return made.operator(superuser=True)


@pytest.fixture
def owner():
    return made.operator()


@pytest.fixture
def agent(owner):
    return made.agent_of(owner)


def browser_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def settled(agent, *, lasted_s: int = 84, price: str | None = "1.20", unpriced: bool = False, **how):
    session = made.talking_call(agent, **how)
    made.use(session, key=session.session_id, unpriced=unpriced)
    made.end(session, lasted_s=lasted_s)
    CallLog.objects.filter(session=session).update(carrier_price=price and Decimal(price), carrier_currency="INR" if price else "")
    commands.account(session)
    return session


def today():
    return timezone.localdate()


# --- drift ------------------------------------------------------------------------------------------------------------------------


def test_drift_is_what_the_carrier_took_beyond_our_tariff_by_day_and_exophone(owner, agent):
    made.tariff("0.60")
    settled(agent, lasted_s=84, price="1.20")  # two started minutes: as the tariff says
    settled(agent, lasted_s=60, price="1.20")  # one minute, billed as two
    settled(agent, lasted_s=61, price=None)
    [row] = ledger.drift(owner, today(), today())
    assert (row.exophone, row.currency, row.calls, row.compared, row.differing, row.without_price) == ("+918047112233", "INR", 3, 2, 1, 1)
    assert (row.theirs, row.ours, row.drift, row.percent) == (Decimal("2.40"), Decimal("1.80"), Decimal("0.60"), Decimal("33.3"))
    assert ledger.drift(made.operator(), today(), today()) == [], "nobody sees other people's calls"
    assert ledger.drift(owner, today() - timedelta(days=2), today() - timedelta(days=1)) == []


def test_an_exophones_own_tariff_comes_before_the_directions_and_that_before_everybodys(owner, agent):
    made.tariff("9", model="*")
    made.tariff("3", model="inbound")
    settled(agent, lasted_s=30, price="3")
    assert ledger.drift(owner, today(), today())[0].ours == 3
    made.tariff("1", model="+918047112233")
    assert ledger.drift(owner, today(), today())[0].ours == 1


def test_without_a_tariff_there_is_nothing_to_compare_with_and_that_is_said(owner, agent):
    settled(agent)
    [row] = ledger.drift(owner, today(), today())
    assert (row.calls, row.compared, row.without_tariff, row.percent) == (1, 0, 1, None)


def test_drift_comes_as_a_page_as_csv_and_at_the_terminal(owner, agent):
    made.tariff("0.50")
    settled(agent)
    browser = browser_of(owner)
    page = browser.get("/money/").content.decode()
    assert "₹1.20" in page and "₹1.00" in page and "₹0.20" in page and "1 call differs" in page
    sheet = browser.get("/money/drift.csv")
    [line] = csv.DictReader(StringIO(sheet.content.decode()))
    assert (line["exophone"], line["theirs"], line["ours"], line["drift"], line["percent"]) == (
        "+918047112233", "1.2000", "1.000000000", "0.200000000", "20.0",
    )  # fmt: skip
    assert "attachment" in sheet["Content-Disposition"]
    output = StringIO()
    call_command("drift", stdout=output)
    assert "+20.0 %" in output.getvalue() and "1 differ" in output.getvalue()
    output = StringIO()
    call_command("drift", "--csv", "--from", today().isoformat(), stdout=output)
    assert output.getvalue().splitlines()[0].startswith("day,exophone,currency")


def test_days_that_make_no_sense_are_answered_with_words(owner):
    browser = browser_of(owner)
    assert "at most a year apart" in browser.get("/money/?since=2020-01-01&until=2026-01-01").content.decode()
    assert browser.get("/money/drift.csv?since=2026-02-01&until=2026-01-01").status_code == 400
    assert "Write the first day as YYYY-MM-DD." in browser.get("/money/?since=yesterday").content.decode()
    assert browser.get("/money/?since=yesterday").status_code == 200
    assert Client().get("/money/").status_code == 302


# --- what has no price --------------------------------------------------------------------------------------------------------------


def test_what_has_no_price_is_listed_with_its_calls_until_it_has_one(owner, agent, root):
    first, second = (settled(agent, unpriced=True) for _ in range(2))
    [use] = ledger.unpriced_uses(owner)
    assert (use.kind, use.provider, use.model, use.unit, use.calls, use.quantity) == (
        "llm", "openai", "a-model-nobody-priced", "output_tokens", 2, 24,
    )  # fmt: skip
    assert ledger.unpriced_uses(made.operator()) == []
    page = browser_of(root).get("/money/").content.decode()
    assert "a-model-nobody-priced" in page
    assert "/admin/calls/priceoverride/add/?kind=llm&amp;provider=openai&amp;model=a-model-nobody-priced" in page
    assert "Give a price" not in browser_of(owner).get("/money/").content.decode()
    made.override(model="a-model-nobody-priced", unit="output_tokens", price="1", per=1000)
    for session in (first, second):
        commands.account(session)
    assert ledger.unpriced_uses(owner) == []


# --- the admin ----------------------------------------------------------------------------------------------------------------------

ROW = {
    "kind": "tts", "provider": "elevenlabs", "model": "eleven_flash_v2_5", "language": "", "unit": "characters", "price": "0.04",
    "per": "1000", "pulse": "1", "currency": "USD", "tax_percent": "", "effective_from": "2026-11-01", "effective_until": "",
    "reason": "contract of November",
}  # fmt: skip


def test_a_price_is_added_in_the_admin_with_who_and_why_and_only_its_end_is_ever_changed(root):
    browser = browser_of(root)
    assert browser.get("/admin/calls/priceoverride/add/?kind=tts&model=m").status_code == 200
    assert browser.post("/admin/calls/priceoverride/add/", ROW).status_code == 302
    row = PriceOverride.objects.get()
    assert (row.price, row.reason, row.created_by) == (Decimal("0.04"), "contract of November", root)
    change = f"/admin/calls/priceoverride/{row.pk}/change/"
    assert browser.get(change).status_code == 200
    assert browser.post(change, {"price": "9", "effective_until": "2026-12-01"}).status_code == 302
    row.refresh_from_db()
    assert (row.price, row.effective_until) == (Decimal("0.04"), date(2026, 12, 1))
    assert browser.post(f"/admin/calls/priceoverride/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        PriceOverride.objects.filter(pk=row.pk).update(price=9)
    with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
        PriceOverride.objects.filter(pk=row.pk).delete()


def test_a_new_price_ends_the_one_before_it(root):
    browser = browser_of(root)
    browser.post("/admin/calls/priceoverride/add/", ROW)
    browser.post("/admin/calls/priceoverride/add/", {**ROW, "price": "0.03", "effective_from": "2026-11-20"})
    newer, older = PriceOverride.objects.order_by("-id")
    assert (older.effective_until, newer.effective_until) == (date(2026, 11, 20), None)


@pytest.mark.parametrize(
    "wrong",
    [{"price": "-1"}, {"per": "0"}, {"currency": "inr"}, {"effective_until": "2026-10-01"}, {"reason": ""}, {"tax_percent": "101"}],
)
def test_a_price_that_makes_no_sense_is_refused(root, wrong):
    assert browser_of(root).post("/admin/calls/priceoverride/add/", {**ROW, **wrong}).status_code == 200
    assert not PriceOverride.objects.exists()


def test_an_exchange_rate_is_added_in_the_admin_and_stays(root):
    browser = browser_of(root)
    rate = {"base": "USD", "quote": "INR", "rate": "88.10", "on": "2026-11-20", "source": "RBI"}
    assert browser.post("/admin/calls/exchangerate/add/", rate).status_code == 302
    row = ExchangeRate.objects.get()
    assert (row.rate, row.created_by) == (Decimal("88.10"), root)
    assert browser.post(f"/admin/calls/exchangerate/{row.pk}/change/", {**rate, "rate": "1"}).status_code == 403
    for wrong in ({"rate": "0"}, {"quote": "USD"}, {"base": "dollar"}):
        assert browser.post("/admin/calls/exchangerate/add/", {**rate, **wrong}).status_code == 200
    assert ExchangeRate.objects.count() == 1
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
        ExchangeRate.objects.update(rate=1)


def test_the_admin_shows_what_was_superseded(root, agent):
    session = settled(agent, unpriced=True)
    made.override(model="a-model-nobody-priced", unit="output_tokens", price="1", per=1000)
    commands.account(session)
    assert Charge.ever.filter(session=session).count() == Charge.objects.filter(session=session).count() + 1
    assert "unpriced (superseded)" in browser_of(root).get("/admin/calls/charge/").content.decode()
