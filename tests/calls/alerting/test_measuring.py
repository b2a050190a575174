"""Figures from the rows of real calls, made through the commands that calls go through."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from calls import commands, queries
from calls.alerting.measuring import CONFIRMS_WITHIN, measure, models_of, owners
from calls.commands import Happened
from calls.listing.filters import CallFilters
from calls.models import AlertRule, CallLog, Session, Turn
from engine.events import TurnLatency
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


def figures(rule, owner, *, later: timedelta = timedelta(0)):
    found = measure(rule, owner.pk, timezone.now() + later)
    return {one.subject: one for one in found}


def answered(agent, total_ms: int) -> Session:
    session = made.talking_call(agent)
    made.exchange(session, 1, "Hello?", "Good day.", latency=TurnLatency(300, 280, 150, total_ms))
    return session


def ended_by_us(agent) -> Session:
    session = made.talking_call(agent)
    commands.end_session(session.session_id, reason="agent-goodbye", at=timezone.now())
    return session


def failed_request(session: Session, provider: str, category: str = "timeout", key: str = "one") -> None:
    facts = {"provider": provider, "category": category, "reason": "took too long", "at_ms": 900}
    happened = Happened(session.pk, f"failed:{provider}:{key}", "engine", "provider-failed", timezone.now(), facts)
    commands.record_talk([happened])


def test_latency_is_the_95th_percentile_of_answers_and_names_the_slowest_calls(rule, owner, agent):
    latency = rule("latency", 2000)
    assert figures(latency, owner)[""].reading.value is None
    calls = [answered(agent, 700) for _ in range(4)]
    slow = answered(agent, 4000)
    found = figures(latency, owner)[""]
    # Between the fourth (700) and the fifth (4000), at 0.95 of the way: 700 + 0.8 * 3300.
    assert (found.reading.value, found.reading.calls, found.figures["turns"]) == (Decimal(3340), 5, 5)
    assert found.calls[0] == slow.session_id
    assert set(found.calls) == {slow.session_id, *(call.session_id for call in calls)}


def test_what_lies_before_the_window_or_is_a_test_or_somebody_elses_does_not_count(rule, owner, agent):
    latency = rule("latency", 2000, window_minutes=15)
    old, test = answered(agent, 9000), answered(agent, 9000)
    answered(made.agent_of(made.operator()), 9000)
    Turn.objects.filter(session=old).update(created_at=timezone.now() - timedelta(minutes=16))
    CallLog.objects.filter(session=test).update(is_test=True)
    assert figures(latency, owner)[""].reading.value is None
    answered(agent, 600)
    assert figures(latency, owner)[""].reading.value == 600


def test_a_rule_of_one_agent_looks_at_that_agent_only(rule, owner, agent):
    other = made.agent_of(owner, "Other desk")
    answered(agent, 9000)
    answered(other, 600)
    assert figures(rule("latency", 2000, agent=other), owner)[""].reading.value == 600


def test_failures_are_those_of_calls_that_ended(rule, owner, agent):
    failures = rule("failures", 20)
    made.talking_call(agent)
    assert figures(failures, owner)[""].reading.value is None
    for reason in ("caller-hangup", "provider-failed", "agent-goodbye", "crash"):
        made.end(made.talking_call(agent), reason=reason)
    found = figures(failures, owner)[""]
    assert (found.reading.value, found.reading.calls, found.figures["failed"]) == (Decimal(50), 4, 2)
    reasons = Session.objects.filter(session_id__in=found.calls).values_list("end_reason", flat=True)
    assert set(reasons) == {"provider-failed", "crash"}
    listed = queries.call_list(owner, CallFilters(failed=True)).rows
    assert {call.session_id for call in listed} == set(found.calls), "the list and the alert mean the same"


def test_calls_that_nobody_answered_are_no_failures(rule, owner, agent):
    session = made.ringing_call(agent)
    report = commands.CarrierReport(status="no-answer", ended_at=timezone.now())
    commands.apply_carrier_report(session=session, report=report, source="carrier", key="status:1")
    assert figures(rule("failures", 20), owner)[""].reading.value == 0


def test_ends_that_the_carrier_has_had_time_to_confirm(rule, owner, agent):
    unconfirmed = rule("unconfirmed", 1, window_minutes=60)
    assert figures(unconfirmed, owner)[""].reading.value == 0  # no call is a figure here: nothing is left open
    waits = ended_by_us(agent)
    made.end(made.talking_call(agent))
    assert figures(unconfirmed, owner)[""].reading.value == 0
    found = figures(unconfirmed, owner, later=CONFIRMS_WITHIN)[""]
    assert (found.reading.value, found.calls) == (1, [waits.session_id])


def test_spend_adds_up_what_has_a_rate_and_tells_what_has_none(rule, owner, agent):
    spend = rule("spend", "100", window_minutes=60)
    dear, cheap = made.talking_call(agent), made.talking_call(agent)
    commands.meter_calls([commands.Metered(dear, {"INR": Decimal(150), "USD": Decimal(2)}, 60)])
    commands.meter_calls([commands.Metered(cheap, {"INR": Decimal(3)}, 60)])
    found = figures(spend, owner)[""]
    assert (found.reading.value, found.figures["uncounted"], found.calls[0]) == (Decimal(153), {"USD": "2.000000000"}, dear.session_id)
    commands.add_exchange_rate(base="USD", quote="INR", on=timezone.localdate(), rate=Decimal(90), source="test", by=None)
    found = figures(spend, owner)[""]
    assert (found.reading.value, found.figures["uncounted"]) == (Decimal(333), {})


def test_a_providers_share_of_failures_counts_requests_not_calls(rule, owner, agent):
    provider = rule("provider", 50)
    assert figures(provider, owner) == {}
    session = made.talking_call(agent)
    made.use(session, unpriced=False)
    found = figures(provider, owner)
    assert {name: one.reading.value for name, one in found.items()} == {"deepgram": 0, "elevenlabs": 0, "openai": 0}
    for key in ("one", "two", "three"):
        failed_request(session, "openai", key=key)
    failed_request(session, "openai", "server", key="four")
    found = figures(provider, owner)["openai"]
    assert (found.reading.value, found.figures["failed"], found.figures["requests"]) == (Decimal(80), 4, 5)
    assert found.figures["categories"] == {"timeout": 3, "server": 1}
    assert found.calls == [session.session_id]


def test_while_only_probes_ask_a_provider_its_failures_are_all_there_is(rule, owner, agent):
    failed_request(made.talking_call(agent), "elevenlabs")
    assert figures(rule("provider", 50), owner)["elevenlabs"].reading.value == 100


def test_models_that_retire_are_counted_in_days_for_whoever_uses_them(rule, owner, agent):
    retiring = rule("retiring", 60)
    assert figures(retiring, owner) == {}
    made.agent_of(owner, "Old desk", llm_model="gpt-4o-mini-2024-07-18")
    made.agent_of(owner, "Stand-in", fallbacks={"llm": [{"provider": "openai", "model": "gpt-4o-mini-2024-07-18"}]})
    made.agent_of(owner, "Off", llm_model="gpt-4.1", active=False)
    found = figures(retiring, owner)
    assert list(found) == ["gpt-4o-mini-2024-07-18"]
    one = found["gpt-4o-mini-2024-07-18"]
    assert one.reading.value == (date(2027, 1, 14) - timezone.localdate()).days
    assert (one.figures["on"], one.figures["use"], one.figures["agents"]) == ("2027-01-14", "gpt-6-luna", ["Old desk", "Stand-in"])


def test_each_model_of_an_agent_is_named_once(agent):
    agent.fallbacks = {"llm": [{"provider": "openai", "model": agent.llm_model}, {"provider": "openai", "model": "another"}]}
    assert models_of(agent) == [agent.llm_model, agent.voice_model, agent.stt_model, "another"]


def test_an_own_rule_takes_the_place_of_everybodys_even_switched_off(rule, owner, agent):
    other = made.agent_of(made.operator()).owner
    shared = rule("latency", 2000, owner=None)
    assert set(owners(shared)) == {owner.pk, other.pk}
    rule("latency", 2000, agent=agent)
    rule("failures", 20)
    assert set(owners(shared)) == {owner.pk, other.pk}  # of another kind, or of one agent: both are judged
    own = rule("latency", 900, active=False)
    assert owners(shared) == [other.pk]
    assert owners(own) == [owner.pk]
    assert AlertRule.objects.count() == 4


@pytest.mark.parametrize("kind", ["latency", "failures", "spend", "unconfirmed", "provider"])
def test_a_rule_asks_few_questions_however_many_calls_there_are(kind, rule, owner, agent, django_assert_max_num_queries):
    for _ in range(3):
        session = answered(agent, 9000)
        made.use(session)
        failed_request(session, "openai")
        commands.meter_calls([commands.Metered(session, {"INR": Decimal(500)}, 60)])
        made.end(session, reason="provider-failed")
    watched = rule(kind, 1 if kind == "unconfirmed" else 100 if kind in ("latency", "spend") else 10)
    with django_assert_max_num_queries(10):
        measure(watched, owner.pk, timezone.now())
