"""Rehearsals by voice: through the real media door, with the simulated vendors on their own wires, in real time."""

import threading

import pytest
from django.core.cache import cache
from django.db import connections
from django.utils import timezone

from calls.jobs import run_job
from calls.models import Attempt, CallLog, Job, RehearsalResult, Session, UsageLine
from calls.rehearsing import by_voice, runs
from calls.rehearsing.lines import NoLine
from simulator.app import build_app
from simulator.replies import parse
from simulator.state import SimulatorState
from telephony import media
from telephony.telephone import call_agent
from tests.calls import made_calls as made
from tests.calls.rehearsing.test_runs import scenario
from tests.telephony.servers import eventually, serving

State = RehearsalResult.State
CLINIC, CALLER = "You answer the phone of a clinic.", "You play a person on the telephone"
TALK = [
    {"prompt": CLINIC, "heard": "(?i)bye", "say": "Goodbye.", "tool": {"name": "end_call"}},
    {"prompt": CLINIC, "heard": "(?i)tuesday", "say": "Tuesday is booked."},
    {"prompt": CLINIC, "heard": "", "say": "Which day?"},
    {"prompt": CALLER, "heard": "(?i)booked", "say": "Bye. [hang up]"},
    {"prompt": CALLER, "heard": "(?i)which", "say": "Tuesday."},
    {"prompt": CALLER, "heard": "", "say": "Hello there."},
]


@pytest.fixture
def clinic(tmp_path, settings, transactional_db):
    """An agent, and the door through which it is called."""
    state = SimulatorState(scratch=tmp_path)
    state.change_settings({"llm_first_token_ms": 0, "llm_token_gap_ms": 0})
    state.replies.push(parse(TALK))
    with serving(build_app(state)) as port:
        settings.OPENAI_BASE_URL = f"http://127.0.0.1:{port}/openai/v1"
        settings.DEEPGRAM_BASE_URL = f"http://127.0.0.1:{port}/deepgram"
        settings.ELEVENLABS_BASE_URL = f"http://127.0.0.1:{port}/elevenlabs"
        with serving(media.application, lifespan="on") as door:
            settings.REHEARSE_MEDIA_URL = f"ws://127.0.0.1:{door}"
            yield made.agent_of(made.operator(), first_message="Clinic.")
    connections.close_all()


def held(run) -> runs.Progress:
    for job in Job.objects.filter(session__rehearsal__run=run, kind="calls.rehearse"):
        run_job(job.pk, job.kind, runs.rehearse, runs.MOST_TRIES)
    return runs.progress(run)


def test_a_scenario_is_called_spoken_with_and_graded(clinic):
    scenario(clinic, "says: Tuesday is booked\nended by: agent\nwithin: 120 seconds\nanswers within: 60 seconds", by_voice=True)
    result = held(runs.begin_run(clinic, by=clinic.owner)).results[0]
    print(result.problem, result.verdicts, list(result.session.turns.values_list("number", "speaker", "text")))
    assert (result.state, result.problem, result.by_voice) == (State.PASSED, "", True)
