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
from calls.analytics.adding import together, whole
from calls.analytics.asked import GROUPS, PERIODS, AskedForm, Period
from calls.analytics.buckets import ERROR_PERCENT
from calls.analytics.figures import Asked, By, Part, counts, figures, tallies
from calls.analytics.rows import RollupState
from calls.analytics.sources import TooMuch, exactly, kept
from calls.on_top import on_top

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
        context["problem"] = error.message
    return render(request, "analytics/page.html", context)


def _found(request: HttpRequest, form: AskedForm, days: Period) -> dict[str, Any]:
    asked, before = form.asked(days), days.before()
    earlier = form.asked(before) if form.compares else None
    by, links = form.group, shown.Links(_narrowed(form))
    slot = By.HOUR if shown.is_hourly(days) else By.DAY
    first = before.since if earlier is not None else days.since
    with exactly(first, days.until, asked.owner_id) if form.is_exact else kept() as source:
        over_time, over_time_before = tallies(asked, slot, source), counts(earlier, slot, source) if earlier is not None else None
        now = together(over_time.values())
        was = whole(earlier, over_time_before.values(), source) if earlier is not None and over_time_before is not None else None
        groups = figures(asked, by, source, Part.TURNS | Part.COSTS)
        groups_before = counts(earlier, by, source) if earlier is not None else None
        numbers = counts(Asked(asked.since, asked.until, asked.owner_id), By.NUMBER, source)
    told = {key: one.told() for key, one in over_time.items()}
    rows, series = shown.over_time(told, over_time_before, days, links)
    table, left_out = shown.grouped(by, groups, groups_before, days, links)
    drifts = health.drifts(request.user, days.first, days.last)
    return {
        "before": before if earlier is not None else None,
        "tiles": shown.tiles(now, was, days, links),
        "rows": rows,
        "series": series,
        "outcomes": shown.outcomes(now, days, links),
        "providers": shown.providers(now),
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
