"""Fills a database with calls of two years, in SQL alone: so many rows per second as Postgres can write.

Twenty operators, the first with more than half of all calls; fifty agents with two numbers each; words whose frequencies fall with their rank, as in speech, from
those that nearly every call has down to one call in five thousand, and three that tests look for.
"""
# ruff: noqa: E501 - columns and what goes into them stand line by line

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

OPERATORS, AGENTS = 20, 50
TABLES = ["calls_session", "calls_calllog", "calls_callwords", "calls_callspend"]
_AT_ONCE = 500_000
# Different conversations. Drawing words takes longer than everything else together, so calls share what was said.
_SAID = 50_000

_PEOPLE = """
INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
SELECT g, '!', g = 100, CASE WHEN g = 100 THEN 'watcher' ELSE 'operator' || g END, '', '', '', true, true, now()
FROM generate_series(1, 100) g WHERE g <= %(operators)s OR g = 100
"""
_WORDS = """
CREATE TEMP TABLE said AS
SELECT g AS id, array_to_tsvector((SELECT array_agg(DISTINCT 'w' || floor(exp(random() * ln(30000)))::int) FROM generate_series(1, 60) WHERE g >= 0)) AS words
FROM generate_series(0, %(said)s - 1) g;
ANALYZE said
"""
_CALLS = """
CREATE TEMP TABLE made AS
SELECT *, '+9180471122' || lpad((agent_id * 2 - 1 - (line < 0.3)::int)::text, 2, '0') AS exophone,
       CASE WHEN agent_id <= 20 THEN 1 ELSE 2 + agent_id %% (%(operators)s - 1) END AS owner_id,
       CASE WHEN id > %(rows)s - 12 THEN 'in-progress' WHEN luck < 0.82 THEN 'completed' WHEN luck < 0.91 THEN 'no-answer'
            WHEN luck < 0.95 THEN 'busy' WHEN luck < 0.999 THEN 'failed' ELSE 'canceled' END AS status,
       CASE WHEN luck < 0.82 THEN (exp(fate * 6) * 5)::int END AS seconds
FROM (
    SELECT g AS id, now() - make_interval(secs => (%(rows)s - g) * (2 * 365 * 86400.0 / %(rows)s)) AS created_at,
           1 + least(floor(power(random(), 2.5) * %(agents)s), %(agents)s - 1)::int AS agent_id,
           random() AS luck, random() AS fate, random() AS voice, floor(random() * %(said)s)::int AS said,
           '+9198' || lpad(floor(random() * 1e8)::text, 8, '0') AS caller, random() AS line,
           CASE WHEN random() < 0.7 THEN 'inbound' ELSE 'outbound' END AS direction
    FROM generate_series(%(first)s, %(last)s) g OFFSET 0
) drawn;
INSERT INTO calls_session (id, session_id, owner_id, agent_id, agent_version_id, user_phone, agent_phone, state,
                           started_at, ended_at, end_reason, customer, created_at)
SELECT id, 'sess_' || md5(id::text), owner_id, agent_id, agent_id, caller, exophone,
       CASE WHEN status = 'in-progress' THEN 'active' ELSE 'ended' END, created_at,
       created_at + make_interval(secs => coalesce(seconds, 0)), CASE WHEN seconds IS NULL THEN '' ELSE 'caller-hangup' END, '{}', created_at
FROM made;
INSERT INTO calls_calllog (id, session_id, owner_id, agent_id, call_sid, direction, from_phone, to_phone, status,
                           answered_at, ended_at, duration_s, carrier_currency, ended_by, confirmation,
                           created_at, settled_at, is_test, outcome, cost, unpriced, latency_ms)
SELECT id, id, owner_id, agent_id, md5(id::text), direction, CASE WHEN direction = 'inbound' THEN caller ELSE exophone END,
       CASE WHEN direction = 'inbound' THEN exophone ELSE caller END, status,
       CASE WHEN seconds IS NOT NULL THEN created_at END,
       CASE WHEN status <> 'in-progress' THEN created_at + make_interval(secs => coalesce(seconds, 0)) END, seconds, 'INR',
       CASE WHEN status = 'in-progress' THEN '' WHEN fate < 0.55 THEN 'caller' WHEN fate < 0.96 THEN 'agent' WHEN fate < 0.99 THEN 'carrier'
            WHEN fate < 0.9999 THEN 'unknown' ELSE 'crash' END,
       CASE WHEN status = 'in-progress' THEN '' WHEN voice < 0.998 THEN 'confirmed' ELSE 'not-confirmed' END,
       created_at, CASE WHEN status <> 'in-progress' THEN created_at + interval '1 hour' END, voice > 0.99,
       CASE WHEN seconds IS NULL THEN '' WHEN fate < 0.5 THEN 'achieved' WHEN fate < 0.8 THEN 'partly-achieved' WHEN fate < 0.97
            THEN 'not-achieved' ELSE 'unclear' END,
       seconds * 0.02 + luck, 0, (400 + 900 * voice * voice)::int
FROM made;
INSERT INTO calls_callwords (session_id, owner_id, agent_id, created_at, words)
SELECT made.id, owner_id, agent_id, created_at, CASE
       WHEN made.id %% 1000 = 7 OR made.id %% 100000 = 77 OR made.id = 7777 THEN words || array_to_tsvector(array_remove(ARRAY[
           CASE WHEN made.id %% 1000 = 7 THEN 'refund' END, CASE WHEN made.id %% 100000 = 77 THEN 'वापसी' END, CASE WHEN made.id = 7777 THEN 'needle' END], NULL))
       ELSE words END
FROM made JOIN said ON said.id = made.said WHERE seconds IS NOT NULL;
INSERT INTO calls_callspend (session_id, owner_id, agent_id, day, currency, amount, used, reserved, seconds, is_final, unpriced)
SELECT id, owner_id, agent_id, created_at::date, 'INR', seconds * 0.02 + luck, seconds * 0.02 + luck, 0, seconds, true, ''
FROM made WHERE seconds IS NOT NULL;
DROP TABLE made;
"""


def seed(url: str, rows: int) -> None:
    """Without indexes, triggers and foreign keys while rows are written; all of them are there at the end."""
    began = time.monotonic()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica; SET maintenance_work_mem = '1GB'; SET synchronous_commit = off")
        connection.execute("SET work_mem = '256MB'; SET temp_buffers = '256MB'; SET jit = off; SELECT setseed(0.5)")
        constants = {"operators": OPERATORS, "agents": AGENTS, "rows": rows, "said": min(_SAID, rows)}
        connection.execute(_PEOPLE, constants)
        for number in range(1, AGENTS + 1):
            _agent(connection, number)
        with psycopg.ClientCursor(connection) as cursor:
            cursor.execute(_WORDS, constants)
            # In one transaction with the tables' beginning: Postgres need not write it down twice (wal_level = minimal).
            with empty_by_default(connection, TABLES), without_indexes(connection, TABLES), connection.transaction():
                cursor.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")
                for first in range(1, rows + 1, _AT_ONCE):
                    last = min(first + _AT_ONCE - 1, rows)
                    cursor.execute(_CALLS, {**constants, "first": first, "last": last})
                    _say(f"{last:,} of {rows:,} calls", began)
        _say(f"{rows:,} calls with their indexes", began)
        connection.execute("VACUUM ANALYZE")
        connection.execute("CREATE TABLE bench_seeded ()")
        (size,) = connection.execute("SELECT pg_size_pretty(pg_database_size(current_database()))").fetchone() or ("?",)
    _say(f"{rows:,} calls vacuumed and analysed, {size}", began)


def _say(words: str, began: float) -> None:
    print(f"  {words} after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


@contextmanager
def without_indexes(connection: psycopg.Connection[Any], tables: list[str]) -> Iterator[None]:
    """Primary keys stay: rows are written in their order."""
    unique = connection.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'u' AND conrelid::regclass::text = ANY(%s)",
        [tables],
    ).fetchall()
    for table, name, _definition in unique:
        connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND indexname NOT IN (SELECT conname FROM pg_constraint)",
        [tables],
    ).fetchall()
    for name, _definition in indexes:
        connection.execute(f'DROP INDEX "{name}"')
    yield
    for table, name, definition in unique:
        connection.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
    for _name, definition in indexes:
        connection.execute(definition)


_EMPTY = {"jsonb": "{}", "boolean": False, "date": "now", "timestamp with time zone": "now", "uuid": "00000000-0000-0000-0000-000000000000"}


def _empty(kind: str) -> Any:
    """What an empty value of a column of this type is."""
    return _EMPTY.get(kind, 0 if "int" in kind or kind in ("numeric", "double precision") else "")


@contextmanager
def empty_by_default(connection: psycopg.Connection[Any], tables: list[str]) -> Iterator[None]:
    """Columns that a bench has no opinion about take an empty value, those too that are added after it was written."""
    columns = connection.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_name = ANY(%s) AND is_nullable = 'NO'"
        " AND is_generated = 'NEVER' AND is_identity = 'NO' AND column_default IS NULL",
        [tables],
    ).fetchall()
    with psycopg.ClientCursor(connection) as cursor:
        for table, column, kind in columns:
            cursor.execute(f'ALTER TABLE {table} ALTER "{column}" SET DEFAULT %s', [_empty(kind)])
    yield
    for table, column, _kind in columns:
        connection.execute(f'ALTER TABLE {table} ALTER "{column}" DROP DEFAULT')


def _agent(connection: psycopg.Connection[Any], number: int) -> None:
    """Rows of an agent and its version."""
    owner = 1 if number <= 20 else 2 + number % (OPERATORS - 1)
    _insert(connection, "agents_agent", {"id": number, "owner_id": owner, "name": f"Agent {number:02}", "active": True})
    _insert(connection, "agents_agentversion", {"id": number, "agent_id": number, "number": 1})


def _insert(connection: psycopg.Connection[Any], table: str, known: dict[str, Any]) -> None:
    columns = connection.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s AND is_nullable = 'NO' AND is_generated = 'NEVER'",
        [table],
    ).fetchall()
    row = {name: _empty(kind) for name, kind in columns} | known
    names = ", ".join(f'"{name}"' for name in row)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join(['%s'] * len(row))})", list(row.values()))
