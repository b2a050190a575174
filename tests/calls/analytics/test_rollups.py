"""Rollups are what counting the calls one by one gives, whatever happens to the calls afterwards."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from calls import commands
from calls.analytics import keeping
from calls.analytics.buckets import ERROR_PERCENT, PERCENTS
from calls.analytics.figures import SUMS, Asked, By, Figures, figures, figures_by
from calls.analytics.rows import Rollup, RollupCost, RollupMark, RollupState, midnight_of
from calls.analytics.sources import KEPT, TooMuch, exactly, up_to_now
from calls.analytics.tasks import keep_rollups
from calls.models import CallLog, Charge, Session, UsageLine
from tests.calls import made_calls as made
from tests.calls.analytics import counted_calls as counted

pytestmark = pytest.mark.django_db

FROM = datetime(2026, 11, 1, 18, 30, tzinfo=UTC)  # midnight in India
DAYS = 3
ALL_OF_THEM = Asked(FROM, FROM + timedelta(days=DAYS), None)


def logs(asked: Asked):
    found = CallLog.objects.filter(created_at__gte=asked.since, created_at__lt=asked.until).select_related("session")
    found = found.prefetch_related("session__turns", "session__charges__usage_line")
    if asked.owner_id is not None:
        found = found.filter(owner_id=asked.owner_id)
    if asked.agent_id is not None:
        found = found.filter(agent_id=asked.agent_id)
    if asked.direction:
        found = found.filter(direction=asked.direction)
    return [log for log in found if not asked.exophone or counted.key_of(log, By.NUMBER) == asked.exophone]


def agree(asked: Asked) -> None:
    """Kept, exact and by hand are the same, by everything."""
    with exactly(asked.since, asked.until, asked.owner_id) as source:
        exact = {by: figures(asked, by, source) for by in By}
    calls = logs(asked)
    for by in By:
        right = counted.by_hand(calls, by)
        assert same(exact[by], right, error_percent=0), by
        assert same(figures(asked, by, KEPT), right, error_percent=ERROR_PERCENT), by
    assert figures_by(asked, list(By), KEPT) == {by: figures(asked, by, KEPT) for by in By}


def same(found: dict[object, Figures], right: dict, *, error_percent: int) -> bool:
    assert set(found) == set(right)
    for key, one in found.items():
        hand = right[key]
        assert {name: getattr(one, name) for name in SUMS} == {name: hand[name] for name in SUMS}, key
        assert dict(one.outcomes) == dict(hand["outcomes"])
        costs = {(c.kind, c.provider, c.currency): (c.amount, c.converted, c.unconverted, c.unpriced) for c in one.costs}
        assert costs == hand["costs"]
        assert one.latency.turns == len(hand["latencies"])
        for percent in PERCENTS:
            told, exactly_ = getattr(one.latency, f"p{percent}"), counted.percentile(hand["latencies"], percent)
            assert (told is None) == (exactly_ is None)
            if told is not None and exactly_ is not None:
                assert abs(told - max(exactly_, 1 if error_percent else 0)) <= exactly_ * error_percent / 100
    return True


@pytest.fixture
def people():
    return [made.operator(), made.operator()]


@pytest.mark.parametrize("seed", range(2))
def test_what_is_kept_is_what_the_rows_say_and_stays_so_while_calls_change(people, seed):
    luck = random.Random(seed)
    who = [one for owner in people for one in counted.agents(owner)]
    made_logs = [counted.call(luck, luck.choice(who), _moment(luck)) for _ in range(40)]
    assert keeping.keep(for_s=None) > 1
    agree(ALL_OF_THEM)
    agree(Asked(FROM, ALL_OF_THEM.until, people[0].pk, who[0][0].pk, counted.NUMBERS[0], "inbound"))
    agree(Asked(FROM + timedelta(hours=7), FROM + timedelta(hours=31), people[1].pk))
    for log in luck.sample(made_logs, 20):
        _befall(luck, log)
    for asked in (ALL_OF_THEM, replace(ALL_OF_THEM, owner_id=people[0].pk)):
        waiting = replace(asked, waiting=tuple(keeping.marked_hours(asked.since, asked.until)))
        assert waiting.waiting, "some hours are not counted yet"
        now = figures(waiting, By.ALL, up_to_now(of_owner=asked.owner_id is not None))
        assert same(now, counted.by_hand(logs(asked), By.ALL), error_percent=ERROR_PERCENT)
    keeping.keep(for_s=None)
    agree(ALL_OF_THEM)
    assert keeping.keep(for_s=None) == 0, "nothing has changed, so nothing is counted"


def _moment(luck: random.Random) -> datetime:
    return FROM + timedelta(seconds=luck.randrange(DAYS * 86400))


def _befall(luck: random.Random, log: CallLog) -> None:
    """What happens to a call after it was counted, as the product writes it: turns and charges come with a change of the call's row."""
    what = luck.randrange(6)
    if what == 0:
        counted.turns(luck, log.session, first=100)
        CallLog.objects.filter(pk=log.pk).update(status="completed", ended_by="caller")
    elif what == 1:
        Session.objects.filter(pk=log.session_id).update(created_at=_moment(luck))
    elif what == 2:
        CallLog.objects.filter(pk=log.pk).update(is_test=not log.is_test)
    elif what == 3 and not log.session.charges.exists():
        log.session.delete()
    elif what == 4 and not UsageLine.objects.filter(session=log.session).exists():
        counted.charges(luck, log)
        CallLog.objects.filter(pk=log.pk).update(settled_at=timezone.now())
    else:
        CallLog.objects.filter(pk=log.pk).update(outcome="achieved", confirmation="confirmed", duration_s=luck.randrange(1000))


def test_a_call_is_counted_as_it_goes_on_by_the_commands_of_the_product():
    owner = made.operator()
    agent = made.agent_of(owner)
    session = made.talking_call(agent)
    asked = Asked(timezone.now() - timedelta(hours=30), timezone.now() + timedelta(hours=1), owner.pk)
    keep_rollups()
    assert figures(asked, By.ALL)[0].talks == 0
    made.exchange(session, 1, "Hello?", "Good morning!", generated="Good morning! What can I do for you?")
    made.use(session)
    made.end(session, lasted_s=120)
    keep_rollups()
    one = figures(asked, By.ALL)[0]
    assert (one.talks, one.silent, one.interruptions, one.seconds, one.unsettled, one.cost) == (1, 0, 1, 120, 1, None)
    commands.account(session)
    keep_rollups()
    one = figures(asked, By.ALL)[0]
    assert one.costs and one.unpriced == 1 and one.charged_seconds == 120
    agree(asked)


def test_money_of_several_currencies_is_never_added_up_and_what_has_no_price_is_said(people):
    who = counted.agents(people[0], 1)[0]
    log = counted.call(random.Random(1), who, FROM)
    for number, how in enumerate(({"amount": 3, "currency": "INR"}, {"amount": 2, "currency": "USD"}, {})):
        line = UsageLine.objects.create(session=log.session, kind="llm", provider="other", unit="tokens", quantity=1, evidence=f"x{number}")
        Charge.objects.create(session=log.session, usage_line=line, **how)
    CallLog.objects.filter(pk=log.pk).update(is_test=False, unpriced=1, outcome="unclear")
    keeping.keep()
    costs = [cost for cost in figures(ALL_OF_THEM, By.ALL)[0].costs if cost.provider == "other"]
    sums: list = [(cost.currency, cost.amount, cost.converted, cost.unconverted, cost.unpriced) for cost in costs]
    assert sums == [
        ("", 0, 0, 0, 1), ("INR", 3, 3, 0, 0), ("USD", 2, 0, 2, 0),
    ]  # fmt: skip
    one = Figures(charged_seconds=60, costs=tuple(costs))
    assert one.cost == 3 and one.without_rate == {"USD": Decimal(2)} and one.per_minute(one.cost) == 3
    assert Figures(costs=(costs[2],)).cost is None, "only what has no rate: nothing is known in the billing currency"
    assert Figures().cost is None


def test_an_hour_belongs_to_the_operators_day_and_another_zone_is_counted_anew(people):
    who = counted.agents(people[0], 1)[0]
    log = counted.call(random.Random(2), who, FROM + timedelta(minutes=10))  # ten past midnight in India: still the day before in UTC
    CallLog.objects.filter(pk=log.pk).update(is_test=False, outcome="unclear")
    keeping.keep()
    wide = Asked(FROM - timedelta(days=2), FROM + timedelta(days=2), None)
    assert list(figures(wide, By.DAY)) == [date(2026, 11, 2)]
    with override_settings(TIME_ZONE="UTC"):
        keeping.keep()
        assert list(figures(wide, By.DAY)) == [date(2026, 11, 1)]
        assert list(figures(wide, By.CLOCK)) == [18]
        assert RollupState.objects.get().zone == "UTC"
    keeping.keep()
    assert list(figures(wide, By.CLOCK)) == [0]


def test_a_run_out_of_time_leaves_the_older_hours_to_the_next_one(people):
    who = counted.agents(people[0], 1)[0]
    for hour in range(3):
        counted.call(random.Random(hour), who, FROM + timedelta(hours=hour))
    assert keeping.keep(for_s=0) == 1
    assert RollupState.objects.get().hours_left == 2
    assert keeping.marked_hours() == [FROM + timedelta(hours=1), FROM]
    assert keeping.keep() == 2 and not RollupMark.objects.exists()
    agree(ALL_OF_THEM)


def test_two_runs_count_an_hour_once(people):
    counted.call(random.Random(3), counted.agents(people[0], 1)[0], FROM)
    day = midnight_of(FROM)
    assert keeping.count_day(day, [FROM]) == {FROM: True}
    assert keeping.count_day(day, [FROM]) == {FROM: False}, "whoever waited for the other's lock finds nothing to do"
    agree(ALL_OF_THEM)


def test_an_hour_that_cannot_be_counted_keeps_its_marks_and_no_other_from_being_counted(people):
    who = counted.agents(people[0], 1)[0]
    for hour in range(3):
        log = counted.call(random.Random(hour), who, FROM + timedelta(hours=hour))
        CallLog.objects.filter(pk=log.pk).update(is_test=False)
    bad = FROM + timedelta(hours=1)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE calls_rollup ADD CONSTRAINT refused CHECK (hour <> '{bad.isoformat()}')")
    assert keeping.keep() == 2
    assert (keeping.marked_hours(), RollupState.objects.get().hours_left) == ([bad], 1)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE calls_rollup DROP CONSTRAINT refused")
    assert keeping.keep() == 1
    agree(ALL_OF_THEM)


def test_a_talk_that_ends_when_its_call_changes_no_more_is_counted_by_the_next_run():
    session = made.talking_call(made.agent_of(made.operator()))
    keeping.keep()
    assert not RollupMark.objects.exists()
    Session.objects.filter(pk=session.pk).update(state="ended", ended_at=timezone.now(), end_reason="agent-goodbye")
    assert keeping.keep() == 1
    asked = Asked(timezone.now() - timedelta(hours=2), timezone.now() + timedelta(hours=1), session.owner_id)
    assert figures(asked, By.ALL)[0].talks == 1


def test_the_command_counts_what_rows_by_hand_have_changed(people):
    who = counted.agents(people[0], 1)[0]
    logs_ = [counted.call(random.Random(number), who, FROM + timedelta(hours=number)) for number in range(4)]
    keeping.keep()
    Rollup.objects.update(calls=99)
    RollupCost.objects.all().delete()
    out = StringIO()
    call_command("rollup", "--since", "2026-11-03", stdout=out)
    assert out.getvalue() == "0 hours counted anew.\n"
    out = StringIO()
    call_command("rollup", stdout=out)
    assert out.getvalue() == f"{len(logs_)} hours counted anew.\n"
    agree(ALL_OF_THEM)


def test_too_many_calls_to_read_one_by_one_are_refused_in_words(people, monkeypatch):
    who = counted.agents(people[0], 1)[0]
    for number in range(2):
        counted.call(random.Random(number), who, FROM)
    monkeypatch.setattr("calls.analytics.sources.MOST_EXACT_CALLS", 1)
    with pytest.raises(TooMuch), exactly(FROM, ALL_OF_THEM.until, None):
        pass
    with exactly(FROM, ALL_OF_THEM.until, people[1].pk):
        pass
