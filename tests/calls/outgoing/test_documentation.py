"""docs/webhooks.md is a promise to other people's programs: its example has the shape that is sent, and its receiver works."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from agents.models import Agent, AgentVersion
from calls import commands
from calls.models import Analysis, CallLog, OutgoingDelivery, Recording, Session
from calls.outgoing.payloads import MOST_BYTES, call_payload
from calls.outgoing.rules import RETRY_S, EventType
from calls.outgoing.sending import DEADLINE_MS, deliver
from engine.usage import Unit, UsageKind, UsageRecord
from tests.calls import made_calls as made
from tests.house.source import ROOT

pytestmark = pytest.mark.django_db
TEXT = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def shape(value: Any, name: str = "") -> Any:
    """Names and nothing else; what operators name themselves (currencies, extracted facts) has no shape."""
    if isinstance(value, dict) and name not in ("totals", "extraction"):
        return {key: shape(item, key) for key, item in value.items()}
    return None


def test_the_example_has_the_shape_that_is_sent_and_the_documented_receiver_takes_it(hooks, agent, endpoint):
    made.talking_call(agent)
    deliver(OutgoingDelivery.objects.get().pk)
    taken = hooks.taken[0]
    code: dict[str, Any] = {}
    exec(block("python"), code)
    said = code["verified"](endpoint.secret, taken.body, taken.headers)
    assert said["data"]["session_id"].startswith("sess_")
    assert shape(said) == shape(json.loads(block("json")))
    assert list(said["data"]) == list(json.loads(block("json"))["data"])
    assert code["verified"](endpoint.secret, taken.body + b" ", taken.headers) is None
    assert code["verified"]("whsec_" + "A" * 43 + "=", taken.body, taken.headers) is None


def test_the_example_is_what_the_code_says_of_that_call(settings):
    """The call of the example, with the uses and the carrier's price that lead to its cost: word for word, figure for figure."""
    settings.WEBHOOK_BASE_URL = "https://voice.example.com"
    example = json.loads(block("json"))
    said = example["data"]
    day, owner = datetime(2026, 11, 22, 7, 44, tzinfo=UTC), made.operator()
    agent = Agent.objects.create(pk=said["agent"]["id"], owner=owner, name="Clinic reception", prompt="You answer.", first_message="Hello!")
    version = AgentVersion.objects.create(agent=agent, number=12, spec=agent.current_version.spec)
    session = Session.objects.create(
        session_id=said["session_id"],
        owner=owner,
        agent=agent,
        agent_version=version,
        user_phone=said["from"],
        agent_phone=said["to"],
        state="ended",
        end_reason="caller-hangup",
        created_at=day + timedelta(seconds=5, milliseconds=120),
        started_at=day + timedelta(seconds=6, milliseconds=310),
        ended_at=day + timedelta(seconds=90),
    )
    CallLog.objects.create(
        session=session,
        owner=owner,
        agent=agent,
        call_sid=said["call_sid"],
        direction="inbound",
        from_phone=said["from"],
        to_phone=said["to"],
        status="completed",
        started_at=day + timedelta(seconds=5),
        answered_at=day + timedelta(seconds=6, milliseconds=310),
        ended_at=day + timedelta(seconds=90),
        duration_s=84,
        carrier_price=Decimal("1.20"),
        carrier_currency="INR",
        ended_by="caller",
        confirmation="confirmed",
    )
    Recording.objects.create(session=session, state="stored", duration_ms=84_120, channels=2, transcript=[])
    Analysis.objects.create(
        session=session,
        summary="The caller booked an appointment for Monday.",
        outcome="achieved",
        sentiment="positive",
        extraction={"day": "Monday"},
        provider="openai",
        model="gpt-6-luna",
    )
    uses = [
        (UsageKind.STT, "deepgram", "nova-3", Unit.AUDIO_MS, 83_690, "stt"),
        (UsageKind.LLM, "openai", "gpt-6-luna", Unit.INPUT_TOKENS, 9_450, "llm"),
        (UsageKind.LLM, "openai", "gpt-6-luna", Unit.OUTPUT_TOKENS, 420, "llm"),
        (UsageKind.TTS, "elevenlabs", "eleven_flash_v2_5", Unit.CHARACTERS, 640, "tts"),
        (UsageKind.TRANSCRIPTION, "deepgram", "nova-3", Unit.AUDIO_MS, 84_120, "recording"),
        (UsageKind.TRANSCRIPTION, "deepgram", "nova-3", Unit.AUDIO_MS, 84_120, "recording:channel2"),
    ]
    commands.add_usage(session.session_id, [UsageRecord(*use) for use in uses])
    commands.account(session)
    session, log = Session.objects.get(), CallLog.objects.get()
    at = day + timedelta(minutes=8, seconds=10, milliseconds=412)
    assert call_payload(EventType.SETTLED, session, log, at) == example


def test_the_figures_in_the_text_are_those_of_the_code():
    words = [f"{s} s" if s < 60 else f"{s // 60} min" if s < 3600 else f"{s // 3600} h" for s in RETRY_S]
    assert f"after {', '.join(words[:-1])} and {words[-1]}" in TEXT
    assert f"within {DEADLINE_MS // 1000} seconds" in TEXT
    assert f"at most {MOST_BYTES // 1024} KB" in TEXT
