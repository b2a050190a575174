"""What the media processes say about their room, over the real Valkey, and what the voicebot door makes of it."""

import asyncio
from contextlib import suppress
from functools import partial

import pytest
from django.core.cache import cache
from django.test import Client

from calls.models import CallEvent, Session
from telephony import vacancies
from tests.providers.exotel import payloads
from tests.telephony.conftest import as_query, door


async def reported(count: int) -> None:
    async with asyncio.timeout(60):
        while len(await asyncio.to_thread(cache.get, "media-processes") or []) < count:
            await asyncio.sleep(0.01)


async def test_the_rooms_of_all_processes_add_up_and_go_with_them(monkeypatch):
    monkeypatch.setattr(vacancies, "REPORT_EVERY_S", 0.02)
    assert vacancies.told() is None
    processes = [asyncio.create_task(vacancies.report(partial(int, room))) for room in (0, 3, 4)]
    await reported(3)
    assert await asyncio.to_thread(vacancies.told) == 7
    for process in processes:
        process.cancel()
        with suppress(asyncio.CancelledError):
            await process
    assert await asyncio.to_thread(vacancies.told) is None


@pytest.mark.django_db
def test_a_cache_that_is_away_refuses_nobody(settings, answering):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}}
    assert vacancies.told() is None


@pytest.mark.django_db
def test_a_call_that_nobody_can_take_is_told_so_at_the_door(answering):
    cache.set("media-room:one", 0, 5)
    cache.set("media-room:two", 0, 5)
    cache.set("media-processes", ["one", "two", "gone"], 5)
    call = {"CallSid": payloads.SID, "CallFrom": payloads.HUMAN_0, "CallTo": payloads.EXOPHONE_0, "Direction": "incoming"}
    answer = as_query(Client(), door("voicebot"), call)
    assert answer.status_code == 503 and "url" not in answer.json()
    session = Session.objects.get()
    assert CallEvent.objects.filter(session=session, kind="no-room").count() == 1
    assert as_query(Client(), door("passthru"), call).status_code == 200  # the flow goes on to branch A
    cache.set("media-room:two", 1, 5)
    assert as_query(Client(), door("voicebot"), call).json()["url"]
