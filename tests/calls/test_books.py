"""The books of a call: every use is charged once by the price of its day, parts add up, and what proves wrong is superseded."""

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import StringIO
from threading import Barrier, Thread

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calls import commands, presentation, queries, tasks
from calls.models import CallLog, Charge, Recording, Session, UsageLine
from calls.price_book import price_book
from calls.rates import exchange_rate
from engine.usage import Unit, UsageKind, UsageRecord
from pricing.cost import Priced
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db
INR, USD = "INR", "USD"


@pytest.fixture
def session() -> Session:
    return made.talking_call(made.agent_of(made.operator(), language="en-IN", record_calls=False))


def told(session: Session, price: str | None, *legs: int, duration_s: int = 84) -> None:
    """The carrier tells price and lengths, as the reconciler hands them on."""
    facts = {"leg_seconds": list(legs)} if legs else {}
    report = commands.CarrierReport(
        status="completed", duration_s=duration_s, price=Decimal(price) if price else None, currency=INR if price else "", facts=facts
    )
    commands.apply_carrier_report(session=session, report=report, source="carrier", key=f"details:{price}:{legs}:{duration_s}")


def live(session: Session, part: str = "") -> list[Charge]:
    return list(Charge.objects.filter(session=session, part=part).order_by("usage_line_id"))


# --- the line ---------------------------------------------------------------------------------------------------------------------


def test_one_leg_is_one_line_with_the_carriers_price_and_the_tax_on_it(session):
    told(session, "1.20", 84)
    commands.account(session)
    [charge], [tax] = live(session), live(session, "tax")
    assert (charge.amount, charge.usage_line.quantity, charge.usage_line.model) == (Decimal("1.20"), 84, "inbound")
    assert (tax.amount, tax.unit_price, tax.price_per) == (Decimal("0.216"), Decimal(18), 100)
    assert tax.price_source.startswith("GST 18 %: ")
    assert queries.charges_summary(session).totals == {INR: Decimal("1.416")}


@pytest.mark.parametrize(
    ("legs", "price", "shares"),
    [
        ((84, 30), "1.80", ["1.2000", "0.6000"]),  # two started minutes and one
        ((60, 60), "1.00", ["0.5000", "0.5000"]),
        ((61, 1, 1), "1.0000", ["0.5000", "0.2500", "0.2500"]),
        ((200, 50, 10), "1.0001", ["0.6667", "0.1667", "0.1667"]),
    ],
)
def test_the_carriers_one_price_is_shared_out_to_the_legs_and_adds_up_to_it(session, legs, price, shares):
    told(session, price, *legs)
    commands.account(session)
    found = live(session)
    assert [charge.usage_line.quantity for charge in found] == list(legs)
    assert [charge.usage_line.model for charge in found] == ["inbound", "inbound leg 2", "inbound leg 3"][: len(legs)]
    assert [charge.amount for charge in found] == [Decimal(share) for share in shares]
    assert sum(charge.amount or Decimal(0) for charge in found) == Decimal(price)
    assert len(live(session, "tax")) == 1


def test_a_second_leg_that_is_billed_later_changes_the_price_and_keeps_what_was_said(session):
    told(session, "1.20", 84)
    commands.account(session)
    told(session, "1.80", 84, 30)
    assert commands.account(session) > 0
    assert [charge.amount for charge in live(session)] == [Decimal("1.20"), Decimal("0.60")]
    assert queries.charges_summary(session).totals == {INR: Decimal("1.80") * Decimal("1.18")}
    assert Charge.ever.filter(session=session, part="tax").count() == 2
    assert commands.account(session) == 0


def test_a_length_that_is_told_longer_later_comes_as_a_line_of_its_own(session):
    told(session, "1.20", duration_s=20)
    commands.account(session)
    told(session, "1.20", duration_s=84)
    commands.account(session)
    lines = UsageLine.objects.filter(session=session, kind="telephony").order_by("id")
    assert [line.quantity for line in lines] == [20, 64]
    assert [charge.amount for charge in live(session)] == [Decimal("1.20"), Decimal(0)]
    assert commands.account(session) == 0


def test_until_the_carrier_tells_its_price_ours_is_shown_as_an_estimate_and_never_stored(session):
    made.tariff("0.60", model="+918047112233")
    told(session, None, 84, 30)
    commands.account(session)
    estimate = queries.line_estimate(session)
    assert estimate is not None
    assert (estimate.amount, estimate.tax, estimate.leg_seconds) == (Decimal("1.80"), Decimal("0.324"), (84, 30))
    shown = presentation.estimate_words(estimate)
    assert shown is not None
    assert (shown.state, shown.amount, shown.quantity) == ("estimate", "₹2.124", "2 legs, 3 pulses of 60 s")
    assert queries.charges_summary(session).totals == {}
    told(session, "1.80", 84, 30)
    commands.account(session)
    session.refresh_from_db()
    assert queries.line_estimate(Session.objects.get(pk=session.pk)) is None


def test_no_tariff_no_estimate(session):
    assert queries.line_estimate(session) is None


def test_the_tariffs_own_tax_comes_before_the_laws(session):
    made.tariff("0.60", tax_percent=Decimal("5"))
    told(session, "1.00", 30)
    commands.account(session)
    assert live(session, "tax")[0].amount == Decimal("0.05")
    made.tariff("0.60", tax_percent=Decimal("0"), effective_from=date(2021, 1, 1))
    commands.reprice(session, reason="no tax")
    assert queries.charges_summary(session).totals == {INR: Decimal("1.00")}


# --- the day of use ---------------------------------------------------------------------------------------------------------------


def used_on(session: Session, day: date, quantity: int = 1000) -> UsageLine:
    moment = timezone.make_aware(datetime.combine(day, time(0, 30)))
    return UsageLine.objects.create(
        session=session, kind="tts", provider="elevenlabs", model="eleven_flash_v2_5", unit="characters", quantity=quantity,
        evidence=f"tts-{day}", created_at=moment,
    )  # fmt: skip


def test_the_price_and_the_rate_of_the_day_of_use_count_and_are_frozen(session):
    made.override(kind="tts", provider="elevenlabs", model="eleven_flash_v2_5", unit="characters", price="0.04", per=1000,
                  effective_from=date(2026, 10, 2), effective_until=date(2026, 10, 5))  # fmt: skip
    commands.add_exchange_rate(base=USD, quote=INR, rate=Decimal("88"), on=date(2026, 10, 1), source="bank", by=None)
    commands.add_exchange_rate(base=USD, quote=INR, rate=Decimal("89"), on=date(2026, 10, 3), source="bank", by=None)
    for day in (1, 2, 4, 5, 30):
        used_on(session, date(2026, 10, day))
    commands.account(session)
    found = [charge for charge in live(session) if charge.usage_line.kind == "tts"]
    assert [str(charge.amount) for charge in found] == ["0.050000000", "0.040000000", "0.040000000", "0.050000000", "0.050000000"]
    assert [charge.exchange_rate for charge in found] == [88, 88, 89, 89, None]
    assert [bool(charge.price_override_id) for charge in found] == [False, True, True, False, False]
    assert [charge.price_list for charge in found] == ["2026-11-22", "", "", "2026-11-22", "2026-11-22"]
    assert queries.charges_summary(session).converted is None, "one use has no rate, so there is no sum"


def test_a_rate_counts_for_a_week_either_way_round_and_the_newest_row_of_a_day_wins():
    day = date(2026, 11, 10)
    assert exchange_rate(USD, INR, day) is None
    commands.add_exchange_rate(base=INR, quote=USD, rate=Decimal("0.0125"), on=day, source="bank", by=None)
    turned = exchange_rate(USD, INR, day + timedelta(days=7))
    assert turned is not None and turned.value == 80
    assert exchange_rate(USD, INR, day + timedelta(days=8)) is None
    assert exchange_rate(USD, INR, day - timedelta(days=1)) is None
    commands.add_exchange_rate(base=USD, quote=INR, rate=Decimal("88.5"), on=day, source="corrected", by=None)
    newest = exchange_rate(USD, INR, day)
    assert newest is not None and (newest.value, newest.source) == (Decimal("88.5"), "corrected")


def test_the_last_written_of_two_own_prices_for_a_day_counts():
    record = UsageRecord(UsageKind.TTS, "elevenlabs", "eleven_v3", Unit.CHARACTERS, 1000, "r")
    for price in ("0.2", "0.3"):
        made.override(kind="tts", provider="elevenlabs", model="eleven_v3", unit="characters", price=price, per=1000)
    found = price_book().cost(record, language="", on=date(2026, 11, 1))
    assert isinstance(found, Priced) and found.money.amount == Decimal("0.3")


# --- keeping recordings -------------------------------------------------------------------------------------------------------------


def test_keeping_a_recording_is_noted_once_a_month_by_the_days_it_was_kept(session, settings):
    cache.clear()
    settings.AWS_REGION = "us-east-1"
    Recording.objects.create(session=session)
    commands.recording_stored(session, bucket="b", key="k", size_bytes=3_000_001, sha256="0" * 64)
    stored = timezone.localdate()
    next_month = (stored.replace(day=1) + timedelta(days=32)).replace(day=1)
    assert commands.account_storage(today=stored) == 0, "its first month is not over"
    assert [commands.account_storage(today=next_month) for _ in range(2)] == [1, 0]
    with CaptureQueriesContext(connection) as asked:
        assert commands.account_storage(today=next_month) == 0
    assert len(asked) == 0, "a month that is noted whole is not read again"
    following = (next_month + timedelta(days=32)).replace(day=9)
    assert commands.account_storage(today=following) == 1
    first, second = UsageLine.objects.filter(session=session, kind="storage").order_by("id")
    days = (next_month - timedelta(days=1)).day
    assert first.quantity == math.ceil(3_000_001 * (days - stored.day + 1) / days)
    assert (second.quantity, second.unit, second.provider) == (3_000_001, "byte_months", "s3")
    commands.account(session)
    charge = Charge.objects.get(usage_line=second)
    assert charge.amount == (Decimal("0.023") * 3_000_001 / 1_073_741_824).quantize(Decimal("0.000000001"))


def test_a_month_of_many_recordings_is_noted_in_one_go_however_few_are_read_at_once(session, monkeypatch):
    cache.clear()
    monkeypatch.setattr(tasks, "_STORAGE_AT_ONCE", 1)
    for one in (session, made.ringing_call(session.agent), made.ringing_call(session.agent)):
        Recording.objects.create(session=one)
        commands.recording_stored(one, bucket="b", key=f"k{one.pk}", size_bytes=1000, sha256="0" * 64)
    next_month = (timezone.localdate().replace(day=1) + timedelta(days=32)).replace(day=1)
    monkeypatch.setattr("calls.commands.keeping.timezone.localdate", lambda: next_month)
    assert [tasks.account_storage() for _ in range(2)] == [3, 0]


# --- repricing --------------------------------------------------------------------------------------------------------------------


def repriced(*arguments: str) -> str:
    output = StringIO()
    day = timezone.localdate().isoformat()
    call_command("reprice", "--from", day, "--to", day, *arguments, stdout=output)
    return output.getvalue()


def test_a_wrong_price_is_mended_by_charging_again_and_nothing_is_edited(session):
    made.use(session, unpriced=False)
    told(session, "1.20", 84)
    commands.account(session)
    before = queries.charges_summary(session).totals[USD]
    made.override(kind="tts", provider="elevenlabs", model="eleven_flash_v2_5", unit="characters", price="0.04", per=1000)

    shown = repriced("--dry-run")
    assert "0.032100000 ->        0.025680000         -0.006420000" in " ".join(shown.split("\n")).replace("elevenlabs", "")
    assert "1 of 1 calls would change. Nothing was written." in shown
    assert queries.charges_summary(session).totals[USD] == before

    assert "1 of 1 calls changed." in repriced("--reason", "the contract's price")
    assert queries.charges_summary(Session.objects.get(pk=session.pk)).totals[USD] == before - Decimal("0.00642")
    new = Charge.objects.get(session=session, usage_line__kind="tts")
    assert new.supersedes is not None
    assert (new.supersedes.amount, new.reason) == (Decimal("0.0321"), "repriced: the contract's price")
    assert "0 of 1 calls changed." in repriced(), "doing it twice changes nothing more"
    assert commands.account(session) == 0, "and the ordinary accounting leaves it alone"


def test_only_the_calls_of_those_days_and_that_agent_are_charged_again(session):
    other = made.talking_call(made.agent_of(made.operator(), name="Another", record_calls=False))
    for call in (session, other):
        made.use(call, key=call.session_id, unpriced=False)
        commands.account(call)
    Session.objects.filter(pk=session.pk).update(created_at=timezone.now() - timedelta(days=3))
    made.override(kind="tts", provider="elevenlabs", model="eleven_flash_v2_5", unit="characters", price="0.04", per=1000)
    assert "0 of 0 calls" in repriced("--agent", str(session.agent_id))
    assert "1 of 1 calls changed." in repriced()
    assert Charge.objects.get(session=session, usage_line__kind="tts").amount == Decimal("0.0321")
    with pytest.raises(CommandError, match="Swap"):
        call_command("reprice", "--from", "2026-02-01", "--to", "2026-01-01")


def test_a_price_that_is_withdrawn_becomes_unpriced_and_not_nothing(session):
    row = made.override(model="a-model-nobody-priced", unit="output_tokens", price="1", per=1000)
    made.use(session)
    told(session, "1.20", 84)
    commands.account(session)
    assert queries.charges_summary(session).unpriced == 0
    commands.end_price_override(row, on=date(2020, 1, 2))
    assert "1 charges had a price and have none now" in repriced()
    assert queries.charges_summary(Session.objects.get(pk=session.pk)).unpriced == 1


# --- never twice, and parts add up --------------------------------------------------------------------------------------------------


def test_the_database_itself_refuses_a_second_charge_and_a_second_successor(session):
    made.use(session, unpriced=False)
    commands.account(session)
    first = live(session)[0]
    with pytest.raises(IntegrityError), transaction.atomic():
        Charge.objects.create(session=session, usage_line=first.usage_line)
    Charge.objects.create(session=session, usage_line=first.usage_line, supersedes=first)
    with pytest.raises(IntegrityError), transaction.atomic():
        Charge.objects.create(session=session, usage_line=first.usage_line, supersedes=first)


@pytest.mark.django_db(transaction=True)
def test_accounting_and_repricing_at_the_same_moment_charge_once(session):
    made.use(session)
    told(session, "1.20", 84, 30)
    made.override(kind="tts", provider="elevenlabs", model="eleven_flash_v2_5", unit="characters", price="0.04", per=1000)
    start, failures = Barrier(6), []

    def work(number: int) -> None:
        start.wait(60)
        try:
            if number % 3 == 2:
                made.use(session, key="late")
            for _ in range(3):
                commands.account(session) if number % 2 else commands.reprice(session, reason="again")
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failures.append(error)
        finally:
            connection.close()

    threads = [Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    commands.account(session)
    uses = UsageLine.objects.filter(session=session).count()
    assert uses == 12
    assert Charge.objects.filter(session=session, part="").count() == uses
    assert Charge.ever.filter(session=session, part="", supersedes=None).count() == uses
    assert Charge.objects.filter(session=session, part="tax").count() == 1
    assert queries.charges_summary(session).totals[INR] == Decimal("1.416")


USES = st.lists(
    st.tuples(
        st.sampled_from(
            [
                (UsageKind.STT, "deepgram", "nova-3", Unit.AUDIO_MS),
                (UsageKind.TRANSCRIPTION, "deepgram", "nova-3", Unit.AUDIO_MS),
                (UsageKind.LLM, "openai", "gpt-6-luna", Unit.CACHED_INPUT_TOKENS),
                (UsageKind.LLM, "openai", "gpt-6.1-sol", Unit.OUTPUT_TOKENS),
                (UsageKind.TTS, "elevenlabs", "eleven_flash_v2_5", Unit.CHARACTERS),
                (UsageKind.LLM, "openai", "a-model-nobody-priced", Unit.INPUT_TOKENS),
            ]
        ),
        st.integers(0, 10**9),
        st.sampled_from(["", "speculative", "interrupted"]),
    ),
    max_size=12,
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uses=USES, price=st.decimals(0, 1000, places=4), legs=st.lists(st.integers(0, 5000), max_size=3), order=st.permutations(range(6)))
def test_whatever_is_used_the_parts_add_up_to_the_total_and_nothing_is_charged_twice(owner_agent, uses, price, legs, order):
    with transaction.atomic():
        commands.add_exchange_rate(base=USD, quote=INR, rate=Decimal("88.1234"), on=timezone.localdate(), source="bank", by=None)
        session = made.talking_call(owner_agent)
        records = [
            UsageRecord(kind, provider, model, unit, quantity, f"e{number}", purpose)
            for number, ((kind, provider, model, unit), quantity, purpose) in enumerate(uses)
        ]
        steps = [
            lambda: commands.add_usage(session.session_id, records),
            lambda: commands.add_usage(session.session_id, records[::2]),
            lambda: told(session, str(price), *legs),
            lambda: commands.account(session),
            lambda: commands.account(session),
            lambda: commands.reprice(session, reason="again"),
        ]
        for number in order:
            steps[number]()
        commands.account(session)
        assert commands.account(session) == 0

        summary = queries.charges_summary(Session.objects.get(pk=session.pk))
        made_charges = list(Charge.objects.filter(session=session))
        for currency, total in summary.totals.items():
            assert total == sum(c.amount for c in made_charges if c.currency == currency and c.amount is not None)
        assert all(isinstance(c.amount, Decimal | None) for c in made_charges)
        on_the_line = [c.amount or Decimal(0) for c in made_charges if c.usage_line.kind == "telephony" and c.part == ""]
        assert sum(on_the_line) == CallLog.objects.get(session=session).carrier_price
        assert Charge.objects.filter(session=session, part="").count() == UsageLine.objects.filter(session=session).count()
        assert summary.unpriced == sum(what[2] == "a-model-nobody-priced" for what, _quantity, _purpose in uses)
        _what_is_shown_adds_up(summary)
        transaction.set_rollback(True)


def _what_is_shown_adds_up(summary: queries.ChargesSummary) -> None:
    """To the last digit, in each currency and in the operator's."""
    costs = presentation.costs(summary)
    for symbol, currency in (("$", USD), ("₹", INR)):
        shown = [Decimal(line.amount[1:].replace(",", "")) for line in costs.lines if line.amount.startswith(symbol)]
        if currency in summary.totals:
            assert sum(shown) == summary.totals[currency].quantize(Decimal("0.000001"))
    assert summary.converted is not None
    if USD in summary.totals:
        assert costs.converted == "₹" + f"{summary.converted.quantize(Decimal('0.01')):,f}"


@pytest.fixture
def owner_agent():
    return made.agent_of(made.operator(), record_calls=False)
