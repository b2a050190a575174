"""Shared fixtures. Services come from `tests.services`; each room's own fixtures stand in its own conftest.py."""

import contextlib
import functools
import gc
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import lanes

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Each worker reads its own part of the tests first, and finds the others' already compiled when it reads the whole.

    Only in a new checkout does that matter: pytest rewrites every assertion once, and keeps what it wrote.
    """
    if WORKERS == 1:
        return
    here = Path(__file__).parent
    modules = sorted(".".join(path.relative_to(here.parent).with_suffix("").parts) for path in here.rglob("test_*.py"))
    for name in modules[WORKER::WORKERS]:
        with contextlib.suppress(Exception, pytest.skip.Exception):  # pytest tells it when it collects the file
            importlib.import_module(name)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests come first in every worker, so that none is left alone with them at the end (`tests.lanes`)."""
    items[:] = lanes.ordered(items, WORKERS)


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
