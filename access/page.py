"""The page of one's own API keys: made, looked at, revoked. A secret is in the one answer to its making."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from access import keys
from access.forms import KeyForm
from access.models import ApiKey

MOST_KEYS, MOST_SHOWN = 100, 200


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def keys_page(request: HttpRequest) -> HttpResponse:
    """Lists the keys; a POST makes one, and its answer alone shows the secret."""
    own = ApiKey.objects.filter(owner_id=request.user.pk)
    form = KeyForm(request.POST or None, initial={"scopes": ["calls:read"]})
    made, secret, status = None, "", 200
    if request.method == "POST":
        status = 422
        if own.filter(revoked_at=None).count() >= MOST_KEYS:
            form.add_error(
                None, _("You have %(most)d keys, which is the most. Revoke one that is not used any more.") % {"most": MOST_KEYS}
            )
        elif form.is_valid():
            wanted = form.cleaned_data
            made, secret = keys.make(
                owner=request.user,
                name=wanted["name"],
                scopes=wanted["scopes"],
                expires_at=form.expires_at(),
                requests_per_minute=wanted["requests_per_minute"],
            )
            form, status = KeyForm(initial={"scopes": ["calls:read"]}), 201
    shown = list(keys.visible(request.user).order_by(F("revoked_at").desc(nulls_first=True), "-id")[:MOST_SHOWN])
    living = [key for key in shown if key.revoked_at is None]
    ended = sorted((key for key in shown if key.revoked_at is not None), key=lambda key: key.pk, reverse=True)
    context = {"form": form, "living": living, "ended": ended, "made": made, "secret": secret}
    return render(request, "access/keys.html", context, status=status)


@require_POST
@login_required
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    key = get_object_or_404(keys.visible(request.user), pk=pk)
    if keys.revoke(key):
        messages.success(request, _("The key “%(name)s” opens nothing any more.") % {"name": key.name})
    if getattr(request, "htmx", False):
        return HttpResponse(status=204, headers={"HX-Redirect": reverse("api-keys")})
    return redirect("api-keys")
