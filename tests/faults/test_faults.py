"""Six parties, fifteen faults: whatever breaks, nobody hears silence for long, the call ends with a reason, and its rows are whole."""

import threading

import httpx
import pytest
from django.contrib.auth.models import User
from django.db import connections

from calls import conductor
from calls.models import CallEvent, Session, Turn, UsageLine
from engine.events import EndReason
from simulator.app import build_app
from simulator.state import SimulatorState
from tests.faults import rig
from tests.faults.wires import Wires
from tests.telephony.servers import eventually, serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

# A quarter of the real deadlines and half of the five seconds: the rest is room for a busy machine.
SILENCE_LIMIT_MS = 2500
# Faults after which the party is of no use at all; the others only slow it down or pass.
LETHAL = {"refused", "reset at connect", "closed at connect", "accepts and says nothing", "answers garbage"}
GENTLE = {"answers late", "every answer slow", "drips"}
# On the line itself, in one direction: what we say, or that we closed, does not arrive, and only the carrier could notice sooner.
UNHEARD = {("exotel", "stalls midway"), ("exotel", "stops reading midway")}


@pytest.mark.parametrize("party", rig.PARTIES)
def test_nobody_is_left_in_silence(party, transactional_db, tmp_path, settings, monkeypatch):
    owner = User.objects.create_user("meera", password="a long password")
    state = SimulatorState(scratch=tmp_path)
    with serving(build_app(state)) as port, serving(rig.application) as media_port, Wires() as wires:
        root = f"http://127.0.0.1:{port}"
        with rig.staged(party, wires, root, media_port, settings, monkeypatch, owner) as cases:
            phones = [
                {"number": case.number, "voicebot_url": rig.voicebot_url(case, case.wire.port if party == "exotel" else media_port)}
                for case in cases.values()
            ]
            changes = {"exophones": phones, "handshake_timeout_s": 0.7, "handshake_retries": 1, "public_url": root}
            httpx.post(f"{root}/control/settings", json={"exotel": changes}).raise_for_status()
            if party in ("postgres", "valkey"):
                healing = threading.Timer(4.0, wires.heal_all)
                healing.start()
            rig.call_all(root, cases)
            assert eventually(lambda: conductor.load().calls == 0, 30), "a conversation never came to its end"
    connections.close_all()
    problems = [f"{party}, {case.fault}: {problem}" for case in cases.values() for problem in wrong(party, case)]
    assert not problems, "\n".join(problems)


def wrong(party, case):
    """What is not as it must be after one call."""
    report = case.report
    silence_ms = rig.longest_silence_ms(report)
    if silence_ms > SILENCE_LIMIT_MS and (party, case.fault) not in UNHEARD:
        yield f"{silence_ms:.0f} ms of silence"
    session = Session.objects.filter(agent__name=case.fault).first()
    if session is None:
        if party != "exotel":
            yield "no session"
        elif report["agent"]:
            yield "a talk without a session"
        return
    if session.state != "ended" or session.end_reason not in set(EndReason):
        yield f"the session is {session.state} with the reason {session.end_reason!r}"
    turns = list(Turn.objects.filter(session=session).order_by("number"))
    if report["agent"] and not any(turn.speaker == "agent" for turn in turns):
        yield "the caller heard the agent and no row tells of it"
    if drafts := [turn.number for turn in turns if turn.ended_ms <= turn.started_ms]:
        yield f"turns {drafts} are unfinished"
    if any("ten" in turn.text for turn in turns if turn.speaker == "agent"):
        used = set(UsageLine.objects.filter(session=session).values_list("kind", flat=True))
        if not used >= {"llm", "tts"}:
            yield f"an answer was heard and only {sorted(used)} counted"
    if party in ("stt", "llm", "tts") and case.fault in LETHAL:
        # Without its voice the agent still takes its leave with the sentences that it has in memory.
        if session.end_reason != "provider-failed" and party != "tts":
            yield f"ended as {session.end_reason} though its {party} was of no use"
        if not CallEvent.objects.filter(session=session, kind="provider-failed").exists():
            yield "no event names the provider that failed"
    if case.fault in GENTLE and session.end_reason != "agent-goodbye":
        yield f"ended as {session.end_reason} though its {party} was only slow"
    if party in ("postgres", "valkey"):
        if session.end_reason != "agent-goodbye":
            yield f"ended as {session.end_reason}: a {party} that is away must not be felt"
        spoken = [turn.text.strip(".?! ").lower() for turn in turns]
        if spoken != ["hello", "time", "it is ten", "bye", "bye"]:
            yield f"its turns are {spoken}"
