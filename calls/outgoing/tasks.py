"""The doors of the worker that sends webhooks: one delivery, and the sweep that repairs what died. Nothing imports this room.

They have a queue and a worker of their own (`webhooks`): an endpoint that takes its time holds up no recording and no dial.
"""

from datetime import timedelta

import structlog
from celery import shared_task
from django.conf import settings

from calls import dispatch
from calls.outgoing.announcing import DELIVER
from calls.outgoing.sending import deliver, due_deliveries

logger = structlog.get_logger()

_SWEEP_LIMIT = 500


@shared_task(name=DELIVER)
def deliver_webhook(delivery_pk: int) -> None:
    deliver(delivery_pk)


@shared_task(name="calls.sweep_webhooks", expires=60)
def sweep_webhooks() -> int:
    """Nudges every delivery that nobody works on although it is due; returns how many."""
    late = due_deliveries(_SWEEP_LIMIT, late_by=timedelta(seconds=settings.JOB_SWEEP_S))
    nudged = sum(dispatch.nudge(DELIVER, delivery_pk) for delivery_pk in late)
    if late:
        logger.info("webhooks_swept", found=len(late), nudged=nudged)
    return nudged
