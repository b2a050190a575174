"""Calls whose talk is over and whose settlement is still to come, made through the commands that real calls go through."""

import io
import itertools
import wave
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.utils import timezone

from agents.models import Agent
from calls import commands
from calls.models import CallLog, Session
from engine.usage import Unit, UsageKind, UsageRecord
from simulator.speech.tones import write
from telephony.models import Phone
from torture.gate import File, Gate
from torture.ground import NUMBER

PRICE = Decimal("1.20")
_number = itertools.count(1)


def agent(name: str = "Torture", number: str = NUMBER, **fields: object) -> Agent:
    """An agent of the one operator there is, with a phone of its own."""
    owner, _ = get_user_model().objects.get_or_create(username="torture")
    found = Agent.objects.filter(owner=owner, name=name).first()
    if found is None:
        values = {"prompt": "You answer the phone.", "first_message": "Hello.", "language": "en-US", **fields}
        found = Agent.objects.create(owner=owner, name=name, **values)
        Phone.objects.get_or_create(number=number, defaults={"agent": found, "active": True})
    return found


def words_of(session: Session) -> str:
    """What is said in this call's recording and in no other's."""
    return f"caller {session.pk:06d} speaks"


def stereo(text: str, rate_hz: int = 8000) -> bytes:
    """A WAV file with the caller on the left and silence on the right."""
    mono = write(text, rate_hz)
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(2)
        target.setsampwidth(2)
        target.setframerate(rate_hz)
        target.writeframes(b"".join(mono[at : at + 2] + b"\0\0" for at in range(0, len(mono), 2)))
    return file.getvalue()


def over(agent: Agent, gate: Gate, *, file: File | None = None, url: str = "", mark: bytes = b"", minutes_ago: int = 0) -> Session:
    """A call that is over and priced by the carrier. Its recording comes next: `file`, or a sound one with `mark` behind its sound."""
    number = next(_number)
    session = commands.open_call(
        agent_version=agent.current_version,
        direction="inbound",
        user_phone=f"+9198{number:08d}",
        agent_phone=NUMBER,
        call_sid=uuid4().hex,
    )
    now = timezone.now() - timedelta(minutes=minutes_ago)
    CallLog.objects.filter(session=session).update(answered_at=now - timedelta(seconds=84), status="in-progress")
    commands.add_turn(session=session, number=1, speaker="caller", text=words_of(session), started_ms=0, ended_ms=3000)
    commands.add_turn(session=session, number=2, speaker="agent", text="I see.", started_ms=3800, ended_ms=5000)
    records = [
        UsageRecord(UsageKind.STT, "deepgram", "nova-3", Unit.AUDIO_MS, 84_000, f"stt-{number}"),
        UsageRecord(UsageKind.LLM, "openai", "gpt-6-luna", Unit.INPUT_TOKENS, 1204, f"llm-{number}"),
        UsageRecord(UsageKind.TTS, "elevenlabs", "eleven_flash_v2_5", Unit.CHARACTERS, 642, f"tts-{number}"),
    ]
    commands.add_usage(session.session_id, records)
    commands.end_session(session.session_id, reason="caller-hangup", at=now)
    name = f"{session.session_id}.wav"
    gate.files[name] = file or File(stereo(words_of(session)) + mark, headers={"content-type": "audio/x-wav"})
    report = commands.CarrierReport(
        status="completed",
        ended_at=now,
        duration_s=84,
        price=PRICE,
        currency="INR",
        recording_url=url or f"{gate.url}/recordings/{name}",
    )
    commands.apply_carrier_report(session=session, report=report, source="carrier", key=f"made:{number}")
    # The simulator knows nothing of this call: it is not to be asked.
    CallLog.objects.filter(session=session).update(poll_after=None)
    return session
