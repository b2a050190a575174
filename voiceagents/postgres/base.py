"""A pool that outlives its server.

Django hands out each connection after a check. After a restart of Postgres every idle one is broken, and the pool throws them away one by
one, waiting longer after each: with five of them the first queries wait until they fail. Here the first broken one condemns the others.
"""

from typing import Any

from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool


def check(connection: Any) -> None:
    """As the pool's own check, which raises if the connection is of no use; all idle ones of its pool are then made anew."""
    try:
        ConnectionPool.check_connection(connection)
    except Exception:
        connection._pool.drain()
        raise


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def pool(self) -> Any:
        pool = super().pool
        if pool is not None:
            # Django fixes this argument of the pool itself and has no setting for it.
            pool._check = check
        return pool
