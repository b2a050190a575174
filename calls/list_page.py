"""The operators' list of calls: filtered, sorted, in columns and views of their own, and taken out as a spreadsheet."""

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from calls import commands, presentation, queries
from calls.listing import columns, exported, sheets
from calls.listing.asked import FilterForm
from calls.listing.finding import SearchTooBroad, estimate
from calls.listing.said import said_where
from calls.models import SavedView
from calls.on_top import on_top
from calls.sentences import in_readers_words

PAGE_ROWS = 40
EXPORT = "calls.export_calls"
# What no line of the list shows, and what may be longer than all that it shows.
_LONG = (
    "draft_spec", "customer", "agent_version__spec", "agent__prompt", "agent__first_message", "recording__transcript",
    "recording__transcript_text", "recording__alignment",
)  # fmt: skip


@require_safe
@never_cache
@login_required
def call_list(request: HttpRequest) -> HttpResponse:
    """Every call, filtered and sorted. htmx asks for the results alone, or for the rows after or before a cursor alone."""
    form = FilterForm(request.user, request.GET)
    view = _view(request, request.GET.get("view"))
    filters, order, kept = form.filters(), form.order, form.kept()
    after, before = request.GET.get("after"), request.GET.get("before")
    problem = ""
    try:
        page = queries.page_of(request.user, filters, ("spends",), order=order, after=after, before=before, limit=PAGE_ROWS, without=_LONG)
    except SearchTooBroad as error:
        page, problem = queries.Page([], None), in_readers_words(error.message)
    names = columns.chosen(view.columns if view else queries.chosen_columns(request.user))
    address = {**kept, **({"view": str(view.pk)} if view else {})}
    with_numbers = queries.sees_numbers(request.user)
    said = said_where([session.pk for session in page.rows], filters.text)
    context: dict[str, Any] = {
        "form": form,
        "problem": problem,
        "rows": [presentation.call_row(session, with_number=with_numbers, said=said.get(session.pk)) for session in page.rows],
        "columns": names,
        "headings": [(heading, _link({**address, "sort": heading.order or ""})) for heading in columns.headings(names, order)],
        "older": _link({**address, "after": page.next_cursor}) if page.next_cursor else "",
        "newer": _link({**address, "before": page.previous_cursor}) if page.previous_cursor else "",
        "continued": bool(after or before),
        "partly": order.column != "created_at",
    }
    target = getattr(getattr(request, "htmx", None), "target", None)
    if target in ("older", "newer"):
        return render(request, "calls/_rows.html", {**context, "older_only": target == "older", "newer_only": target == "newer"})
    whole = not page.next_cursor and not page.previous_cursor
    context |= {
        "chips": form.chips(),
        "filtered": any(name != "sort" for name in kept),
        "count": len(page.rows) if whole else None,
        "about": None if whole or problem else max(estimate(queries.wish_of(request.user, filters, order)), len(page.rows) + 1),
        "query": urlencode(kept),
        "all_columns": [(column, column.name in names) for column in columns.COLUMNS.values() if column.name != columns.ALWAYS],
        "may_export": request.user.has_perm(EXPORT),
        "with_numbers": with_numbers,
        "view": view,
        "swapped": target == "results",
    }
    if target == "results":
        return render(request, "calls/_results.html", context)
    context |= {
        "views": [(one, _link({**one.query, "view": str(one.pk)}), one == view) for one in queries.views_of(request.user)],
        "currency": settings.BILLING_CURRENCY,
        **on_top(request.user),
    }
    return render(request, "calls/list.html", context)


def _link(address: dict[str, Any]) -> str:
    return f"?{urlencode({name: value for name, value in address.items() if value})}"


def _view(request: HttpRequest, told: str | None) -> SavedView | None:
    """The view in which the list is looked at, if it is one of the user's own."""
    return queries.views_of(request.user).filter(pk=queries.whole_number(told) or 0).first()


# --- views and columns ------------------------------------------------------------------------------------------------------


def _asked(request: HttpRequest) -> dict[str, str]:
    """Filters and order that a form of the list sent along, less what the list does not know."""
    return FilterForm(request.user, dict(parse_qsl(request.POST.get("query", "")))).kept()


def _back(address: dict[str, str]) -> HttpResponse:
    answer = redirect("call-list")
    answer["Location"] += _link(address)
    return answer


@require_POST
@login_required
def save_view(request: HttpRequest) -> HttpResponse:
    """Keeps filters, order and columns under a name."""
    asked, name = _asked(request), " ".join(request.POST.get("name", "").split())
    if not name or len(name) > 60:
        messages.error(request, _("Give the view a name of up to 60 characters."))
        return _back(asked)
    try:
        names = columns.chosen(request.POST.getlist("columns") or queries.chosen_columns(request.user))
        view = commands.save_view(request.user, name, asked, names)
    except commands.TooManyViews as error:
        messages.error(request, in_readers_words(error.message))
        return _back(asked)
    return _back({**asked, "view": str(view.pk)})


@require_POST
@login_required
def delete_view(request: HttpRequest, view_id: int) -> HttpResponse:
    if commands.delete_view(request.user, view_id):
        messages.success(request, _("The view is deleted. The calls are all still there."))
    return _back({})


@require_POST
@login_required
def choose_columns(request: HttpRequest) -> HttpResponse:
    """Remembers the columns; in a view they become the view's."""
    asked, names = _asked(request), columns.chosen(request.POST.getlist("columns"))
    view = _view(request, request.POST.get("view"))
    if view is None:
        commands.choose_columns(request.user, names)
        return _back(asked)
    commands.save_view(request.user, view.name, view.query, names)
    return _back({**asked, "view": str(view.pk)})


# --- out of here ------------------------------------------------------------------------------------------------------------

_FORMS = {
    "csv": (sheets.csv_pieces, "text/csv; charset=utf-8"),
    "xlsx": (sheets.xlsx_pieces, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}


@require_safe
@never_cache
@login_required
@permission_required(EXPORT, raise_exception=True)
def export(request: HttpRequest, form: str) -> HttpResponseBase:
    """All calls that the filters let through, not only the page, as a file that is sent while it is made."""
    asked = FilterForm(request.user, request.GET)
    if not asked.is_valid():
        problems = [str(problem) for found in asked.errors.values() for problem in found]
        return HttpResponse(" ".join(problems), status=400, content_type="text/plain; charset=utf-8")
    with_numbers = queries.sees_numbers(request.user)
    lines = exported.Lines(queries.wish_of(request.user, asked.filters(), asked.order), with_numbers)
    batches = lines.batches()
    try:
        first = next(batches, [])  # what cannot be read at all is said before a file begins
    except SearchTooBroad as error:
        return HttpResponse(in_readers_words(error.message), status=503, content_type="text/plain; charset=utf-8")
    line = commands.begin_export(request.user, form, asked.kept(), with_numbers=with_numbers)
    exported.let_go()
    write, content_type = _FORMS[form]

    def rows() -> Iterator[list[sheets.Cell]]:
        for batch in itertools.chain([first], batches):
            yield from batch
            commands.note_export(line, lines.count)
        commands.note_export(line, lines.count, is_over=True)

    pieces = write(exported.head(), rows())
    body = _without_blocking(pieces) if isinstance(request, ASGIRequest) else pieces
    name = f"calls-{timezone.localtime():%Y%m%d-%H%M}.{form}"
    return StreamingHttpResponse(body, content_type=content_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


async def _without_blocking(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Each piece is made in the request's own thread while the event loop serves others; none is made before the last was taken."""

    def following() -> bytes:
        return next(pieces, b"")

    while piece := await sync_to_async(following)():
        yield piece
