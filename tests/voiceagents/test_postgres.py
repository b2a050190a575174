"""The database after its server was away: whoever asks next is answered."""

import psycopg
import pytest
from django.conf import settings
from django.db import connection

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_pool_full_of_broken_connections_answers_the_next_query():
    pool = connection.pool  # type: ignore[attr-defined]  # of our own wrapper
    held = [pool.getconn(60) for _ in range(8)]
    backends = [one.info.backend_pid for one in held]
    for one in held:
        pool.putconn(one)
    root, _, _ = settings.DATABASE_URL.rpartition("/")
    with psycopg.connect(f"{root}/{connection.settings_dict['NAME']}", autocommit=True) as axe:
        axe.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [backends])
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone()[0] not in backends
