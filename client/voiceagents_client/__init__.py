"""A thin client of voiceagents' REST API: typed, and nothing that is not on the wire."""

from voiceagents_client.api import Client
from voiceagents_client.errors import ApiError, Unreachable

__all__ = ["ApiError", "Client", "Unreachable"]
