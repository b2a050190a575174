"""Fixtures of this room."""

from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async
from django.db import connections


@pytest.fixture
async def no_connection_left() -> AsyncIterator[None]:
    """An async test's database thread gives its connection back, so that the test database can be dropped."""
    yield
    await sync_to_async(connections.close_all)()
