"""The carrier's doors are reached before what is there for people; what they need of it is done all the same."""

import asyncio
import threading

import httpx
import pytest

from tests.providers.exotel import payloads
from tests.telephony.conftest import as_query, door
from voiceagents import doors_first
from voiceagents.asgi import application

pytestmark = pytest.mark.django_db


def test_a_door_answers_without_a_session_a_policy_or_a_language(client, answering):
    answer = as_query(client, door("voicebot"), payloads.VOICEBOT)
    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not {"Content-Security-Policy", "Content-Language", "Vary"} & set(answer.headers)
    assert "Content-Security-Policy" in client.get("/login/").headers


def test_a_host_that_is_not_ours_is_refused(client):
    assert client.get(door("status"), HTTP_HOST="elsewhere.example").status_code == 400


def test_an_address_that_is_no_door_is_not_found(client):
    assert client.get("/api/v1/webhooks/exotel/nowhere").status_code == 404


@pytest.fixture
async def served():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://testserver") as http:
        yield http


async def test_the_same_for_a_server_of_events(served):
    answer = await served.head(door("status"))
    assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (200, "nosniff")
    assert not {"Content-Security-Policy", "Content-Language", "Vary"} & set(answer.headers)
    assert (await served.get("/api/v1/webhooks/exotel/nowhere")).status_code == 404
    assert (await served.get(door("status"), headers={"Host": "elsewhere.example"})).status_code == 400
    assert "Content-Security-Policy" in (await served.get("/healthz")).headers


async def test_callbacks_that_fill_their_threads_keep_no_caller_waiting(served):
    free = threading.Event()
    held = [doors_first._callbacks.submit(free.wait, 120) for _ in range(doors_first._callbacks._max_workers)]
    try:
        callback = asyncio.create_task(served.head(door("status")))
        for name in ("voicebot", "passthru", "incoming", "connect"):
            assert (await served.head(door(name))).status_code == 200
        assert not callback.done()
    finally:
        free.set()
    assert (await callback).status_code == 200
    assert all(each.result(60) for each in held)
