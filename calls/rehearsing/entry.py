"""Who may enter the pages of this room, and what they share."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from agents.models import Agent
from agents.visibility import visible_agents

View = Callable[..., HttpResponse]


def for_those_who_may_change(view: View) -> View:
    """Trying an agent out costs money: it takes the permission to change agents."""

    @wraps(view)
    @login_required
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.has_perm("agents.change_agent"):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return checked


def visible(request: HttpRequest, pk: int) -> Agent:
    """The agent, or 404: one of somebody else's looks like one that never was."""
    return get_object_or_404(visible_agents(request.user), pk=pk)


def go(request: HttpRequest, name: str, **where: Any) -> HttpResponse:
    """On to a page: by a redirect, or, for htmx, by asking the browser for one."""
    address = reverse(name, kwargs=where)
    if getattr(request, "htmx", False):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)
