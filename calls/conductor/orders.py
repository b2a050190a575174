"""Carries an operator's wish into the talk. Runs on the audio's loop: it only tells the engine."""

from collections.abc import Callable

from agents import prompts
from calls.commands import Order
from calls.models import OperatorOrder
from engine.moves import HandOverRequested, NoteGiven


def obey(request: Callable[[NoteGiven | HandOverRequested], None], order: Order) -> None:
    """Tells the conversation behind `request` what `order` wants of it."""
    if order.kind == OperatorOrder.Kind.WHISPER:
        request(NoteGiven(prompts.whisper(order.text)))
    elif order.kind == OperatorOrder.Kind.HAND_OVER:
        request(HandOverRequested(order.text))
