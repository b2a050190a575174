"""What stands on top of the pages until somebody has seen to it: alarms of calls, endpoints that are off, prices nobody knows, budgets."""

from typing import Any

from calls import alarms, ledger, overview, presentation
from calls.queries import User
from calls.sentences import in_readers_words

ALARM_ROWS = 10  # more than people act on at once; the admin has them all


def on_top(user: User) -> dict[str, Any]:
    """`alarms` and `budget_alarms` as the templates take them."""
    calls = [presentation.alarm_line(alarm) for alarm in alarms.open_alarms(user)[:ALARM_ROWS]]
    hooks = [presentation.endpoint_line(endpoint) for endpoint in alarms.endpoints_off(user)[:ALARM_ROWS]]
    lines = [*calls, *hooks, *presentation.price_line(ledger.without_price_lately(user))]
    budgets = [
        {"level": notice.level, "words": in_readers_words(notice.words), "budget_id": notice.budget_id}
        for notice in overview.budget_alarms(user)
    ]
    return {"alarms": lines, "budget_alarms": budgets}
