"""Who may enter a page, and what pages share on their way in and out. No page itself: doors never import doors."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from agents.models import Agent
from agents.visibility import visible_agents
from calls import queries
from calls.models import Session

View = Callable[..., HttpResponse]
CHANGE_AGENTS = "agents.change_agent"


def needs(permission: str) -> Callable[[View], View]:
    """A page for people who are logged in and may do this; 403 for the others."""

    def wrap(view: View) -> View:
        @wraps(view)
        @login_required
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return checked

    return wrap


# Trying an agent out costs money: it takes the permission to change agents.
for_those_who_may_change = needs(CHANGE_AGENTS)


def visible(request: HttpRequest, pk: int) -> Agent:
    """The agent, or 404: one of somebody else's looks like one that never was."""
    return get_object_or_404(visible_agents(request.user).select_related("owner"), pk=pk)


def visible_call(request: HttpRequest, session_id: str) -> Session:
    """The call, or 404: a call of somebody else's looks like one that never was."""
    session = queries.visible_session(request.user, session_id)
    if session is None:
        raise Http404
    return session


def go(request: HttpRequest, name: str, **where: Any) -> HttpResponse:
    """On to a page: by a redirect, or, for htmx, by asking the browser for one."""
    address = reverse(name, kwargs=where)
    if getattr(request, "htmx", False):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)
