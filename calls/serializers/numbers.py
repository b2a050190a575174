"""Callers' numbers as whoever asks may see them: masked as on the pages, unless they may see them in full."""

from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers

from calls import queries, wording
from calls.models import Session
from calls.status import Direction

HELP: Final = "A caller's is “+91••••••••12” to those who may not see numbers in full."


def in_full(context: Mapping[str, Any]) -> bool:
    """Masked is the rule: without a request in the serializer's context nobody may."""
    request = context.get("request")
    return request is not None and queries.sees_numbers(request.user)


def shown(number: str, context: Mapping[str, Any]) -> str:
    """A caller's number; one that is not known stays empty."""
    return wording.number_words(number, in_full=in_full(context)) if number else ""


def sides(session: Session, context: Mapping[str, Any]) -> tuple[str, str]:
    """From and to of a call. Our own number is no secret."""
    log = session.call_log
    if log.direction == Direction.INBOUND:
        return shown(log.from_phone, context), log.to_phone
    return log.from_phone, shown(log.to_phone, context)


class CallersField(serializers.CharField):
    """A caller's number."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, help_text=HELP, **kwargs)

    def to_representation(self, value: str) -> str:
        return shown(value, self.context)


def without_callers(told: Any, session: Session, context: Mapping[str, Any]) -> Any:
    """What was told about a call, without its caller's number in it, unless whoever asks may see that."""
    return told if in_full(context) else wording.without_number(told, session.user_phone)
