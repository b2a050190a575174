"""What a call tells, through the commands that real calls go through: each event once, in the transaction that makes it true."""

import json
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.utils import ProgrammingError
from django.utils import timezone

from calls import commands, dispatch
from calls.models import Analysis, CallLog, Job, OutgoingDelivery, Recording, Session, WebhookEndpoint, WebhookMessage
from calls.outgoing.payloads import MOST_BYTES, as_body
from calls.tasks import account
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


def told(session: Session) -> list[str]:
    return list(WebhookMessage.objects.filter(session=session).order_by("id").values_list("type", flat=True))


def said(session: Session, event: str) -> dict:
    body: dict = json.loads(WebhookMessage.objects.get(session=session, type=event).body)
    return body


def settle(session: Session) -> None:
    job = dispatch.enqueue(dispatch.JobKind.ACCOUNT, session)
    Job.objects.filter(session=session).exclude(pk=job.pk).delete()
    Job.objects.filter(pk=job.pk).update(run_at=timezone.now() - timedelta(seconds=1))
    account(job.pk)


def test_a_calls_life_is_told_in_three_messages(agent, endpoint):
    session = made.ringing_call(agent)
    assert told(session) == []
    token = commands.issue_media_token(session)
    commands.claim_media(token_id=token, call_sid=session.call_log.call_sid or "", stream_sid="s1")
    assert told(session) == ["call.started"]
    made.use(session)
    made.end(session)
    assert told(session) == ["call.started", "call.ended"]
    settle(session)
    assert told(session) == ["call.started", "call.ended", "call.settled"]
    assert OutgoingDelivery.objects.filter(endpoint=endpoint, state="queued").count() == 3


def test_the_messages_say_what_the_documentation_promises(agent, endpoint):
    session = made.talking_call(agent)
    made.use(session)
    made.end(session)
    Recording.objects.update_or_create(session=session, defaults={"state": Recording.State.STORED, "duration_ms": 84_120})
    settle(session)
    started, ended, settled = (said(session, event) for event in ("call.started", "call.ended", "call.settled"))
    assert set(started["data"]) == set(ended["data"]) == set(settled["data"])
    assert (started["type"], started["data"]["status"], started["data"]["sequence"]) == ("call.started", "in-progress", 1)
    assert (started["data"]["ended_at"], started["data"]["duration_s"], started["data"]["cost"]["totals"]) == (None, None, {})
    facts = ended["data"]
    assert (facts["session_id"], facts["call_sid"]) == (session.session_id, session.call_log.call_sid)
    assert facts["agent"] == {"id": agent.pk, "name": agent.name, "version": 1}
    assert (facts["direction"], facts["from"], facts["to"]) == ("inbound", "+919876543212", "+918047112233")
    assert (facts["status"], facts["duration_s"], facts["end_reason"], facts["sequence"]) == ("completed", 84, "caller-hangup", 2)
    assert (facts["ended_by"], facts["confirmation"]) == ("caller", "confirmed")
    assert facts["cost"]["final"] is False
    money = settled["data"]["cost"]
    assert (money["final"], money["unpriced"], money["totals"]["INR"]) == (True, 1, "1.416")
    assert set(money["totals"]) == {"INR", "USD"}
    assert settled["data"]["recording"] == {"available": True, "duration_ms": 84_120}
    assert settled["timestamp"].endswith("Z")


def test_what_was_made_of_the_call_is_told_when_it_is_settled(agent, endpoint):
    session = made.talking_call(agent)
    made.end(session)
    found = {"summary": "Booked for Monday.", "outcome": "achieved", "sentiment": "positive", "extraction": {"day": "Monday"}}
    Analysis.objects.create(session=session, provider="openai", model="m", **found)
    settle(session)
    nothing = {"available": False, "summary": None, "outcome": None, "sentiment": None, "extraction": None}
    assert said(session, "call.ended")["data"]["analysis"] == nothing
    assert said(session, "call.settled")["data"]["analysis"] == {"available": True, **found}


def test_what_was_said_is_not_told(agent, endpoint):
    session = made.talking_call(agent)
    made.exchange(session, 1, "My card number is four two", "I noted four two.")
    made.end(session)
    assert "four two" not in "".join(WebhookMessage.objects.values_list("body", flat=True))


def test_the_end_waits_for_the_carrier_or_for_the_conversation_whichever_is_later(agent, endpoint):
    report = commands.CarrierReport(status="completed", ended_at=timezone.now(), duration_s=5)
    first, second = made.talking_call(agent), made.talking_call(agent)
    commands.end_session(first.session_id, reason="caller-hangup", at=timezone.now())
    assert told(first) == ["call.started"]
    commands.apply_carrier_report(session=first, report=report, source="carrier", key="end")
    assert told(first) == ["call.started", "call.ended"]
    commands.apply_carrier_report(session=second, report=report, source="carrier", key="end")
    assert told(second) == ["call.started"]
    commands.end_session(second.session_id, reason="caller-hangup", at=timezone.now())
    assert told(second) == ["call.started", "call.ended"]


def test_a_call_that_nobody_answered_has_only_an_end(agent, endpoint):
    session = made.ringing_call(agent)
    report = commands.CarrierReport(status="no-answer", ended_at=timezone.now())
    commands.apply_carrier_report(session=session, report=report, source="carrier", key="end")
    assert told(session) == ["call.ended"]
    assert said(session, "call.ended")["data"]["sequence"] == 2


def test_a_call_canceled_before_it_was_dialled_has_an_end(owner, agent, endpoint):
    session = commands.queue_outbound_call(owner=owner, agent=agent, to_phone="+919876543210", from_phone="+918047112233", customer={})
    commands.request_hangup(session, by="asha")
    assert told(session) == ["call.ended"]


def test_repeated_news_is_told_once(agent, endpoint):
    session = made.talking_call(agent)
    for _ in range(3):
        made.end(session)
        commands.begin_settlement(session)
    assert told(session) == ["call.started", "call.ended"]


def test_what_is_undone_is_not_told(agent, endpoint):
    session = made.talking_call(agent)
    CallLog.objects.filter(session=session).update(status="completed")
    with pytest.raises(RuntimeError), transaction.atomic():
        commands.end_session(session.session_id, reason="caller-hangup", at=timezone.now())
        assert told(session) == ["call.started", "call.ended"]
        raise RuntimeError("the transaction is lost")
    assert told(session) == ["call.started"]
    session.refresh_from_db()
    assert session.state == "active"


def test_nobody_is_told_what_is_not_theirs_or_not_chosen(agent, endpoint):
    stranger = WebhookEndpoint.objects.create(owner=made.operator(), url="https://other.example/")
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(events=["call.ended"])
    session = made.talking_call(agent)
    assert told(session) == []
    made.end(session)
    assert told(session) == ["call.ended"]
    assert not OutgoingDelivery.objects.filter(endpoint=stranger).exists()


def test_without_endpoints_nothing_is_written(agent):
    made.end(made.talking_call(agent))
    assert not WebhookMessage.objects.exists()


def test_an_endpoint_that_is_switched_off_gets_nothing_but_misses_nothing(agent, endpoint):
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(active=False)
    session = made.talking_call(agent)
    assert told(session) == ["call.started"]
    assert not OutgoingDelivery.objects.exists()


def test_a_message_is_frozen(agent, endpoint):
    made.talking_call(agent)
    with pytest.raises(ProgrammingError), transaction.atomic():
        WebhookMessage.objects.update(body="{}")


def test_a_message_stays_small_whatever_an_agent_extracts():
    analysis: dict[str, object] = {"available": True, "summary": "x", "outcome": "achieved", "sentiment": "neutral", "extraction": {}}
    payload = {"type": "call.settled", "timestamp": "2026-11-22T07:44:05.120Z", "data": {"version": 1, "analysis": analysis}}
    assert json.loads(as_body(payload)) == payload
    analysis["extraction"] = {"notes": "अ" * MOST_BYTES}
    body = as_body(payload)
    assert len(body.encode()) < 1000
    assert json.loads(body)["data"]["analysis"]["available"] is True
    assert json.loads(body)["data"]["analysis"]["extraction"] is None
