"""The Celery application and its beat table. Tasks are found in each app's tasks.py."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voiceagents.settings")

app = Celery("voiceagents")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["calls.outgoing", "calls.alerting", "calls.analytics"])


@app.on_after_finalize.connect
def _beat_table(sender: Celery, **_: object) -> None:
    """Everything periodic, in one place. A beat that misses a tick is repaired by the next one."""
    from django.conf import settings

    sender.conf.beat_schedule = {
        "sweep-jobs": {"task": "calls.sweep_jobs", "schedule": settings.JOB_SWEEP_S},
        "sweep-webhooks": {"task": "calls.sweep_webhooks", "schedule": settings.JOB_SWEEP_S},
        "judge-alerts": {"task": "calls.judge_alerts", "schedule": 60},
        "sweep-alert-mails": {"task": "calls.sweep_alert_mails", "schedule": settings.JOB_SWEEP_S},
        "forget-alerts": {"task": "calls.forget_alerts", "schedule": 3600},
        "sweep-sessions": {"task": "calls.sweep_sessions", "schedule": 15},
        "tidy-recordings": {"task": "calls.tidy_recordings", "schedule": 3600},
        "sweep-overruns": {"task": "telephony.sweep_overruns", "schedule": 30},
        "apply-deliveries": {"task": "telephony.apply_deliveries", "schedule": settings.JOB_SWEEP_S},
        "empty-spool": {"task": "telephony.empty_spool", "schedule": settings.JOB_SWEEP_S},
        "prepare-sentences": {"task": "agents.prepare_sentences", "schedule": settings.PREPARE_S},
        "meter-handed-over": {"task": "calls.meter_handed_over", "schedule": 30},
        "release-reservations": {"task": "calls.release_reservations", "schedule": 600},
        "keep-rollups": {"task": "calls.keep_rollups", "schedule": 60},
        "account-storage": {"task": "calls.account_storage", "schedule": 600},
        "forget-answers": {"task": "access.forget_answers", "schedule": 3600},
        "reconcile-calls": {"task": "telephony.reconcile_calls", "schedule": settings.RECONCILE_S},
    }
