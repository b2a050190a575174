"""An open alarm as a page shows it."""

from dataclasses import dataclass

from calls import wording
from calls.models import Alarm


@dataclass(frozen=True, slots=True)
class AlarmLine:
    """`cost` is empty if nobody knows it."""

    session_id: str
    kind: str
    text: str
    cost: str


def alarm_line(alarm: Alarm) -> AlarmLine:
    cost = wording.money_words(alarm.amount, alarm.currency) if alarm.amount is not None else ""
    return AlarmLine(alarm.session.session_id, str(alarm.get_kind_display()), alarm.text, cost)
