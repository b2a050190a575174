"""How the line is, as the web process can tell: what waits on the disk, whether the database answers, which alarms stand.

Nothing personal is in it.
"""

from datetime import datetime

import structlog
from django.utils import timezone

from calls import alarms
from calls.alerting import shown as alerts
from calls.alerting.shown import Counts
from telephony import spool
from telephony.away import DATABASE, Away
from telephony.spool import Waiting

logger = structlog.get_logger()


def spooled() -> Waiting | None:
    """What waits on this machine's disk; None if it cannot be read."""
    try:
        return spool.waiting()
    except OSError as error:
        logger.error("spool_unreadable", error=error.strerror or type(error).__name__)
        return None


def metrics() -> str:
    """Prometheus' text format."""
    try:
        raised: dict[str, int] | None = DATABASE.ask(alarms.count_open)
        hooks: dict[str, int] | None = DATABASE.ask(alarms.hooks)
        alerted: Counts | None = DATABASE.ask(alerts.counts)
    except Away:
        raised = hooks = alerted = None
    return written(spooled(), raised, timezone.now(), hooks, alerted)


def written(
    waits: Waiting | None,
    raised: dict[str, int] | None,
    now: datetime,
    hooks: dict[str, int] | None = None,
    alerted: Counts | None = None,
) -> str:
    """Pure. `raised`, `hooks` and `alerted` are None while the database is away: what is not known is left out, it is not 0."""
    age_s = max(0.0, (now - waits.oldest_at).total_seconds()) if waits and waits.oldest_at else 0.0
    rows: list[tuple[str, str, dict[str, float]]] = [
        ("voiceagents_database_away", "1 while Postgres does not answer; webhooks are spooled.", {"": float(raised is None)}),
    ]
    if waits is not None:
        rows += [
            ("voiceagents_webhooks_spooled", "Deliveries on this machine's disk that wait for Postgres.", {"": waits.deliveries}),
            ("voiceagents_webhooks_spooled_bytes", "Their size.", {"": waits.size_bytes}),
            ("voiceagents_webhooks_spooled_oldest_seconds", "How long the oldest has been waiting.", {"": round(age_s, 1)}),
            ("voiceagents_webhooks_refused", "Deliveries put aside because Postgres will never take them.", {"": waits.refused}),
        ]
    if raised is not None:
        rows.append(("voiceagents_alarms_open", "Alarms that nobody has cleared.", {f'{{kind="{kind}"}}': n for kind, n in raised.items()}))
    if hooks is not None:
        rows += [
            ("voiceagents_webhook_endpoints_failing", "Endpoints whose last tries failed.", {"": hooks["failing"]}),
            ("voiceagents_webhook_deliveries_waiting", "Outgoing messages that have not arrived yet.", {"": hooks["waiting"]}),
        ]
    if alerted is not None:
        unseen: dict[str, float] = {
            f'{{rule="{rule}",kind="{kind}",state="{state}"}}': n for (rule, kind, state), n in alerted.open.items()
        }
        rows.append(("voiceagents_alerts_open", "Alerts that stand, by rule and by whether somebody looks after them.", unseen))
        if alerted.judged_at is not None:
            waited_s = max(0.0, (now - alerted.judged_at).total_seconds())
            words = "How long ago the active rule that waits longest was judged; each is once a minute."
            rows.append(("voiceagents_alerts_judged_seconds", words, {"": round(waited_s, 1)}))
    told = []
    for name, words, values in rows:
        told.append(f"# HELP {name} {words}\n# TYPE {name} gauge\n")
        told += [f"{name}{label} {value:g}\n" for label, value in values.items()]
    return "".join(told)
