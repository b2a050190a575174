"""What access needs done in the background. A door: nothing imports this room."""

from celery import shared_task

from access import once


@shared_task(name="access.forget_answers", expires=3600)
def forget_answers() -> int:
    """Deletes the kept answers whose day is over; returns how many."""
    return once.forget_old()
