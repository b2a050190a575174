"""The history page: who changed what, and when. For those who may see everybody's."""

from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from audit import history, words


@require_safe
@never_cache
@login_required
def history_page(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("audit.view_history"):
        raise PermissionDenied
    kind, who = request.GET.get("kind", ""), request.GET.get("who", "")
    person = get_user_model().objects.filter(username=who).first() if who else None
    wanted = history.Wanted(kind, person.pk if person else -1 if who else None, history.moment(request.GET.get("before", "")))
    found, further = history.entries(wanted)
    names = words.Names()
    kept = {name: value for name, value in (("kind", kind), ("who", who)) if value}
    context = {
        "lines": [words.entry_line(entry, names) for entry in found],
        "kinds": [(name, words.kind_words(model.pgh_tracked_model)) for name, model in history.event_models().items()],  # type: ignore[attr-defined]  # pghistory gives it to its models
        "kind": kind,
        "who": who,
        "older": f"?{urlencode({**kept, 'before': further.isoformat()})}" if further else "",
        "filtered": bool(kept),
    }
    return render(request, "audit/history.html", context)
