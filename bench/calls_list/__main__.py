"""`make bench-list`: how long the list of calls takes with 10,000 and with 1,000,000 calls (ROWS="10000 1000000 10000000").

Each size has a database of its own in an embedded Postgres with its factory settings; it is kept in .local/bench-list for the next time.
What is timed is what a browser waits for, less the network: the whole request through Django, its rows rendered.
"""

import argparse
import json
import os
import subprocess
import sys

import psycopg

from bench.calls_list.seed import seed
from deploy.local import stack
from deploy.local.places import LOCAL, ROOT, service_account, service_directory
from deploy.local.postgres import Postgres

RESULTS = LOCAL / "bench"
GOAL_MS = 150


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.calls_list", description=__doc__)
    sizes = [int(word) for word in os.environ.get("ROWS", "10000 1000000").split()]
    parser.add_argument("--rows", nargs="+", type=int, default=sizes, help="how many calls; one column each")
    parser.add_argument("--repeats", type=int, default=40, help="how often each request is made")
    parser.add_argument("--explain", default="", help="also print the plans of the scenario of this name")
    parser.add_argument("--analytics", action="store_true", help="time analytics instead, on databases of its own with turns and charges")
    parser.add_argument("--drop", action="store_true", help="drop the databases afterwards")
    options = parser.parse_args()
    postgres = Postgres(service_directory("bench-list", service_account()) / "postgres", durable=False)
    _start(postgres)
    try:
        found = {rows: _measured(postgres, rows, options) for rows in options.rows}
        if options.drop:
            with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
                for rows in options.rows:
                    connection.execute(f"DROP DATABASE {_database(rows, options)}")
    finally:
        postgres.stop()
    text = _table(found)
    print(text)
    RESULTS.mkdir(parents=True, exist_ok=True)
    name = "analytics" if options.analytics else "list"
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


def _start(postgres: Postgres) -> None:
    """Like a server with its factory settings, except that ten million rows need not be written twice."""
    fresh = not (postgres.cluster / "PG_VERSION").exists()
    postgres.start()
    if fresh:
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET wal_level = minimal")
            connection.execute("ALTER SYSTEM SET max_wal_senders = 0")
        postgres.stop()
        postgres.start()


def _database(rows: int, options: argparse.Namespace) -> str:
    return f"{'counted' if options.analytics else 'list'}_{rows}"


def _measured(postgres: Postgres, rows: int, options: argparse.Namespace) -> dict[str, list[float]]:
    """p50 and p95 in ms of each scenario, measured in a process of its own, which has that database."""
    database = _database(rows, options)
    environment = {**stack.base_environment(), "DATABASE_URL": postgres.url(database), "REDIS_URL": "redis://127.0.0.1:1/0"}
    environment |= {"LOG_LEVEL": "ERROR", "PYTHONPATH": str(ROOT)}
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone()
        if known is not None and not _is_seeded(postgres.url(database)):
            connection.execute(f"DROP DATABASE {database}")
            known = None
        if known is None:
            connection.execute(f"CREATE DATABASE {database}")
    migrate = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
    if known is None:
        seed(postgres.url(database), rows)
    collect = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    subprocess.run(collect, cwd=ROOT, env=environment, check=True)
    timing = [sys.executable, "-m", "bench.calls_list.timing", str(rows), str(options.repeats), options.explain]
    if options.analytics:
        timing = [sys.executable, "-m", "bench.calls_list.counted", str(options.repeats)]
    done = subprocess.run(timing, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, list[float]] = json.loads(done.stdout)
    return figures


def _is_seeded(url: str) -> bool:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT to_regclass('bench_seeded')").fetchone()
        return row is not None and row[0] is not None


def _table(found: dict[int, dict[str, list[float]]]) -> str:
    sizes = list(found)
    head = f"| p50 / p95 in ms | {' | '.join(f'{rows:,} calls' for rows in sizes)} |\n|---|{'---|' * len(sizes)}\n"
    names = list(found[sizes[0]])
    lines = [f"| {name} | {' | '.join(_cell(found[rows][name]) for rows in sizes)} |" for name in names]
    worst = max(found[rows][name][1] for rows in sizes for name in names)
    return head + "\n".join(lines) + f"\n\nThe slowest p95 is {worst:.0f} ms; the goal is {GOAL_MS} ms.\n"


def _cell(figures: list[float]) -> str:
    return f"{figures[0]:.0f} / {figures[1]:.0f}"


if __name__ == "__main__":
    raise SystemExit(main())
