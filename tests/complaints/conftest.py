"""Fixtures of other rooms that a caller's complaint runs through."""

from tests.calls.conftest import no_connection_left
from tests.providers.conftest import vendors

__all__ = ["no_connection_left", "vendors"]
