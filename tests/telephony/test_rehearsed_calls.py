"""Rehearsals by voice: through the real media door, with the simulated vendors on their own wires, in real time."""

import threading
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections

from calls.jobs import run_job
from calls.models import Attempt, CallEvent, Job, RehearsalResult, Session, UsageLine
from calls.rehearsing import runs
from calls.rehearsing.lines import EveryLineIsBusy, NoLine
from simulator.app import build_app
from simulator.replies import parse
from simulator.state import SimulatorState
from telephony import media
from telephony.telephone import Telephone, call_agent
from tests.calls import made_calls as made
from tests.calls.rehearsing.test_runs import scenario
from tests.telephony.servers import eventually, serving

State = RehearsalResult.State
CLINIC, CALLER = "You answer the phone of a clinic.", "You play a person on the telephone"
KEYS = {"name": "collect_digits", "arguments": {"secret": False, "length": 2, "timeout_s": 60}}
TALK: list[dict[str, Any]] = [
    {"prompt": CLINIC, "heard": "(?i)bye", "say": "Goodbye.", "tool": {"name": "end_call"}},
    {"prompt": CLINIC, "heard": "(?i)tuesday", "say": "Press.", "tool": KEYS, "after_tool": "Booked."},
    {"prompt": CLINIC, "heard": "", "say": "Which day?"},
    {"prompt": CALLER, "heard": "(?i)press keys", "say": "[keys 42]"},
    {"prompt": CALLER, "heard": "(?i)booked", "say": "Bye. [hang up]"},
    {"prompt": CALLER, "heard": "(?i)which", "say": "Tuesday."},
    {"prompt": CALLER, "heard": "", "say": "Hello."},
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
            agent = made.agent_of(made.operator(), first_message="Clinic.")
            agent.collects_digits, agent.silence_timeout_s = True, 60  # a slow machine's caller thinks for long
            agent.save()
            yield agent
    connections.close_all()


def test_a_scenario_is_called_spoken_with_and_graded(clinic):
    wishes = "says: booked\ntool called: collect_digits\nended by: agent\nwithin: 400 seconds\nanswers within: 60 seconds"
    scenario(clinic, f"{wishes}\nsays: a unicorn", by_voice=True)
    result = held(runs.begin_run(clinic, by=clinic.owner)).results[0]
    said = list(result.session.turns.values_list("speaker", "text"))
    assert [verdict["passed"] for verdict in result.verdicts] == [True, True, True, True, True, False], (result.problem, said)
    assert (result.state, result.problem, result.by_voice) == (State.FAILED, "", True)
    caller = ["Hello.", "Tuesday.", "Bye."]
    assert [text for speaker, text in said if speaker == "caller"] == caller, "heard by the agent's own recogniser"

    session = Session.objects.select_related("call_log").get(pk=result.session_id)
    log = session.call_log
    assert (log.is_test, log.status, log.call_sid, log.ended_by, log.confirmation) == (True, "completed", None, "agent", "confirmed")
    assert result.lasted_ms and log.talk_s is not None and abs(log.talk_s - result.lasted_ms / 1000) < 5
    events = dict(CallEvent.objects.filter(session=session).values_list("kind", "facts"))
    assert {"voice-test-opened", "audio-offered", "stream-started", "key-pressed", "test-over"} <= set(events)
    back, _, sent = events["turn-played"]["marks"].partition(" of ")
    assert int(back) > 0 and sent.startswith(back), "each mark came back"
    spoken = UsageLine.objects.filter(session=session, kind="tts", purpose="caller")
    assert sum(spoken.values_list("quantity", flat=True)) == sum(map(len, caller))
    assert not UsageLine.objects.filter(session=session, kind="tts", purpose="", provider=spoken[0].provider).exists(), "another voice"
    assert Attempt.objects.filter(job__session=session, outcome="ok").count() == len(caller) * 2 + 1
    assert set(Job.objects.filter(session=session).values_list("kind", flat=True)) == {"calls.rehearse", "calls.account"}


def test_stopping_hangs_up(clinic):
    clinic.first_message = "Good morning and welcome to the clinic of Doctor Asha Rao in Bengaluru, how can I help you today?"
    clinic.save()
    scenario(clinic, by_voice=True)
    run = runs.begin_run(clinic, by=None)
    holding = threading.Thread(target=_held_aside, args=(run,))
    holding.start()
    try:
        assert eventually(lambda: Session.objects.filter(rehearsal__run=run, state="active").exists())
        assert runs.stop_run(run)
    finally:
        holding.join(120)
    result = run.results.select_related("session").get()
    assert (result.state, result.session.state, result.session.end_reason) == (State.STOPPED, "ended", "caller-hangup")


def test_a_full_house_is_waited_for_and_a_used_token_opens_nothing(clinic, settings):
    (result,) = runs.begin_run(clinic, by=None, scenarios=[scenario(clinic, by_voice=True)]).results.select_related("session", "run")
    cache.set("media-processes", ["one"], 60)
    cache.set("media-room:one", 0, 60)
    held(result.run)
    result.refresh_from_db()
    job = Job.objects.get(session=result.session)
    assert (result.state, job.state, job.last_error) == (State.WAITING, "queued", EveryLineIsBusy.message)
    cache.clear()
    line = call_agent(result.session)
    assert eventually(lambda: Session.objects.filter(pk=result.session_id, state="active").exists())
    with pytest.raises(NoLine, match="refused the call"):
        Telephone(line._address, result.session.session_id).open()
    line.close()
    assert eventually(lambda: Session.objects.filter(pk=result.session_id, state="ended").exists())


def held(run) -> runs.Progress:
    for job in Job.objects.filter(session__rehearsal__run=run, kind="calls.rehearse"):
        run_job(job.pk, job.kind, runs.rehearse, runs.MOST_TRIES)
    return runs.progress(run)


def _held_aside(run) -> None:
    try:
        held(run)
    finally:
        connections.close_all()
