"""The operators' money page: what nobody knows a price of, and the carrier's bill against our tariff. A part of `calls.dashboard`."""

import csv
from datetime import date, timedelta
from io import StringIO
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from calls import ledger, wording
from calls.models import ExchangeRate
from calls.sentences import in_readers_words
from pricing.price_list import price_list

SHOWN_DAYS = timedelta(days=30)


class DaysForm(forms.Form):
    """Which days are compared, both included; by default the last thirty."""

    since = forms.DateField(required=False, error_messages={"invalid": gettext_lazy("Write the first day as YYYY-MM-DD.")})
    until = forms.DateField(required=False, error_messages={"invalid": gettext_lazy("Write the last day as YYYY-MM-DD.")})

    def days(self) -> tuple[date, date]:
        self.is_valid()
        until = self.cleaned_data.get("until") or timezone.localdate()
        return self.cleaned_data.get("since") or until - SHOWN_DAYS, until


@require_safe
@never_cache
@login_required
def money(request: HttpRequest) -> HttpResponse:
    """Unpriced models, the drift report of some days, and which prices and rates count now."""
    form = DaysForm(request.GET)
    first, last = form.days()
    problem, rows = "", list[ledger.DriftRow]()
    try:
        rows = ledger.drift(request.user, first, last)
    except ValueError as error:
        problem = in_readers_words(str(error))
    context = {
        "form": form,
        "first": first,
        "last": last,
        "problem": problem,
        "drift": [(row, _words(row)) for row in rows],
        "csv": f"{reverse('money-drift')}?{urlencode({'since': first, 'until': last})}",
        "unpriced": [(use, _unpriced_words(use)) for use in ledger.unpriced_uses(request.user)],
        "price_list": price_list(),
        "rates": ExchangeRate.objects.order_by("-on", "-id")[:5],
        "billing_currency": settings.BILLING_CURRENCY,
    }
    return render(request, "calls/money.html", context)


@require_safe
@never_cache
@login_required
def drift_csv(request: HttpRequest) -> HttpResponse:
    """The drift report for a spreadsheet."""
    first, last = DaysForm(request.GET).days()
    try:
        rows = ledger.drift(request.user, first, last)
    except ValueError as error:
        return HttpResponse(in_readers_words(str(error)), status=400, content_type="text/plain; charset=utf-8")
    sheet = StringIO()
    csv.writer(sheet).writerows(ledger.drift_csv(rows))
    name = f"drift-{first.isoformat()}-{last.isoformat()}.csv"
    return HttpResponse(
        sheet.getvalue(), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _words(row: ledger.DriftRow) -> dict[str, str]:
    missing = [_("%(n)s without a price") % {"n": row.without_price}] if row.without_price else []
    missing += [_("%(n)s without a tariff") % {"n": row.without_tariff}] if row.without_tariff else []
    return {
        "seconds": wording.duration_words(row.seconds),
        "theirs": wording.money_words(row.theirs, row.currency, at_most=4) if row.compared else "–",
        "ours": wording.money_words(row.ours, row.currency, at_most=4) if row.compared else "–",
        "drift": wording.money_words(row.drift, row.currency, at_most=4) if row.compared else "–",
        "percent": f"{row.percent:+} %" if row.percent is not None else "",
        "tone": "good" if row.compared and not row.differing else "warn" if row.differing else "quiet",
        "missing": ", ".join(missing),
    }


def _unpriced_words(use: ledger.UnpricedUse) -> dict[str, str]:
    asked = {"kind": use.kind, "provider": use.provider, "model": use.model, "unit": use.unit, "effective_from": use.first.date()}
    return {
        "what": wording.usage_words(use.kind, ""),
        "quantity": wording.quantity_words(use.quantity, use.unit),
        "add": "" if use.is_carriers else f"{reverse('admin:calls_priceoverride_add')}?{urlencode(asked)}",
    }
