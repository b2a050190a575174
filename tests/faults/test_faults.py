"""Six parties, fifteen faults: whatever breaks, nobody hears silence for long, the call ends with a reason, and its rows are whole.

Everything runs on a clock of its own (see `rig`): the figures are what our deadlines allow, on any machine.
"""

import pytest
from django.contrib.auth.models import User
from django.db import connections

from agents.models import Agent
from calls.models import CallEvent, Session, Turn, UsageLine
from engine.events import EndReason
from telephony.models import Phone
from tests.faults import rig
from tests.faults.warped_loop import WarpedLoop
from tests.faults.wires import FAULTS
from tests.providers.exotel import payloads

pytestmark = pytest.mark.django_db(transaction=True)

SILENCE_LIMIT_MS = 5000
# Faults after which the party is of no use at all; the others only slow it down or pass.
LETHAL = {"refused", "reset at connect", "closed at connect", "accepts and says nothing", "answers garbage"}
GENTLE = {"answers late", "every answer slow", "drips", "first connection dies"}
# What we say does not arrive though everything else does: nothing tells us, so it is judged by what was said into the dead line.
UNHEARD = {("exotel", "stalls midway")}
# A caller whose words the line swallows says nothing, for all we know, and is asked after as long as the agent's setting has it.
ASKS_AFTER_S = {"exotel": 4}


@pytest.mark.parametrize(("party", "fault"), [(party, fault) for party in rig.PARTIES for fault in FAULTS])
def test_nobody_is_left_in_silence(party, fault, transactional_db, tmp_path, settings, monkeypatch):
    owner = User.objects.create_user("meera", password="a long password")
    asks_after_s = ASKS_AFTER_S.get(party, 10)
    agent = Agent.objects.create(
        owner=owner, name=f"{party}: {fault}", prompt="You answer.", first_message="Hello.", silence_timeout_s=asks_after_s
    )
    Phone.objects.create(number=payloads.EXOPHONE, agent=agent)
    rig.remember(agent)
    stage = rig.Stage(party, FAULTS[fault], payloads.EXOPHONE, WarpedLoop(), tmp_path, monkeypatch, settings)
    life = rig.played(stage)
    connections.close_all()
    problems = list(wrong(party, fault, life, agent))
    assert not problems, "\n".join(problems)


def wrong(party, fault, life, agent):
    """What is not as it must be after the call."""
    report, session = life.call.report, Session.objects.filter(agent=agent).first()
    silence_ms = rig.longest_silence_ms(report, life)
    if (party, fault) in UNHEARD:
        said = Turn.objects.filter(session=session).values_list("started_ms", "ended_ms")
        silence_ms = rig.longest_gap_ms(said, 0, max(ended for _, ended in said))
    if silence_ms > SILENCE_LIMIT_MS:
        yield f"{silence_ms:.0f} ms of silence"
    if session is None:
        if party != "exotel":
            yield "no session"
        elif report.agent:
            yield "a talk without a session"
        return
    if session.state != "ended" or session.end_reason not in set(EndReason):
        yield f"the session is {session.state} with the reason {session.end_reason!r}"
    turns = list(Turn.objects.filter(session=session).order_by("number"))
    if report.agent and not any(turn.speaker == "agent" for turn in turns):
        yield "the caller heard the agent and no row tells of it"
    if drafts := [turn.number for turn in turns if turn.text and turn.ended_ms <= turn.started_ms]:
        yield f"turns {drafts} are unfinished"
    if any("ten" in turn.text for turn in turns if turn.speaker == "agent"):
        used = set(UsageLine.objects.filter(session=session).values_list("kind", flat=True))
        if not used >= {"llm", "tts"}:
            yield f"an answer was heard and only {sorted(used)} counted"
    if party in ("stt", "llm", "tts") and fault in LETHAL:
        # Without its voice the agent still takes its leave with the sentences that it has in memory.
        if session.end_reason != "provider-failed" and party != "tts":
            yield f"ended as {session.end_reason} though its {party} was of no use"
        if not CallEvent.objects.filter(session=session, kind="provider-failed").exists():
            yield "no event names the provider that failed"
    if fault in GENTLE and session.end_reason != "agent-goodbye":
        yield f"ended as {session.end_reason} though its {party} was only slow"
    if party in ("postgres", "valkey"):
        if session.end_reason != "agent-goodbye":
            yield f"ended as {session.end_reason}: a {party} that is away must not be felt"
        spoken = [turn.text.strip(".?! ").lower() for turn in turns]
        if spoken != ["hello", "time", "it is ten", "bye", "bye"]:
            yield f"its turns are {spoken}"
