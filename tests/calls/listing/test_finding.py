"""Finding calls: every filter alone and together, in every order, from both sides, whichever of the two steps finds them."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from calls import charges, commands, queries
from calls.listing import facets, finding
from calls.listing.filters import ONLY_TESTS, WITH_TESTS, WITHOUT_TESTS, CallFilters
from calls.listing.finding import Order, SearchTooBroad, Wish, estimate, every, find
from calls.models import CallLog, CallWords, Session, Turn
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return made.operator()


@pytest.fixture
def many(owner):
    """Eighteen calls of two agents with every kind of difference, the order of their beginnings shuffled against their keys."""
    agents = [made.agent_of(owner, "One"), made.agent_of(owner, "Two")]
    luck, now = random.Random(7), timezone.now()
    made_calls = []
    for index in range(18):
        session = made.ringing_call(
            agents[index % 2], direction="inbound" if index % 3 else "outbound", user_phone=f"+9198765000{index:02}"
        )
        commands.add_turn(
            session=session, number=0, speaker="caller", text=f"word{index % 5} नमस्ते number {index}", started_ms=0, ended_ms=1
        )
        commands.list_call(session)
        Session.objects.filter(pk=session.pk).update(created_at=now - timedelta(hours=luck.randint(1, 900)))
        CallLog.objects.filter(session=session).update(
            status=luck.choice(["completed", "busy", "failed"]),
            outcome=luck.choice(["", "achieved", "unclear"]),
            ended_by=luck.choice(["caller", "agent", "crash"]),
            confirmation=luck.choice(["", "confirmed", "not-confirmed"]),
            duration_s=luck.choice([None, 0, 30, 30, 90, 600]),
            cost=luck.choice([None, Decimal("0.5"), Decimal("3.25"), Decimal(12)]),
            latency_ms=luck.choice([None, 400, 900]),
            is_test=index % 7 == 0,
        )
        made_calls.append(session)
    return made_calls


def expected(owner, keep, order: Order) -> list[int]:
    """What plain Python makes of all rows."""
    logs = [log for log in CallLog.objects.filter(owner=owner) if keep(log) and getattr(log, order.column) is not None]
    logs.sort(key=lambda log: (getattr(log, order.column), log.session_id), reverse=order.is_descending)
    return [log.session_id for log in logs]


def pages(wish: Wish, limit: int) -> list[int]:
    """All of it, page by page, and back again."""
    found, after, last = [], None, None
    while True:
        page = find(wish, after=after, limit=limit)
        found += page.pks
        last = page
        if not page.has_next:
            break
        after = page.pks[-1]
    back = list(last.pks)
    while last.has_previous and back:
        last = find(wish, before=back[0], limit=limit)
        if not last.pks or last.pks[0] in back:
            break
        back = last.pks + back
    assert back == found
    return found


FILTERS = [
    (CallFilters(), lambda log: True),
    (CallFilters(status="busy"), lambda log: log.status == "busy"),
    (CallFilters(direction="outbound"), lambda log: log.direction == "outbound"),
    (CallFilters(outcome="achieved", ended_by="crash"), lambda log: log.outcome == "achieved" and log.ended_by == "crash"),
    (CallFilters(ended_by="caller"), lambda log: log.ended_by == "caller"),
    (CallFilters(confirmation="not-confirmed"), lambda log: log.confirmation == "not-confirmed"),
    (CallFilters(talk_least_s=30, talk_most_s=90), lambda log: log.duration_s in (30, 90)),
    (CallFilters(cost_least=Decimal(1)), lambda log: log.cost is not None and log.cost >= 1),
    (CallFilters(cost_most=Decimal("3.25")), lambda log: log.cost is not None and log.cost <= Decimal("3.25")),
    (CallFilters(tests=WITHOUT_TESTS), lambda log: not log.is_test),
    (CallFilters(tests=ONLY_TESTS), lambda log: log.is_test),
    (CallFilters(number="00007"), lambda log: log.from_phone.endswith("00007") or log.to_phone.endswith("00007")),
    (CallFilters(text="word3"), lambda log: "word3" in _text(log)),
    (CallFilters(text="नमस्ते", status="completed"), lambda log: log.status == "completed"),
    (CallFilters(text='"number 1" -word0'), lambda log: _text(log).endswith("number 1")),
    (CallFilters(text="nobody"), lambda log: False),
    (
        CallFilters(status="busy", text="word1", tests=WITHOUT_TESTS),
        lambda log: log.status == "busy" and "word1" in _text(log) and not log.is_test,
    ),
]


def _text(log) -> str:
    return str(log.session.turns.get().text)


@pytest.mark.parametrize("walked", [1, 20_000], ids=["gathered", "walked"])
@pytest.mark.parametrize("order", [Order.NEWEST, Order.LONGEST, Order.CHEAPEST])
def test_every_filter_in_every_order_finds_what_plain_python_finds(owner, many, monkeypatch, order, walked):
    monkeypatch.setattr(finding, "WALKED", walked)
    monkeypatch.setattr(finding, "walk", lambda **_: 0 if walked == 1 else walked)
    for filters, keep in FILTERS:
        assert pages(Wish(owner.pk, filters, order), 5) == expected(owner, keep, order), filters
    assert pages(Wish(None, CallFilters(), order), 5) == expected(owner, lambda log: True, order)


def test_an_agent_and_days_narrow_by_whatever_index(owner, many):
    first, since = many[0].agent_id, timezone.now() - timedelta(hours=400)
    filters = CallFilters(agent_id=first, since=since, until=timezone.now() - timedelta(hours=10))
    keep = lambda log: log.agent_id == first and filters.since <= log.created_at < filters.until  # noqa: E731
    for order in (Order.NEWEST, Order.LONGEST):
        assert pages(Wish(owner.pk, filters, order), 4) == expected(owner, keep, order)
        texts = CallFilters(agent_id=first, since=filters.since, until=filters.until, text="नमस्ते")
        assert pages(Wish(owner.pk, texts, order), 4) == expected(owner, keep, order)


def test_calls_that_arrive_meanwhile_neither_shift_nor_repeat(owner, many):
    wish = Wish(owner.pk, CallFilters())
    first = find(wish, limit=10)
    made.ringing_call(many[0].agent)
    second = find(wish, after=first.pks[-1], limit=10)
    assert not set(first.pks) & set(second.pks) and second.has_previous
    back = find(wish, before=second.pks[0], limit=10)
    assert back.pks == first.pks and back.has_previous  # the call that has arrived is before them


def test_before_the_first_comes_the_first_again(owner, many):
    first = find(Wish(owner.pk, CallFilters()), limit=5)
    again = find(Wish(owner.pk, CallFilters()), before=first.pks[0], limit=5)
    assert again.pks == first.pks and not again.has_previous and again.has_next


def test_somebody_elses_calls_are_found_by_nothing(many):
    stranger = made.operator()
    for filters, _keep in FILTERS:
        assert find(Wish(stranger.pk, filters), limit=50).pks == []


def test_a_strangers_call_is_no_place_in_the_list(owner, many):
    theirs = made.ringing_call(made.agent_of(made.operator()))
    Session.objects.filter(pk=theirs.pk).update(created_at=timezone.now() - timedelta(hours=300))
    everything = expected(owner, lambda log: True, Order.NEWEST)
    assert find(Wish(owner.pk, CallFilters()), after=theirs.pk, limit=50).pks == everything
    assert find(Wish(owner.pk, CallFilters()), before=theirs.pk, limit=50).pks == everything
    assert 0 < len(find(Wish(None, CallFilters()), after=theirs.pk, limit=50).pks) < len(everything)


@pytest.mark.parametrize("walked", [4, 18, 20_000])
@pytest.mark.parametrize("order", [Order.NEWEST, Order.CHEAPEST])
def test_whoever_wants_every_call_gets_each_once_a_bounded_way_at_a_time(owner, many, monkeypatch, order, walked):
    monkeypatch.setattr(finding, "WALKED", walked)
    for filters, keep in FILTERS:
        batches = list(every(Wish(owner.pk, filters, order), at_once=3, patience_ms=30_000))
        assert [pk for batch in batches for pk in batch] == expected(owner, keep, order), filters
        assert max(map(len, batches)) <= 3


def test_every_call_goes_on_from_a_place_although_the_call_that_stood_there_has_moved(owner, many, monkeypatch):
    monkeypatch.setattr(finding, "WALKED", 5)
    wish = Wish(owner.pk, CallFilters(), Order.COSTLIEST)
    everything = expected(owner, lambda log: True, Order.COSTLIEST)
    batches = every(wish, at_once=5, patience_ms=30_000)
    first = next(batches)
    CallLog.objects.filter(session=first[-1]).update(cost=None)
    assert [*first, *(pk for batch in batches for pk in batch)] == everything


RARE_TOGETHER = [
    (CallFilters(status="busy", talk_least_s=30), lambda log: log.status == "busy" and (log.duration_s or 0) >= 30),
    (CallFilters(talk_least_s=30, talk_most_s=90, cost_least=Decimal(1)), lambda log: log.duration_s in (30, 90) and (log.cost or 0) >= 1),
    (CallFilters(talk_most_s=0, outcome="achieved"), lambda log: log.duration_s == 0 and log.outcome == "achieved"),
    (CallFilters(cost_most=Decimal("0.5"), direction="outbound"), lambda log: log.cost == Decimal("0.5") and log.direction == "outbound"),
    (CallFilters(answered="no", confirmation="confirmed"), lambda log: log.answered_at is None and log.confirmation == "confirmed"),
    (
        CallFilters(status="busy", ended_by="crash", tests=ONLY_TESTS),
        lambda log: log.status == "busy" and log.ended_by == "crash" and log.is_test,
    ),
]


@pytest.mark.parametrize("whose", ["own", "everybody"])
def test_what_is_rare_only_together_is_found_by_one_index_and_is_exact(owner, many, monkeypatch, whose):
    monkeypatch.setattr(finding, "WALKED", 1)
    for filters, keep in RARE_TOGETHER:
        wish = Wish(owner.pk if whose == "own" else None, filters)
        assert pages(wish, 5) == expected(owner, keep, Order.NEWEST), filters


def test_the_index_of_facets_is_the_one_that_the_search_asks(owner, many):
    words = CallFilters(status="busy", talk_least_s=60, tests=WITHOUT_TESTS).in_words(owner.pk)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN SELECT c.session_id FROM calls_calllog c WHERE {words}", words.values)
        assert "on call_facets" in "".join(line for (line,) in cursor.fetchall())


@pytest.mark.parametrize(
    ("least", "most", "words"),
    [(None, 9, ["l0"]), (10, 10, ["l1"]), (59, 60, ["l2", "l3"]), (3600, None, ["l9"]), (None, None, [f"l{n}" for n in range(10)])],
)
def test_a_range_is_the_words_of_all_buckets_that_it_touches(least, most, words):
    assert facets.buckets("l", facets.TALK_S, least, most) == words


@pytest.mark.parametrize("filters", [CallFilters(number="none"), CallFilters(text="!!!")])
def test_what_cannot_match_is_not_even_asked(owner, many, filters, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert find(Wish(owner.pk, filters), limit=5).pks == []
        assert estimate(Wish(owner.pk, filters)) == 0


def test_a_search_without_end_is_given_up_with_words(owner, many):
    slow = Wish(owner.pk, CallFilters(text="नमस्ते"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "_gather", lambda *_: ("SELECT session_id FROM calls_calllog WHERE pg_sleep(30) IS NOT NULL", []))
        with pytest.raises(SearchTooBroad):
            find(slow, limit=50, patience_ms=100)
    assert Session.objects.count() == 18  # the transaction around it goes on
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_an_estimate_counts_nothing(owner, many):
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE calls_calllog")
    assert 12 <= estimate(Wish(None, CallFilters(tests=WITH_TESTS))) <= 24
    assert estimate(Wish(owner.pk, CallFilters(text="nobody"))) <= 5


# --- what the list needs is written by the commands that know it ---------------------------------------------------------------


def test_accounting_writes_what_the_list_shows(owner):
    session = made.talking_call(made.agent_of(owner))
    made.exchange(session, 0, "Mujhe refund चाहिए", "Of course.")
    made.use(session)
    made.end(session)
    before = CallLog.objects.get(session=session)
    assert CallLog.objects.get(session=made.ringing_call(session.agent)).talk_s is None
    assert (before.cost, before.latency_ms, CallWords.objects.count()) == (None, None, 0)
    commands.account(session)
    log = CallLog.objects.get(session=session)
    summary = queries.charges_summary(session)
    assert (log.cost, log.unpriced, log.latency_ms, log.talk_s) == (summary.converted, 1, 790, 84)
    assert [found.pk for found in queries.call_list(owner, CallFilters(text="REFUND चाहिए")).rows] == [session.pk]


def test_no_stamp_of_the_carrier_makes_a_call_unwritable(owner):
    session = made.ringing_call(made.agent_of(owner))
    CallLog.objects.filter(session=session).update(answered_at=timezone.now(), ended_at=datetime(9999, 12, 31, tzinfo=UTC))
    assert CallLog.objects.get(session=session).talk_s == 2**31 - 1


def test_a_cost_without_a_rate_is_unknown_and_with_one_it_is_exact(owner, settings):
    settings.BILLING_CURRENCY = "USD"
    session = made.talking_call(made.agent_of(owner))
    made.use(session, unpriced=False)
    commands.account(session)
    log = CallLog.objects.get(session=session)
    assert log.cost == queries.charges_summary(session).converted


def test_what_a_language_model_read_is_the_calls_outcome(owner):
    session = made.talking_call(made.agent_of(owner))
    made.end(session)
    read = {"summary": "s", "outcome": "achieved", "sentiment": "neutral", "provider": "p", "model": "m", "request_id": "r"}
    commands.call_analysed(session, extraction=None, evidence={}, **read)
    commands.account(session)
    assert CallLog.objects.get(session=session).outcome == "achieved"


def test_a_call_whose_beginning_is_mended_moves_in_the_list(owner):
    agent = made.agent_of(owner)
    older, newer = made.ringing_call(agent), made.ringing_call(agent)
    commands.add_turn(session=newer, number=0, speaker="caller", text="hello", started_ms=0, ended_ms=1)
    commands.list_call(newer)
    Session.objects.filter(pk=newer.pk).update(created_at=timezone.now() - timedelta(days=9))
    assert [row.pk for row in queries.call_list(owner, CallFilters()).rows] == [older.pk, newer.pk]
    assert CallWords.objects.get(session=newer).created_at == Session.objects.get(pk=newer.pk).created_at


def test_what_is_not_said_any_more_is_not_found_any_more(owner):
    session = searched_call(owner)
    Turn.objects.filter(session=session).delete()
    commands.list_call(session)
    assert not CallWords.objects.exists() and queries.call_list(owner, CallFilters(text="hello")).rows == []


def searched_call(owner) -> Session:
    session = made.ringing_call(made.agent_of(owner))
    commands.add_turn(session=session, number=0, speaker="caller", text="hello", started_ms=0, ended_ms=1)
    commands.list_call(session)
    assert [found.pk for found in queries.call_list(owner, CallFilters(text="hello")).rows] == [session.pk]
    return session


@pytest.mark.django_db(transaction=True)
def test_who_lists_a_call_anew_holds_its_log_before_reading_what_it_cost(owner, monkeypatch):
    session = made.talking_call(made.agent_of(owner))
    made.use(session)
    commands.account(session)
    tried: list[str] = []

    def meanwhile() -> None:
        try:
            with transaction.atomic():
                tried.append(str(CallLog.objects.select_for_update(nowait=True).get(session=session).pk))
        except OperationalError:
            tried.append("locked")
        finally:
            connection.close()

    def converted(*told):
        with ThreadPoolExecutor(1) as thread:
            thread.submit(meanwhile).result()
        return charges.converted(*told)

    monkeypatch.setattr("calls.commands.listing.charges", SimpleNamespace(converted=converted))
    call_command("relist")
    assert set(tried) == {"locked"}
