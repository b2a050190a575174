"""Stops a worker inside the database, right before or right after its commit, without a hook in the product.

Deferred triggers run at the very end of a transaction. Those of the torture database ask there for an advisory lock in shared mode;
whoever holds the same lock alone stops every such transaction at its commit. Then the worker is killed, and either its connection is cut
(nothing of the transaction remains: the moment `before`) or the lock is given back (the commit happens, its worker is dead: `after`).
"""

import contextlib
import time
from collections.abc import Iterator
from typing import Final

import psycopg

OURS: Final = "torture"
"""The application name of this process' own connections."""
DOOMED: Final = "torture-doomed"
"""That of the workers' connections, the only ones that are ever cut. In PGAPPNAME, which is Postgres' own."""

REMOVED: Final = """
DROP TRIGGER IF EXISTS torture_claim ON calls_job;
DROP TRIGGER IF EXISTS torture_finish ON calls_job;
DROP TRIGGER IF EXISTS torture_begin ON calls_attempt;
DROP TRIGGER IF EXISTS torture_close ON calls_attempt;
DROP TRIGGER IF EXISTS torture_order ON calls_calllog;
"""
_TRIGGERS: Final = f"""{REMOVED}
CREATE OR REPLACE FUNCTION torture_stop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(7007, hashtext(TG_ARGV[0] || ' ' || NEW.kind));
  RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION torture_stop_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(7007, hashtext(TG_ARGV[0] || ' ' || (SELECT kind FROM calls_job WHERE id = NEW.job_id)));
  RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION torture_stop_dial() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(7007, hashtext('order telephony.dial'));
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER torture_claim AFTER UPDATE ON calls_job DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW.state = 'running' AND NEW.attempts > OLD.attempts) EXECUTE FUNCTION torture_stop('claim');
CREATE CONSTRAINT TRIGGER torture_finish AFTER UPDATE ON calls_job DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (OLD.state = 'running' AND NEW.state = 'done') EXECUTE FUNCTION torture_stop('finish');
CREATE CONSTRAINT TRIGGER torture_begin AFTER INSERT ON calls_attempt DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  EXECUTE FUNCTION torture_stop_attempt('begin');
CREATE CONSTRAINT TRIGGER torture_close AFTER UPDATE ON calls_attempt DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  EXECUTE FUNCTION torture_stop_attempt('close');
CREATE CONSTRAINT TRIGGER torture_order AFTER UPDATE ON calls_calllog DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (OLD.status = 'queued' AND NEW.status = 'initiated') EXECUTE FUNCTION torture_stop_dial();
"""


def install(url: str) -> None:
    """Puts the triggers into the torture database. Without a stop in force they cost a lock that nobody contends for."""
    with psycopg.connect(url, autocommit=True, application_name=OURS) as connection:
        connection.execute(_TRIGGERS)


class Stop:
    """Transactions that reach `name` (as `finish calls.account`) stand still while this is in force."""

    def __init__(self, url: str, name: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, application_name=OURS)
        self._name = name
        self._is_held = False

    def waiting(self) -> int:
        """How many transactions stand at the stop now."""
        row = self._connection.execute(f"SELECT count(*) FROM ({_WAITING}) AS waiting", [self._name]).fetchone()
        return int(row[0]) if row else 0

    def arm(self) -> None:
        self._connection.execute("SELECT pg_advisory_lock(7007, hashtext(%s))", [self._name])
        self._is_held = True

    def end(self, *, commits: bool) -> None:
        """Lets those who stand here commit, or not. All other connections of the killed are cut: more of them may queue behind a row."""
        spared = f"AND pid NOT IN ({_WAITING})" if commits else ""
        self._connection.execute(f"SELECT pg_terminate_backend(pid) FROM ({_KILLED}) AS killed WHERE true {spared}", [self._name] * commits)
        self._until(f"SELECT NOT EXISTS (SELECT 1 FROM ({_KILLED}) AS killed WHERE true {spared})", [self._name] * commits)
        self.release()
        # To get the lock alone again is to know that all who went through have committed.
        self.arm()
        self.release()

    def _until(self, is_so: str, values: list[str]) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            row = self._connection.execute(is_so, values).fetchone()
            if row and row[0]:
                return
            time.sleep(0.02)

    def release(self) -> None:
        if self._is_held:
            self._connection.execute("SELECT pg_advisory_unlock(7007, hashtext(%s))", [self._name])
            self._is_held = False

    def close(self) -> None:
        with contextlib.suppress(psycopg.Error):
            self.release()
        self._connection.close()


# The key's two halves are classid and objid of pg_locks, the second without its sign.
_WAITING: Final = """SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = 7007
  AND objid = (hashtext(%s)::bigint & 4294967295)::oid"""


_KILLED: Final = f"SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = '{DOOMED}'"


@contextlib.contextmanager
def stop(url: str, name: str) -> Iterator[Stop]:
    made = Stop(url, name)
    try:
        made.arm()
        yield made
    finally:
        made.close()
