"""Reading calls: who may see what, lists by key, and filters as operators type them."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from calls import commands, queries
from calls.models import Session
from calls.queries import CallFilters
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return made.operator()


@pytest.fixture
def agent(owner):
    return made.agent_of(owner)


def listed(user, **filters) -> list[Session]:
    return queries.call_list(user, CallFilters(**filters)).rows


def test_operators_see_their_own_calls_superusers_all_and_strangers_none(owner, agent):
    session = made.ringing_call(agent)
    other = made.operator()
    assert [found.pk for found in listed(owner)] == [session.pk]
    assert listed(other) == []
    assert [found.pk for found in listed(made.operator(superuser=True))] == [session.pk]
    assert listed(AnonymousUser()) == []
    assert queries.call_page(other, session.session_id) is None
    assert queries.call_page(owner, session.session_id) is not None


def test_calls_in_progress_are_those_that_have_not_ended(owner, agent):
    ringing, talking, over, unheard = (made.ringing_call(agent) for _ in range(4))
    for session in (talking, over):
        commands.claim_media(token_id=commands.issue_media_token(session), call_sid=session.call_log.call_sid or "", stream_sid="s")
    commands.end_session(over.session_id, reason="caller-hangup", at=timezone.now())
    commands.apply_carrier_report(session=unheard, report=commands.CarrierReport(status="busy"), source="carrier", key="k")
    assert [found.pk for found in queries.calls_in_progress(owner)] == [talking.pk, ringing.pk]


def test_a_list_goes_on_by_key_and_new_calls_do_not_shift_it(owner, agent):
    sessions = [made.ringing_call(agent) for _ in range(7)]
    first = queries.call_list(owner, CallFilters(), limit=3)
    assert [found.pk for found in first.rows] == [session.pk for session in sessions[:3:-1]]
    made.ringing_call(agent)
    second = queries.call_list(owner, CallFilters(), first.next_cursor, limit=3)
    third = queries.call_list(owner, CallFilters(), str(second.next_cursor), limit=3)
    assert [found.pk for found in (*second.rows, *third.rows)] == [session.pk for session in sessions[3::-1]]
    assert third.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "abc", "-1", "9" * 40, "١٢", None, "1.5"])
def test_a_senseless_cursor_starts_at_the_newest(owner, agent, cursor):
    made.ringing_call(agent)
    assert len(queries.call_list(owner, CallFilters(), cursor).rows) == 1


@pytest.mark.parametrize("typed", ["+919876543212", "919876543212", "09876543212", "98765 43212", "43212", "8047112233"])
def test_a_number_is_found_however_it_is_written(owner, agent, typed):
    made.ringing_call(agent, user_phone="+919876543212")
    assert len(listed(made.allowed(owner, "view_numbers"), number=typed)) == 1


@pytest.mark.parametrize("typed", ["+919999999999", "no digits", "%"])
def test_a_number_that_nobody_has_finds_nothing(owner, agent, typed):
    made.ringing_call(agent)
    assert listed(owner, number=typed) == []


def test_filters_narrow_together(owner, agent):
    other_agent = made.agent_of(owner, "Night desk")
    inbound, outbound = made.ringing_call(agent), made.ringing_call(other_agent, direction="outbound")
    commands.apply_carrier_report(session=inbound, report=commands.CarrierReport(status="completed"), source="carrier", key="k")
    now = timezone.now()
    assert [found.pk for found in listed(owner, status="completed")] == [inbound.pk]
    assert [found.pk for found in listed(owner, direction="outbound")] == [outbound.pk]
    assert [found.pk for found in listed(owner, agent_id=other_agent.pk)] == [outbound.pk]
    assert listed(owner, agent_id=other_agent.pk, status="completed") == []
    assert len(listed(owner, since=now - timedelta(hours=1), until=now + timedelta(hours=1))) == 2
    assert listed(owner, until=now - timedelta(hours=1)) == []


def test_pages_cost_the_same_number_of_queries_however_much_they_show(owner, agent, django_assert_max_num_queries):
    for _ in range(5):
        session = made.talking_call(agent)
        for number in range(10):
            made.exchange(session, number, "Hello", "Hello to you")
        made.use(session)
        commands.account(session)
    with django_assert_max_num_queries(10):  # a savepoint around the search and its settings, two steps, the rows and what belongs to them
        for row in queries.call_list(owner, CallFilters()).rows:
            assert len(row.turns.all()) == 20
            assert sum(charge.amount is None for charge in row.charges.all()) == 2
            assert row.call_log.status
            assert row.agent.name
    with django_assert_max_num_queries(9):
        page = queries.call_page(owner, session.session_id)
        assert page is not None
        summary = queries.charges_summary(page)
        assert len(summary.lines) == 6
        assert [turn.number for turn in page.turns.all()] == list(range(20))
        assert list(page.events.all())


def test_currencies_are_never_added_up_and_the_unpriced_is_counted(agent):
    session = made.talking_call(agent)
    made.use(session)
    made.end(session)
    before = queries.charges_summary(session)
    assert (before.totals, before.unpriced, before.lines[0].charge) == ({}, 0, None)
    commands.account(session)
    summary = queries.charges_summary(session)
    assert set(summary.totals) == {"INR", "USD"}
    assert summary.totals["INR"] == Decimal("1.416")
    assert summary.unpriced == 1


def test_a_session_is_found_by_the_carriers_id_and_else_by_ours(agent):
    session = made.ringing_call(agent)
    assert queries.find_session(call_sid=session.call_log.call_sid or "") == session
    assert queries.find_session(call_sid="unheard-of", session_id=session.session_id) == session
    assert queries.find_session(call_sid="unheard-of") is None
    assert queries.find_session() is None
