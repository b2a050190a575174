"""Watchdogs look after each call by itself: one that cannot be looked at keeps nobody else from being looked after."""

from datetime import timedelta
from typing import cast

import pytest
from django.utils import timezone

from agents.models import AgentVersion
from calls import commands
from calls.models import CallEvent, CallLog, Job, Session
from providers.exotel.client import ExotelClient
from providers.exotel.details import read_call
from telephony import overruns, reconciling
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


@pytest.fixture
def calls() -> list[Session]:
    """Three that talk, the first of which has a version that no release can read."""
    agent = made.agent_of(made.operator())
    talking = [made.talking_call(agent) for _ in range(3)]
    broken = AgentVersion.objects.create(agent=agent, number=90, spec={"name": 7})
    Session.objects.filter(pk=talking[0].pk).update(agent_version=broken)
    return talking


def test_dead_processes_are_found_whatever_their_versions_are(calls):
    long_ago = timezone.now() - timedelta(minutes=5)
    Session.objects.update(seen_at=long_ago)
    commands.sweep_silent_sessions()
    Session.objects.update(silent_at=timezone.now() - timedelta(seconds=20))
    assert commands.sweep_silent_sessions() == 3
    assert set(Session.objects.values_list("state", "end_reason")) == {("ended", "crash")}
    assert Job.objects.filter(kind="telephony.fetch_recording").count() == 3


def test_one_dead_session_that_cannot_be_ended_is_not_the_others_end(calls, monkeypatch):
    from calls.commands import conversation

    really = conversation.end_session

    def end_session(session_id, **how):
        if session_id == calls[0].session_id:
            raise RuntimeError("a fault of ours")
        return really(session_id, **how)

    monkeypatch.setattr(conversation, "end_session", end_session)
    Session.objects.update(seen_at=timezone.now() - timedelta(minutes=5), silent_at=timezone.now() - timedelta(seconds=20))
    assert commands.sweep_silent_sessions() == 2


def test_calls_past_their_cap_are_looked_after_beside_one_that_has_none(calls, monkeypatch):
    asked: list[int] = []

    def look_after(session, *_):
        asked.append(session.pk)
        return True

    monkeypatch.setattr(overruns, "_look_after", look_after)
    CallLog.objects.update(answered_at=timezone.now() - timedelta(hours=2))
    assert overruns.sweep() == 2
    assert asked == [calls[1].pk, calls[2].pk]


class Exotel:
    """Knows every call, and says of the first what our code stumbles over."""

    def get_calls(self, call_sids):
        return {sid: read_call({"Sid": sid, "Status": "completed", "Duration": "61", "Price": "1.2"}) for sid in call_sids}


def test_one_call_that_cannot_be_reconciled_is_put_off_and_the_others_are_told(calls, monkeypatch):
    Session.objects.filter(pk=calls[0].pk).update(agent_version=calls[1].agent_version)
    really = reconciling.apply

    def apply(session, details):
        if session.pk == calls[0].pk:
            raise ValueError("a fault of ours")
        really(session, details)

    monkeypatch.setattr(reconciling, "apply", apply)
    sessions = list(Session.objects.select_related("call_log", "agent_version").order_by("pk"))
    told, asked_all = reconciling._round(sessions, cast(ExotelClient, Exotel()), float("inf"))
    assert (told, asked_all) == (2, True)
    logs = list(CallLog.objects.order_by("pk").values_list("status", "polls"))
    assert logs == [("in-progress", 1), ("completed", 1), ("completed", 1)]
    assert CallLog.objects.earliest("pk").poll_after is not None
    assert not CallEvent.objects.filter(session=calls[0], kind="carrier-report").exists()
