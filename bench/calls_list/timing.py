"""Times requests to the list of calls against the database that DATABASE_URL names. Prints p50 and p95 of each scenario as JSON."""

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voiceagents.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from bench.figures import percentile  # noqa: E402
from calls.models import CallLog  # noqa: E402

PARTIAL = {"HX-Request": "true", "HX-Target": "results"}
_luck = random.Random(5)


def _word(first: int, last: int) -> str:
    return f"w{_luck.randint(first, last)}"


def _tail() -> str:
    digits = CallLog.objects.filter(session_id=_luck.randint(1, _rows())).values_list("from_phone", "to_phone").get()
    return next(number for number in digits if not number.startswith("+918047"))[-10:]


def _day() -> str:
    created = CallLog.objects.filter(session_id=_luck.randint(1, _rows())).values_list("created_at", flat=True).get()
    return created.date().isoformat()


def _rows() -> int:
    return int(sys.argv[1])


def _cursor() -> int:
    return _luck.randint(1, _rows())


SCENARIOS: dict[str, Callable[[], dict[str, Any]]] = {
    "the list": dict,
    "next page": lambda: {"after": _cursor()},
    "page before": lambda: {"before": _cursor()},
    "status: completed": lambda: {"status": "completed"},
    "status: canceled (1 in 1,000)": lambda: {"status": "canceled"},
    "status: in progress (12)": lambda: {"status": "in-progress"},
    "outcome": lambda: {"outcome": _luck.choice(["achieved", "not-achieved", "unclear"])},
    "agent": lambda: {"agent": _luck.randint(1, 50)},
    "number": lambda: {"number": _tail()},
    "number nobody has": lambda: {"number": "7000000000"},
    "exophone": lambda: {"number": f"80471122{_luck.randint(0, 99):02}"},
    "direction": lambda: {"direction": "outbound"},
    "duration from 30 min (1 in 300)": lambda: {"least": "30:00"},
    "cost from ₹ 40 (1 in 2,000)": lambda: {"cost_least": 40},
    "one day": lambda: {"since": (day := _day()), "until": day},
    "ended by our crash (1 in 10,000)": lambda: {"ended_by": "crash"},
    "unconfirmed (1 in 500)": lambda: {"unconfirmed": "on"},
    "tests": lambda: {"tests": "only"},
    "busy and longer than a minute (none)": lambda: {"status": "busy", "least": "1:00"},
    "agent, outcome, duration, day": lambda: {"agent": 1, "outcome": "achieved", "least": "0:30", "since": (day := _day()), "until": day},
    "text: common word": lambda: {"text": _word(2, 50)},
    "text: 1 in 20 to 1 in 200": lambda: {"text": _word(100, 1000)},
    "text: 1 in 200 to 1 in 2,000": lambda: {"text": _word(1000, 10000)},
    "text: 1 in 2,000 to 1 in 5,000": lambda: {"text": _word(10000, 29000)},
    "text: two words": lambda: {"text": f"{_word(100, 2000)} {_word(100, 2000)}"},
    "text: refund (1 in 1,000)": lambda: {"text": "refund"},
    "text: वापसी (1 in 100,000)": lambda: {"text": "वापसी"},
    "text: said in one call": lambda: {"text": "needle"},
    "text: nobody said it": lambda: {"text": "absent"},
    "text and agent and status": lambda: {"text": _word(100, 1000), "agent": _luck.randint(1, 50), "status": "completed"},
    "text in one day": lambda: {"text": _word(10, 1000), "since": (day := _day()), "until": day},
    "sorted by duration": lambda: {"sort": "longest"},
    "sorted by cost, one agent": lambda: {"sort": "costliest", "agent": _luck.randint(1, 50)},
    "sorted by cost, text: 1 in 20 to 1 in 2,000": lambda: {"sort": "costliest", "text": _word(100, 10000)},
}


def main() -> int:
    settings.ALLOWED_HOSTS = ["*"]
    repeats, explained = int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else ""
    found: dict[str, list[float]] = {}
    for who in ("watcher", "operator1", "operator9"):
        client = Client()
        client.force_login(get_user_model().objects.get(username=who))
        for name, wanted in SCENARIOS.items():
            if who != "watcher" and name not in (
                "the list",
                "next page",
                "text: refund (1 in 1,000)",
                "busy and longer than a minute (none)",
            ):
                continue
            if explained and name != explained:
                continue
            label = name if who == "watcher" else f"{name}, {'the largest' if who == 'operator1' else 'a small'} operator"
            times = list(_times(client, wanted, repeats))
            found[label] = [percentile(times, 0.5), percentile(times, 0.95)]
            print(f"  {label}: {found[label][0]:.0f} / {found[label][1]:.0f} ms, worst {max(times):.0f}", file=sys.stderr, flush=True)
            if explained:
                _explain(client, wanted())
    print(json.dumps(found))
    return 0


def _times(client: Client, wanted: Callable[[], dict[str, Any]], repeats: int) -> Iterator[float]:
    for turn in range(repeats + 2):
        asked = wanted()
        began = time.perf_counter()
        response = client.get("/calls/", asked, headers=PARTIAL)
        took_ms = (time.perf_counter() - began) * 1000
        if response.status_code != 200 or b"takes too long" in response.content or b'class="panel-body problem"' in response.content:
            raise SystemExit(f"{asked}: {response.status_code} {response.content[:600]!r}")
        if turn >= 2:
            yield took_ms


def _explain(client: Client, asked: dict[str, Any]) -> None:
    settings.DEBUG = True
    connection.force_debug_cursor = True
    client.get("/calls/", asked, headers=PARTIAL)
    for query in connection.queries:
        statement = query["sql"]
        print(f"--- {query['time']} s\n{statement[:400]}", file=sys.stderr)
        if "calls_call" in statement and statement.lstrip().startswith(("SELECT", "WITH")):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}")
                print("\n".join(line for (line,) in cursor.fetchall()), file=sys.stderr)
    connection.queries_log.clear()


if __name__ == "__main__":
    raise SystemExit(main())
