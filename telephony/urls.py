"""Exotel's doors, mounted under `/api/v1/webhooks/exotel/`. Their paths are in flows and dashboards: they never change."""

from django.urls import path

from telephony import webhooks

urlpatterns = [
    path("incoming", webhooks.incoming),
    path("voicebot", webhooks.voicebot),
    path("status", webhooks.status),
    path("passthru", webhooks.passthru),
    path("after-stream", webhooks.after_stream),
    path("connect", webhooks.connect),
    path("recording/<str:session_id>", webhooks.recording),
]
