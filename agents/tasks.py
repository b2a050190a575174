"""What agents need done in the background. A door: nothing imports this room."""

from celery import shared_task

from agents import preparing


@shared_task(name="agents.prepare_sentences", expires=60)
def prepare_sentences() -> int:
    """Speaks beforehand what newly published agents say word for word; returns how many sentences were made."""
    return preparing.prepare()
