"""The doors of the workers for alerts: judging, and mails. Nothing imports this room.

Mails go through the queue of the worker that speaks to strangers (`webhooks`): a mail server that takes its time holds up no recording.
"""

from datetime import timedelta

import structlog
from celery import shared_task
from django.conf import settings

from calls import dispatch
from calls.alerting.forgetting import forget
from calls.alerting.mailing import deliver, due_mails
from calls.alerting.telling import DELIVER
from calls.alerting.watching import judge_all

logger = structlog.get_logger()

_SWEEP_LIMIT = 200


@shared_task(name="calls.judge_alerts", expires=55)
def judge_alerts() -> int:
    """Judges every rule; returns how many alerts fired."""
    told = judge_all()
    if told.fired or told.ended or told.failed or told.left:
        logger.info("alerts_judged", rules=told.rules, fired=told.fired, ended=told.ended, failed=told.failed, left=told.left)
    return told.fired


@shared_task(name=DELIVER)
def deliver_alert_mail(mail_pk: int) -> None:
    deliver(mail_pk)


@shared_task(name="calls.sweep_alert_mails", expires=60)
def sweep_alert_mails() -> int:
    """Nudges every mail that nobody works on although it is due; returns how many."""
    late = due_mails(_SWEEP_LIMIT, late_by=timedelta(seconds=settings.JOB_SWEEP_S))
    nudged = sum(dispatch.nudge(DELIVER, mail_pk) for mail_pk in late)
    if late:
        logger.info("alert_mails_swept", found=len(late), nudged=nudged)
    return nudged


@shared_task(name="calls.forget_alerts", expires=3600)
def forget_alerts() -> int:
    """Removes alerts that are long over; returns how many rows."""
    if removed := forget():
        logger.info("alerts_forgotten", rows=removed)
    return removed
