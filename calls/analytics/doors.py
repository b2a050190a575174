"""The page of analytics. It shows what figures find; it writes nothing."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from calls.analytics import health, shown
from calls.analytics.asked import GROUPS, PERIODS, AskedForm, Period
from calls.analytics.buckets import ERROR_PERCENT
from calls.analytics.figures import Asked, By, Figures, counts, counts_by, figures, figures_by
from calls.analytics.rows import RollupState
from calls.analytics.sources import TooMuch, exactly, kept
from calls.on_top import on_top
from calls.sentences import in_readers_words

# What is older than this is said to be.
FRESH_S = 300


@require_safe
@never_cache
@login_required
def analytics(request: HttpRequest) -> HttpResponse:
    """Many calls at a glance: compared with the period before, drawn over time, put together by what was chosen."""
    now = timezone.now()
    form = AskedForm(request.user, request.GET)
    days = form.days(now)
    state = RollupState.objects.filter(pk=1).first()
    context: dict[str, Any] = {
        "form": form,
        "days": days,
        "periods": [
            (words, _link({**form.kept(), "period": value, "since": "", "until": ""}), value == form.chosen_period())
            for value, words in PERIODS
        ],
        "own_link": _link(form.kept()),
        "chosen_period": form.chosen_period(),
        "error_percent": ERROR_PERCENT,
        "state": state,
        "is_stale": state is None or (now - state.counted_at).total_seconds() > FRESH_S,
        "exact_link": _link({**form.kept(), "exact": "on"}),
        "kept_link": _link({**form.kept(), "exact": ""}),
        "is_hourly": shown.is_hourly(days),
        **on_top(request.user),
    }
    try:
        context |= _found(request, form, days)
    except TooMuch as error:
        context["problem"] = in_readers_words(error.message)
    return render(request, "analytics/page.html", context)


def _found(request: HttpRequest, form: AskedForm, days: Period) -> dict[str, Any]:
    asked, before = form.asked(days), days.before()
    earlier = form.asked(before) if form.compares else None
    by, links = form.group, shown.Links(_narrowed(form))
    slot = By.HOUR if shown.is_hourly(days) else By.DAY
    first = before.since if earlier is not None else days.since
    with exactly(first, days.until, asked.owner_id) if form.is_exact else kept() as source:
        found = figures_by(asked, (By.ALL, slot, by), source)
        whole, over_time, groups = found[By.ALL].get(0, Figures()), found[slot], found[by]
        was = over_time_before = groups_before = None
        if earlier is not None:
            was = figures(earlier, By.ALL, source).get(0, Figures())
            compared_with = counts_by(earlier, (slot, by), source)
            over_time_before, groups_before = compared_with[slot], compared_with[by]
        numbers = counts(Asked(asked.since, asked.until, asked.owner_id), By.NUMBER, source)
    rows, series = shown.over_time(over_time, over_time_before, days, links)
    table, left_out = shown.grouped(by, groups, groups_before, days, links)
    drifts = health.drifts(request.user, days.first, days.last)
    return {
        "before": before if earlier is not None else None,
        "tiles": shown.tiles(whole, was, days, links),
        "rows": rows,
        "series": series,
        "outcomes": shown.outcomes(whole, days, links),
        "providers": shown.providers(whole),
        "groups": [(str(one), words, _link({**form.kept(), "by": str(one)}), one == by) for one, words in GROUPS],
        "group_name": dict(GROUPS)[by],
        "table": table,
        "left_out": left_out,
        "health": health.lines(request.user, numbers, drifts, days, shown.Links({})),
        "drift_compared": drifts is not None,
        "money_link": health.money_link(days),
        "numbers": sorted(number for number in {*numbers, asked.exophone} if number),
        "is_exact": form.is_exact,
    }


def _narrowed(form: AskedForm) -> dict[str, str]:
    return {name: value for name, value in form.kept().items() if name in ("agent", "number", "direction")}


def _link(address: dict[str, str]) -> str:
    return f"?{urlencode({name: value for name, value in address.items() if value})}"
