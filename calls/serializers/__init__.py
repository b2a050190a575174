"""Calls as the API shows them, and what it takes to place one or to look for some. Nothing here writes."""

from calls.serializers.asked import CallQuerySerializer, PlaceCallSerializer
from calls.serializers.shown import CallDetailSerializer, CallPageSerializer, CallSerializer, HangupSerializer

__all__ = [
    "CallDetailSerializer",
    "CallPageSerializer",
    "CallQuerySerializer",
    "CallSerializer",
    "HangupSerializer",
    "PlaceCallSerializer",
]
