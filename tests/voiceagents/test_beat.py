"""Periodic work goes on whatever becomes of the clock."""

from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery, current_app

from voiceagents.beat import SteadyScheduler

EVERY_S = {"often": 15, "seldom": 60}


@pytest.fixture
def clock():
    return [datetime(2026, 11, 22, 10, 0, tzinfo=UTC)]


@pytest.fixture
def beat(clock, tmp_path, monkeypatch):
    """A scheduler by this clock, and the names of what it sent."""
    app = Celery("beat", broker="memory://", set_as_current=False)
    app.conf.beat_schedule = {name: {"task": name, "schedule": every_s} for name, every_s in EVERY_S.items()}
    monkeypatch.setattr(Celery, "now", lambda _app: clock[0])
    scheduler = SteadyScheduler(app=app, schedule_filename=str(tmp_path / "schedule"))
    sent: list[str] = []
    monkeypatch.setattr(scheduler, "apply_async", lambda entry, **_: sent.append(entry.name))
    yield lambda seconds: go(scheduler, clock, sent, seconds)
    scheduler.close()


def go(scheduler, clock, sent, seconds):
    """What is sent while this time passes."""
    sent.clear()
    for _ in range(seconds):
        clock[0] += timedelta(seconds=1)
        while scheduler.tick() == 0:
            pass
    return {name: sent.count(name) for name in EVERY_S}


@pytest.mark.parametrize("moved", [timedelta(0), timedelta(hours=-1), timedelta(hours=1)])
def test_a_clock_that_is_moved_delays_nothing(beat, clock, moved):
    assert beat(125) == {"often": 8, "seldom": 2}
    clock[0] += moved
    found = beat(125)
    assert found["often"] in (8, 9) and found["seldom"] in (2, 3)


def test_the_product_beats_with_it():
    assert current_app.conf.beat_scheduler == "voiceagents.beat:SteadyScheduler"
