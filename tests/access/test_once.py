"""A POST with an Idempotency-Key acts once in 24 hours, whatever happens between the first time and the second."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection, connections
from django.utils import timezone
from rest_framework.test import APIClient

from access.models import KeptAnswer
from access.tasks import forget_answers
from agents.models import Agent
from calls.models import Budget, BudgetNotice
from telephony.models import Phone
from voiceagents.celery import app

PHONES, AGENTS, ENDPOINTS, CALLS = "/api/v1/phones/", "/api/v1/agents/", "/api/v1/webhook-endpoints/", "/api/v1/calls/"
NAMED = {"Idempotency-Key": "first"}


@pytest.fixture
def api(operator: User) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(operator)
    return client


def test_every_post_has_it_and_answers_as_it_did(api: APIClient, agent: Agent) -> None:
    first = api.post(AGENTS, {"name": "Night desk", "prompt": "You answer."}, headers=NAMED)
    again = api.post(AGENTS, {"prompt": "You answer.", "name": "Night desk"}, headers=NAMED)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert ("Idempotency-Replayed" in first.headers, again["Idempotency-Replayed"]) == (False, "true")
    assert Agent.objects.count() == 2


@pytest.mark.parametrize("change", ["body", "address"])
def test_one_key_for_two_requests_is_refused(api: APIClient, agent: Agent, change: str) -> None:
    body = {"name": "Night desk", "prompt": "You answer."}
    assert api.post(AGENTS, body, headers=NAMED).status_code == 201
    other = api.post(AGENTS if change == "body" else PHONES, {**body, "name": "Day desk"}, headers=NAMED)
    assert other.status_code == 409
    assert "Use a new one" in other.json()["detail"]


def test_a_refusal_is_not_kept(api: APIClient, agent: Agent) -> None:
    assert api.post(PHONES, {"number": "080", "agent": agent.pk}, headers=NAMED).status_code == 400
    assert not KeptAnswer.objects.exists()
    assert api.post(PHONES, {"number": "08047112299", "agent": agent.pk}, headers=NAMED).status_code == 201


def test_what_a_refusal_wrote_down_stays(api: APIClient, agent: Agent) -> None:
    """The alarm of a budget is raised by the very request that it refuses."""
    Budget.objects.create(owner=agent.owner, scope="account-month", amount=0, currency="INR")
    for _time in range(2):
        answer = api.post(CALLS, {"agent": agent.pk, "to": "+919876543210"}, headers=NAMED)
        assert (answer.status_code, "is used up" in answer.json()["detail"]) == (400, True)
        assert [notice.level for notice in BudgetNotice.objects.all()] == ["over"]
        assert not KeptAnswer.objects.exists()
    Budget.objects.all().delete()
    assert api.post(CALLS, {"agent": agent.pk, "to": "+919876543210"}, headers=NAMED).status_code == 202


def test_our_own_failure_undoes_the_effect_and_frees_the_key(api: APIClient, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number is written, then the answer fails: neither may stay."""
    with monkeypatch.context() as patch:
        patch.setattr("telephony.serializers.PhoneSerializer.to_representation", lambda *_: 1 / 0)
        assert api.post(PHONES, {"number": "08047112299", "agent": agent.pk}, headers=NAMED).status_code == 500
    assert Phone.objects.count() == 1 and not KeptAnswer.objects.exists()
    assert api.post(PHONES, {"number": "08047112299", "agent": agent.pk}, headers=NAMED).status_code == 201


def test_after_a_day_a_key_is_new(api: APIClient, agent: Agent) -> None:
    api.post(AGENTS, {"name": "Night desk", "prompt": "You answer."}, headers=NAMED)
    api.post(AGENTS, {"name": "Week desk", "prompt": "You answer."}, headers={"Idempotency-Key": "other"})
    KeptAnswer.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    assert api.post(AGENTS, {"name": "Day desk", "prompt": "You answer."}, headers=NAMED).status_code == 201
    assert KeptAnswer.objects.count() == 2
    assert (forget_answers(), KeptAnswer.objects.count()) == (1, 1)
    assert "access.forget_answers" in {entry["task"] for entry in app.conf.beat_schedule.values()}


def test_a_secret_in_an_answer_is_kept_encrypted(api: APIClient) -> None:
    first = api.post(ENDPOINTS, {"url": "https://example.com/hook"}, headers=NAMED)
    assert first.status_code == 201, first.json()
    again = api.post(ENDPOINTS, {"url": "https://example.com/hook"}, headers=NAMED)
    assert again.json()["secret"] == first.json()["secret"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM access_keptanswer")
        assert first.json()["secret"] not in cursor.fetchone()[0]


@pytest.mark.parametrize(("key", "words"), [("x" * 201, "200"), ("two words", "no spaces"), ("", "at least one"), ("schlüssel", "ASCII")])
def test_a_key_that_is_none_is_refused(api: APIClient, key: str, words: str) -> None:
    answer = api.post(AGENTS, {"name": "A", "prompt": "B"}, headers={"Idempotency-Key": key})
    assert (answer.status_code, words in answer.json()["detail"]) == (400, True)
    assert not Agent.objects.exists()


def test_a_failing_database_is_not_told_as_somebody_elses_request(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise OperationalError("the disk is full")

    monkeypatch.setattr(KeptAnswer, "save", fail)
    assert api.post(AGENTS, {"name": "A", "prompt": "B"}, headers=NAMED).status_code == 500


@pytest.mark.django_db(transaction=True)
def test_copies_sent_at_once_all_get_the_one_answer(agent: Agent, operator: User) -> None:
    together = threading.Barrier(4)

    def send(_number: int) -> tuple[int, int | None]:
        client = APIClient()
        client.force_authenticate(operator)
        together.wait(60)
        try:
            answer = client.post(PHONES, {"number": "08047112299", "agent": agent.pk}, headers=NAMED)
            return answer.status_code, answer.json().get("id")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(send, range(4)))
    made = Phone.objects.get(number="+918047112299").pk
    assert (201, made) in answers
    assert answers <= {(201, made), (409, None)}  # 409: one that a very slow machine made wait for more than five seconds


@pytest.mark.django_db(transaction=True)
def test_who_comes_while_the_first_is_at_it_is_told_to_come_back(
    agent: Agent, operator: User, program: Callable[..., APIClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("access.once.WAIT_S", 0.05)
    at_it, go_on = threading.Event(), threading.Event()
    from telephony.serializers import PhoneSerializer

    represent = PhoneSerializer.to_representation

    def slowly(self: PhoneSerializer, phone: Phone) -> object:
        at_it.set()
        assert go_on.wait(60)
        return represent(self, phone)

    monkeypatch.setattr(PhoneSerializer, "to_representation", slowly)
    body = {"number": "08047112299", "agent": agent.pk}
    first, second = program("phones:write"), program("phones:write")

    def send() -> int:
        try:
            return first.post(PHONES, body, headers=NAMED).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(send)
        assert at_it.wait(60)
        answer = second.post(PHONES, body, headers=NAMED)
        go_on.set()
        assert (answer.status_code, running.result(60)) == (409, 201)
    assert ("right now" in answer.json()["detail"], answer["Retry-After"]) == (True, "5")
    assert second.post(PHONES, body, headers=NAMED)["Idempotency-Replayed"] == "true"
