"""What stands on top of the pages until somebody looks after it: calls past their cap, and systems that are not told any more."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from calls import wording
from calls.models import Alarm, WebhookEndpoint
from calls.sentences import in_readers_words


@dataclass(frozen=True, slots=True)
class AlarmLine:
    """`cost`: what is known of it, in words; empty where it costs nothing. `link` leads to where it can be mended."""

    kind: str
    text: str
    cost: str
    url: str
    link: str


def alarm_line(alarm: Alarm) -> AlarmLine:
    cost = _("What it costs is not known.")
    if alarm.amount is not None:
        cost = _("About %(cost)s so far.") % {"cost": wording.money_words(alarm.amount, alarm.currency)}
    url = reverse("call-page", args=[alarm.session.session_id])
    return AlarmLine(str(alarm.get_kind_display()), in_readers_words(alarm.text), cost, url, _("Open the call"))


def price_line(without: Iterable[tuple[str, str, str, str]]) -> list[AlarmLine]:
    """One for all that nobody knows a price of, as `ledger.without_price_lately` names it; none if everything has one."""
    names = list(dict.fromkeys(f"{provider} {model}".strip() for _kind, provider, model, _unit in without))
    if not names:
        return []
    shown = {"names": ", ".join(names[:3]), "more": len(names) - 3}
    if (more := len(names) - 3) > 0:
        text = ngettext(
            "Nobody knows what %(names)s and %(more)d more cost: they are in no total. Give a price, then run manage.py price_calls.",
            "Nobody knows what %(names)s and %(more)d more cost: they are in no total. Give a price, then run manage.py price_calls.",
            more,
        )
    else:
        text = _("Nobody knows what %(names)s costs: it is in no total. Give a price, then run manage.py price_calls.")
    return [AlarmLine(_("Price unknown"), text % shown, "", reverse("money"), _("Open Money"))]


def endpoint_line(endpoint: WebhookEndpoint) -> AlarmLine:
    text = _("“%(endpoint)s” is told of no call any more. %(note)s Mend it, send a test, switch it on, then replay what it missed.")
    url = reverse("admin:calls_webhookendpoint_change", args=[endpoint.pk])
    told = text % {"endpoint": endpoint, "note": in_readers_words(endpoint.note)}
    return AlarmLine(_("Webhook endpoint switched off"), told, "", url, _("Open the endpoint"))
