"""Shared fixtures. Services come from `tests.services`; each room's own fixtures stand in its own conftest.py."""

import functools
import gc
import os
import sys
from collections.abc import Iterator

import pytest

# What a test of this kind takes: whole processes, a browser, speech models. The slowest files come first.
HEAVY = ("processes", "speech", "browser")
SLOWEST = ("tests/deploy/", "tests/browser/test_whole_story.py", "tests/calls/test_crash.py")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests begin first, so that no worker is left alone with one at the end; workers that are done take over from the other end."""

    def place(item: pytest.Item) -> int:
        if item.nodeid.startswith(SLOWEST):
            return 0
        return 1 if any(item.get_closest_marker(kind) for kind in HEAVY) else 2

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: no garbage collection has to look through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _trusted_roots_are_read_once() -> Iterator[None]:
    """Reading them takes 50 ms of a processor, and nearly every test makes HTTP clients that speak to 127.0.0.1 alone."""
    import httpx

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("httpx._transports.default.create_ssl_context", functools.lru_cache(httpx.create_ssl_context))
        yield


@pytest.fixture(scope="session", autouse=True)
def _plain_static_files() -> Iterator[None]:
    """No manifest of hashed names in tests: pages must render without `collectstatic`."""
    from django.test import override_settings

    storages = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    from django.conf import settings

    with override_settings(
        STORAGES={**settings.STORAGES, **storages},
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        AXES_ENABLED=False,
    ):
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """The database has the same name in every process of a run: each has a server of its own, with a migrated copy (`tests.services`)."""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """The database as pytest-django makes it, emptied in a quicker way behind every test that commits."""
    from django.test import TransactionTestCase

    from tests import emptying

    with django_db_blocker.unblock():
        emptying.remember_standing_rows()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", emptying.empty)
        yield


@pytest.fixture(scope="session", autouse=True)
def _hints_have_time(_plain_static_files: None) -> Iterator[None]:
    """What the product gives up within a moment rather than keep a caller waiting, a busy machine would lose in any test.

    Tests of the giving up itself set the deadline they mean.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("calls.broadcast.LIMIT_S", 30.0)
        patch.setattr("agents.prepared.FETCH_LIMIT_S", 30.0)
        patch.setattr("telephony.away.LIMIT_S", 30.0)
        patch.setattr("telephony.admission._DATABASE_LIMIT_S", 30.0)
        yield


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    yield
    if "DJANGO_SETTINGS_MODULE" in os.environ:
        from django.core.cache import cache

        cache.clear()


@pytest.fixture(autouse=True)
def _everybody_is_well() -> Iterator[None]:
    """A provider that failed in one test is not left alone in the next."""
    from providers.breakers import PROCESS_HEALTH

    yield
    PROCESS_HEALTH.forget()


@pytest.fixture(autouse=True)
def _nothing_was_said_before() -> Iterator[None]:
    """Sentences that the calls of one test have repeated are bought anew in the next."""
    yield
    if (prepared := sys.modules.get("agents.prepared")) is not None:
        prepared.repeated.clear()
