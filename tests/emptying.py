"""Empties the database behind a test that really committed.

Django truncates every table and then makes its permissions and content types anew: half a second for each of hundreds of tests, most of
which wrote to a handful of tables. Here only tables that hold rows are emptied, and what migrations made of permissions and content types
stays; a test that changed those gets Django's own flush.
"""

from django.db import connection, transaction
from django.test import TransactionTestCase

# Filled by Django's own signal after a migration, the same in every test.
STANDING = ("django_content_type", "auth_permission")
_whole_flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]  # private to Django, so without a type
_standing: dict[str, str] = {}


def _fingerprints() -> dict[str, str]:
    with connection.cursor() as cursor:
        found = {}
        for table in STANDING:
            cursor.execute(f"select md5(coalesce(string_agg(t::text, '|' order by id), '')) from {table} t")
            found[table] = cursor.fetchone()[0]
        return found


def remember_standing_rows() -> None:
    _standing.update(_fingerprints())


def empty(case: TransactionTestCase) -> None:
    """In place of `TransactionTestCase._fixture_teardown`."""
    if case.available_apps is not None or case.serialized_rollback or _fingerprints() != _standing:
        _whole_flush(case)
        remember_standing_rows()
        return
    tables = [
        table for table in connection.introspection.django_table_names(only_existing=False, include_views=False) if table not in STANDING
    ]
    quoted = {table: connection.ops.quote_name(table) for table in tables}
    with connection.cursor() as cursor:
        cursor.execute(" union all ".join(f"select '{table}' where exists (select from {name})" for table, name in quoted.items()))
        filled = [row[0] for row in cursor.fetchall()]
        if not filled:
            return
        # No trigger fires: neither those that check references, which all go together, nor ours that keep rows from being deleted.
        deletes = "".join(f"delete from {quoted[table]};" for table in filled)
        with transaction.atomic():
            cursor.execute(f"set local session_replication_role = replica; {deletes}")
