"""Shared fixtures. Services come from `tests.services`; each room's own fixtures stand in its own conftest.py."""

import os
import sys
from collections.abc import Iterator

import pytest


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
