"""What stands on top of the pages until somebody looks after it: calls past their cap, and systems that are not told any more."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse

from calls import wording
from calls.ledger import UnpricedUse
from calls.models import Alarm, WebhookEndpoint


@dataclass(frozen=True, slots=True)
class AlarmLine:
    """`cost`: what is known of it, in words; empty where it costs nothing. `link` leads to where it can be mended."""

    kind: str
    text: str
    cost: str
    url: str
    link: str


def alarm_line(alarm: Alarm) -> AlarmLine:
    cost = (
        f"About {wording.money_words(alarm.amount, alarm.currency)} so far." if alarm.amount is not None else "What it costs is not known."
    )
    url = reverse("call-page", args=[alarm.session.session_id])
    return AlarmLine(str(alarm.get_kind_display()), alarm.text, cost, url, "Open the call")


def price_line(uses: Iterable[UnpricedUse]) -> list[AlarmLine]:
    """One for all that nobody knows a price of; none if everything has one. What the carrier has not billed yet is no alarm."""
    names = list(dict.fromkeys(f"{use.provider} {use.model}".strip() for use in uses if not use.is_carriers))
    if not names:
        return []
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    text = f"Nobody knows what {shown} costs: it is in no total. Give a price, then run manage.py price_calls."
    return [AlarmLine("Price unknown", text, "", reverse("money"), "Open Money")]


def endpoint_line(endpoint: WebhookEndpoint) -> AlarmLine:
    text = f"“{endpoint}” is told of no call any more. {endpoint.note} Mend it, send a test, switch it on, then replay what it missed."
    url = reverse("admin:calls_webhookendpoint_change", args=[endpoint.pk])
    return AlarmLine("Webhook endpoint switched off", text, "", url, "Open the endpoint")
