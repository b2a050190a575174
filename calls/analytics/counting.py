"""The SQL that counts calls from their own rows: what an hour's rollups are made of, and what "exact" reads instead of them.

And the SQL that adds hours up to days.
"""
# ruff: noqa: S608 - statements are put together from our own words alone; every value goes beside them

from typing import Final

from calls.analytics.buckets import GROWTH
from calls.listing.filters import FAILED, TALKED
from calls.status import TERMINAL

DIMENSIONS: Final = "hour, owner_id, agent_id, version_id, exophone, direction"

# Values: zone, since, until (exclusive), currency; owner, where it is one's calls alone.
_PICKED: Final = f"""
SELECT c.session_id, date_trunc('hour', c.created_at, %(zone)s) AS hour, c.owner_id, c.agent_id, s.agent_version_id AS version_id,
       COALESCE(NULLIF(s.agent_phone, ''), CASE c.direction WHEN 'outbound' THEN c.from_phone ELSE c.to_phone END) AS exophone,
       c.direction, c.created_at, c.outcome, c.answered_at IS NOT NULL AS is_answered,
       c.status IN ({", ".join(f"'{status}'" for status in sorted(TERMINAL))}) AS is_over, {FAILED} AS is_failed,
       c.confirmation = 'not-confirmed' AS is_unconfirmed, c.unpriced > 0 AS is_unpriced, c.settled_at IS NOT NULL AS is_settled,
       CASE WHEN c.answered_at IS NOT NULL THEN GREATEST(COALESCE(c.talk_s, 0), 0) ELSE 0 END AS seconds, {TALKED} AS has_talked
FROM calls_calllog c JOIN calls_session s ON s.id = c.session_id
WHERE c.created_at >= %(since)s AND c.created_at < %(until)s AND NOT c.is_test
"""
_OF_OWNER: Final = " AND c.owner_id = %(owner)s"
_OF_HOURS: Final = (
    " JOIN unnest(%(waiting)s::timestamptz[]) w (began) ON c.created_at >= w.began AND c.created_at < w.began + interval '1 hour'"
)


def _picked(of_owner: bool, of_hours: bool = False) -> str:
    return (_PICKED.replace("\nWHERE", f"{_OF_HOURS}\nWHERE") if of_hours else _PICKED) + (_OF_OWNER if of_owner else "")


def calls(*, of_owner: bool = False, with_latencies: bool = True, of_hours: bool = False) -> str:
    """A SELECT that gives the columns of `calls_rollup` in the order of `CALL_COLUMNS`. `of_hours`: only those of the value `waiting`."""
    timed = f"""
, bucketed AS (
    SELECT {DIMENSIONS}, floor(ln(GREATEST(latency_ms, 1)::float8) / ln({GROWTH}::float8))::integer AS bucket, count(*) AS turns
    FROM picked JOIN calls_turn USING (session_id) WHERE latency_ms IS NOT NULL GROUP BY {DIMENSIONS}, bucket
), timed AS (
    SELECT {DIMENSIONS}, array_agg(bucket ORDER BY bucket) AS buckets, array_agg(turns ORDER BY bucket) AS counts
    FROM bucketed GROUP BY {DIMENSIONS}
)"""
    columns = ", COALESCE(buckets, '{}') AS latency_buckets, COALESCE(counts, '{}') AS latency_counts"
    if not with_latencies:
        timed = columns = ""
    return f"""
WITH picked AS MATERIALIZED ({_picked(of_owner, of_hours)}
), spoken AS (
    SELECT session_id, count(*) FILTER (WHERE speaker = 'agent') AS answers, count(*) FILTER (WHERE speaker = 'caller') AS said,
           count(*) FILTER (WHERE speaker = 'agent' AND interrupted) AS interruptions
    FROM calls_turn JOIN picked USING (session_id) GROUP BY session_id
), charged AS (
    SELECT DISTINCT session_id, true AS is_charged FROM calls_charge JOIN picked USING (session_id)
), totals AS (
    SELECT {DIMENSIONS}, count(*) AS calls, count(*) FILTER (WHERE is_answered) AS answered,
           count(*) FILTER (WHERE NOT is_answered AND NOT is_over) AS waiting, count(*) FILTER (WHERE is_failed) AS failed,
           count(*) FILTER (WHERE is_unconfirmed) AS unconfirmed, sum(seconds) AS seconds,
           COALESCE(sum(seconds) FILTER (WHERE is_charged), 0) AS charged_seconds, count(*) FILTER (WHERE has_talked) AS talks,
           count(*) FILTER (WHERE has_talked AND COALESCE(said, 0) = 0) AS silent, COALESCE(sum(answers), 0) AS answers,
           COALESCE(sum(interruptions), 0) AS interruptions, count(*) FILTER (WHERE is_unpriced) AS unpriced,
           count(*) FILTER (WHERE is_answered AND is_over AND NOT is_settled) AS unsettled, max(created_at) AS last_call_at
    FROM picked LEFT JOIN spoken USING (session_id) LEFT JOIN charged USING (session_id) GROUP BY {DIMENSIONS}
), ended AS (
    SELECT {DIMENSIONS}, jsonb_object_agg(outcome, calls) AS outcomes
    FROM (SELECT {DIMENSIONS}, outcome, count(*) AS calls FROM picked WHERE outcome <> '' GROUP BY {DIMENSIONS}, outcome) one
    GROUP BY {DIMENSIONS}
){timed}
SELECT {DIMENSIONS}, calls, answered, waiting, failed, unconfirmed, seconds, charged_seconds, talks, silent, answers, interruptions,
       unpriced, unsettled, last_call_at, COALESCE(outcomes, '{{}}') AS outcomes{columns}
FROM totals LEFT JOIN ended USING ({DIMENSIONS}){f" LEFT JOIN timed USING ({DIMENSIONS})" if with_latencies else ""}
"""


CALL_COLUMNS: Final = (
    f"{DIMENSIONS}, calls, answered, waiting, failed, unconfirmed, seconds, charged_seconds, talks, silent, answers, interruptions, "
    "unpriced, unsettled, last_call_at, outcomes, latency_buckets, latency_counts"
)
COST_COLUMNS: Final = f"{DIMENSIONS}, kind, provider, currency, amount, converted, unconverted, unpriced"


def costs(*, of_owner: bool = False, of_hours: bool = False) -> str:
    """A SELECT that gives the columns of `calls_rollupcost` in the order of `COST_COLUMNS`. What was superseded is not in it."""
    return f"""
WITH picked AS MATERIALIZED ({_picked(of_owner, of_hours)}
), live AS (
    SELECT p.*, u.kind, u.provider, g.currency, g.amount, CASE
        WHEN g.currency = %(currency)s THEN g.amount
        WHEN g.rate_currency = %(currency)s THEN g.amount * g.exchange_rate END AS converted
    FROM picked p JOIN calls_charge g ON g.session_id = p.session_id JOIN calls_usageline u ON u.id = g.usage_line_id
    WHERE NOT EXISTS (SELECT FROM calls_charge later WHERE later.supersedes_id = g.id)
)
SELECT {DIMENSIONS}, kind, provider, currency, COALESCE(sum(amount), 0) AS amount, COALESCE(sum(converted), 0) AS converted,
       COALESCE(sum(amount) FILTER (WHERE converted IS NULL), 0) AS unconverted, count(*) FILTER (WHERE amount IS NULL) AS unpriced
FROM live GROUP BY {DIMENSIONS}, kind, provider, currency
"""


def latencies(*, of_owner: bool = False) -> str:
    """A SELECT that gives the dimensions, a latency in ms as `place`, and how many turns have it."""
    return f"""
WITH picked AS MATERIALIZED ({_picked(of_owner)}
)
SELECT {DIMENSIONS}, latency_ms AS place, count(*) AS turns
FROM picked JOIN calls_turn USING (session_id) WHERE latency_ms IS NOT NULL GROUP BY {DIMENSIONS}, latency_ms
"""


_SUMMED: Final = (
    "calls, answered, waiting, failed, unconfirmed, seconds, charged_seconds, talks, silent, answers, interruptions, unpriced, unsettled"
)
_OF_DAY: Final = """
WITH picked AS MATERIALIZED (
    SELECT date_trunc('day', hour, %(zone)s) AS day, r.* FROM {table} r WHERE hour >= %(since)s AND hour < %(until)s
)"""
_DAY: Final = DIMENSIONS.replace("hour", "day", 1)


def days_of_calls() -> str:
    """A SELECT that gives the columns of `calls_rollupday` in the order of `CALL_COLUMNS`, from the hours of these days."""
    return f"""{_OF_DAY.format(table="calls_rollup")}, ended AS (
    SELECT {_DAY}, jsonb_object_agg(outcome, ended) AS ended
    FROM (SELECT {_DAY}, o.key AS outcome, sum(o.value::integer) AS ended FROM picked, jsonb_each_text(outcomes) o
          GROUP BY {_DAY}, o.key) one GROUP BY {_DAY}
), timed AS (
    SELECT {_DAY}, array_agg(bucket ORDER BY bucket) AS buckets, array_agg(turns ORDER BY bucket) AS counts
    FROM (SELECT {_DAY}, l.bucket, sum(l.turns) AS turns FROM picked, unnest(latency_buckets, latency_counts) l (bucket, turns)
          GROUP BY {_DAY}, l.bucket) one GROUP BY {_DAY}
), totals AS (
    SELECT {_DAY}, {", ".join(f"sum({name}) AS {name}" for name in _SUMMED.split(", "))}, max(last_call_at) AS last_call_at
    FROM picked GROUP BY {_DAY}
)
SELECT {_DAY}, {_SUMMED}, last_call_at, COALESCE(ended, '{{}}'), COALESCE(buckets, '{{}}'), COALESCE(counts, '{{}}')
FROM totals LEFT JOIN ended USING ({_DAY}) LEFT JOIN timed USING ({_DAY})
"""


def days_of_costs() -> str:
    """A SELECT that gives the columns of `calls_rollupcostday` in the order of `COST_COLUMNS`, from the hours of these days."""
    return f"""{_OF_DAY.format(table="calls_rollupcost")}
SELECT {_DAY}, kind, provider, currency, sum(amount), sum(converted), sum(unconverted), sum(unpriced)
FROM picked GROUP BY {_DAY}, kind, provider, currency
"""
