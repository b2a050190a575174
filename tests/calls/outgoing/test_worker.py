"""Who sends: a worker and a queue of their own, nudged without holding anybody up."""

from threading import Event

import pytest
from django.conf import settings

from calls import commands, dispatch
from calls.models import OutgoingDelivery
from calls.outgoing.announcing import DELIVER
from deploy.local import roles
from tests.calls import made_calls as made
from tests.house.source import ROOT
from voiceagents.celery import app


def test_the_queue_of_the_tasks_is_the_one_that_their_own_worker_serves():
    app.loader.import_default_modules()
    routes = settings.CELERY_TASK_ROUTES
    assert set(routes) == {DELIVER, "calls.sweep_webhooks", "calls.deliver_alert_mail", "calls.sweep_alert_mails"}
    assert set(routes) <= set(app.tasks)
    queues = {route["queue"] for route in routes.values()}
    assert len(queues) == 1
    serving = f"--queues {queues.pop()}"
    assert [role.name for role in roles.product() if serving in " ".join(role.command)] == ["hooks"]
    assert serving in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert "calls.sweep_webhooks" in {entry["task"] for entry in app.conf.beat_schedule.values()}


@pytest.mark.django_db
def test_a_broker_that_hangs_holds_up_no_call_at_its_start(agent, endpoint, monkeypatch, django_capture_on_commit_callbacks):
    asked, answers = Event(), Event()

    def hang(kind: str, row_id: int, wait_s: float = 0.0) -> bool:
        asked.set()
        return answers.wait(60)

    monkeypatch.setattr(dispatch, "nudge", hang)
    try:
        session = made.ringing_call(agent)
        token = commands.issue_media_token(session)
        with django_capture_on_commit_callbacks(execute=True):
            assert commands.claim_media(token_id=token, call_sid=session.call_log.call_sid or "", stream_sid="s1") is not None
        assert asked.wait(60)
        assert not answers.is_set()
        assert OutgoingDelivery.objects.get().state == "queued"
    finally:
        answers.set()
