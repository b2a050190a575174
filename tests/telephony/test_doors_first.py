"""The carrier's doors are reached before what is there for people; what they need of it is done all the same."""

import asyncio
import threading

import pytest
from django.test import AsyncClient

from tests.providers.exotel import payloads
from tests.telephony.conftest import as_query, door
from voiceagents import doors_first

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


async def test_the_same_for_a_server_of_events():
    client = AsyncClient()
    assert (await client.head(door("status"))).status_code == 200
    assert (await client.get("/api/v1/webhooks/exotel/nowhere")).status_code == 404
    assert (await client.get(door("status"), headers={"Host": "elsewhere.example"})).status_code == 400


async def test_callbacks_that_fill_their_threads_keep_no_caller_waiting():
    client, free = AsyncClient(), threading.Event()
    held = [doors_first._callbacks.submit(free.wait, 120) for _ in range(doors_first._callbacks._max_workers)]
    try:
        callback = asyncio.create_task(client.head(door("status")))
        for name in ("voicebot", "passthru", "incoming", "connect"):
            assert (await client.head(door(name))).status_code == 200
        assert not callback.done()
    finally:
        free.set()
    assert (await callback).status_code == 200
    assert all(each.result(60) for each in held)
