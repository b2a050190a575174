"""How long counting takes, and the page of analytics on top of it, in the database that DATABASE_URL names. Prints p50 and p95 as JSON.

Turns and charges are made once for every call that was answered: eight turns, four of them timed, and six charges of four providers.
"""
# ruff: noqa: E402 - Django is set up first

import json
import os
import sys
import time
from collections.abc import Iterator

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voiceagents.settings")
django.setup()

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from bench.figures import percentile
from calls.analytics import keeping
from calls.analytics.rows import Rollup

_TALKED = """
SET LOCAL session_replication_role = replica;
INSERT INTO calls_turn (session_id, number, speaker, text, generated_text, interrupted, started_ms, ended_ms, latency_ms, created_at)
SELECT s.id, g, CASE WHEN g % 2 = 0 THEN 'agent' ELSE 'caller' END, 'Well.', '', g % 2 = 0 AND random() < 0.1, g, g + 1,
       CASE WHEN g % 2 = 0 THEN (exp(6.6 + 0.5 * (random() + random() + random() - 1.5) * 2))::integer END, s.created_at
FROM calls_session s, generate_series(1, 8) g WHERE s.end_reason <> '' AND s.id % 50 <> 0;
INSERT INTO calls_usageline (session_id, kind, provider, model, unit, quantity, evidence, purpose, created_at)
SELECT s.id, u.kind, u.provider, 'm', 'tokens', 10, u.n::text, '', s.created_at
FROM calls_session s, (VALUES (1, 'telephony', 'carrier'), (2, 'stt', 'deepgram'), (3, 'llm', 'openai'), (4, 'llm', 'openai'),
     (5, 'tts', 'elevenlabs'), (6, 'transcription', 'deepgram')) AS u (n, kind, provider) WHERE s.end_reason <> '';
INSERT INTO calls_charge (session_id, usage_line_id, part, reason, amount, currency, exchange_rate, rate_currency, price_source,
                          price_list, created_at)
SELECT session_id, id, '', '', random() / 10, CASE kind WHEN 'telephony' THEN 'INR' ELSE 'USD' END,
       CASE kind WHEN 'telephony' THEN NULL ELSE 88.1 END, CASE kind WHEN 'telephony' THEN '' ELSE 'INR' END, '', '', created_at
FROM calls_usageline;
"""
SCENARIOS = {
    "today": "period=today",
    "7 days": "",
    "30 days": "period=30",
    "90 days": "period=90",
    "90 days, by version": "period=90&by=version",
    "90 days, one agent": "period=90&agent=1",
    "7 days, exact": "exact=on",
}


def main() -> int:
    settings.ALLOWED_HOSTS = ["*"]
    repeats = int(sys.argv[1])
    if not Rollup.objects.exists():
        began = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(_TALKED)
            cursor.execute("COMMIT")
            cursor.execute("VACUUM ANALYZE calls_turn, calls_usageline, calls_charge")
        print(f"  turns and charges in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        began = time.monotonic()
        keeping.mark_since(keeping.BEGINNING)
        hours = keeping.keep(for_s=None)
        print(f"  {hours} hours counted in {time.monotonic() - began:.0f} s, {Rollup.objects.count()} rows", file=sys.stderr, flush=True)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE calls_rollup, calls_rollupcost")
    found = {}
    client = Client()
    client.force_login(get_user_model().objects.get(username="watcher"))
    for name, query in SCENARIOS.items():
        times = list(_times(client, query, repeats))
        found[f"analytics: {name}"] = [percentile(times, 0.5), percentile(times, 0.95)]
        print(f"  {name}: {percentile(times, 0.5):.0f} / {percentile(times, 0.95):.0f} ms", file=sys.stderr, flush=True)
    print(json.dumps(found))
    return 0


def _times(client: Client, query: str, repeats: int) -> Iterator[float]:
    for turn in range(repeats + 1):
        began = time.perf_counter()
        response = client.get(f"/analytics/?{query}")
        took_ms = (time.perf_counter() - began) * 1000
        if response.status_code != 200 or b"too much" in response.content:
            raise SystemExit(f"{query}: {response.status_code} {response.content[:600]!r}")
        if turn:
            yield took_ms


if __name__ == "__main__":
    raise SystemExit(main())
