"""The bell and the page of alerts. Nothing is judged here: pages show what the job has found."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from calls import queries
from calls.alerting import shown, watching


@require_safe
@never_cache
def bell(request: HttpRequest) -> HttpResponse:
    """What the bell shows, asked for by its script once a minute."""
    if not request.user.is_authenticated:
        return JsonResponse({"error": _("You are logged out.")}, status=401)
    return JsonResponse(shown.count(request.user))


@require_safe
@never_cache
@login_required
def alerts_page(request: HttpRequest) -> HttpResponse:
    """What is wrong now, what was, and what is watched."""
    before = queries.whole_number(request.GET.get("before"))
    rules = shown.visible_rules(request.user)
    past, older = shown.past_alerts(request.user, before)
    context = {
        "open": [] if before is not None else shown.open_alerts(request.user),
        "most_open": shown.MOST_OPEN,
        "past": past,
        "older": older,
        "before": before,
        "rules": rules,
        "stands_still": shown.stands_still(rules),
        "longest_note": watching.LONGEST_NOTE,
    }
    return render(request, "alerts/alerts.html", context)


@require_POST
@login_required
def acknowledge(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Somebody says that they look after it, and what they found or do."""
    alert = get_object_or_404(shown.visible_alerts(request.user), pk=alert_id)
    note = " ".join(request.POST.get("note", "").split())
    if watching.acknowledge(alert, by=request.user.get_username(), note=note):
        messages.success(request, _("Noted: you look after it."))
    else:
        messages.warning(request, _("Somebody was quicker: it is looked after already."))
    return redirect("alerts")
