"""Wiring: settings, URLs, routing, the Celery application. No behaviour lives here."""

from voiceagents.celery import app as celery_app

__all__ = ["celery_app"]
