"""Calls for the dashboard's tests, made through the commands that real calls go through."""

import itertools
from datetime import date, timedelta
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone

from agents.models import Agent
from calls import commands
from calls.models import CallLog, PriceOverride, Session
from engine.events import TurnLatency
from engine.usage import Unit, UsageKind, UsageRecord

_number = itertools.count(1)
PASSWORD = "correct horse battery staple"


def operator(name: str = "", *, superuser: bool = False):
    name = name or f"operator{next(_number)}"
    make = get_user_model().objects.create_superuser if superuser else get_user_model().objects.create_user
    return make(username=name, password=PASSWORD)


# What people who set agents up have; the admin gives it by the kind of row, and so does the API ask.
KINDS_OF_OPERATORS = ("agent", "destination", "httptool", "phone", "webhookendpoint", "budget")


def allowed(user, *names: str):
    """The user with these permissions of calls, agents and phones, read anew."""
    rooms = ("calls", "agents", "telephony")
    user.user_permissions.add(*Permission.objects.filter(codename__in=names, content_type__app_label__in=rooms))
    return get_user_model().objects.get(pk=user.pk)


def operating(user, *more: str):
    """The user as an operator who makes, changes and deletes what is their own, with whatever else they may; no superuser."""
    return allowed(user, *more, *(f"{deed}_{kind}" for deed in ("add", "change", "delete") for kind in KINDS_OF_OPERATORS))


def agent_of(owner, name: str = "Clinic reception", **fields) -> Agent:
    """An agent whose calls are not read by a language model afterwards, unless the test is about that."""
    fields = {"analyse_calls": False, **fields}
    return Agent.objects.create(owner=owner, name=name, prompt="You answer the phone of a clinic.", **{"first_message": "Hello!", **fields})


def ringing_call(agent: Agent, *, user_phone: str = "+919876543212", direction: str = "inbound") -> Session:
    return commands.open_call(
        agent_version=agent.current_version,
        direction=direction,
        user_phone=user_phone,
        agent_phone="+918047112233",
        call_sid=f"sid{next(_number):08}",
    )


def talking_call(agent: Agent, **how) -> Session:
    session = ringing_call(agent, **how)
    token_id = commands.issue_media_token(session)
    claimed = commands.claim_media(token_id=token_id, call_sid=session.call_log.call_sid or "", stream_sid=f"stream{next(_number)}")
    assert claimed is not None
    return claimed


LATENCY = TurnLatency(endpointing_ms=310, llm_ms=280, tts_ms=150, total_ms=790)


def exchange(session: Session, number: int, caller: str, agent: str, *, latency: TurnLatency = LATENCY, generated: str = "") -> None:
    """The caller says something and the agent answers, ten seconds per exchange; with `generated` the answer is interrupted."""
    at_ms = number * 10_000
    commands.add_turn(session=session, number=2 * number, speaker="caller", text=caller, started_ms=at_ms, ended_ms=at_ms + 3000)
    commands.add_turn(
        session=session,
        number=2 * number + 1,
        speaker="agent",
        text=agent,
        started_ms=at_ms + 3000 + latency.total_ms,
        ended_ms=at_ms + 9000,
        generated_text=generated,
        interrupted=bool(generated),
        latency=latency,
        silence_after_ms=130 if generated else None,
    )


def use(session: Session, key: str = "one", *, unpriced: bool = True) -> None:
    """What a conversation uses, in every unit; with `unpriced` also of a model that the price list does not know."""
    records = [
        UsageRecord(UsageKind.STT, "deepgram", "nova-3", Unit.AUDIO_MS, 84_000, f"stt-{key}"),
        UsageRecord(UsageKind.LLM, "openai", "gpt-6-luna", Unit.INPUT_TOKENS, 1204, f"llm-{key}"),
        UsageRecord(UsageKind.LLM, "openai", "gpt-6-luna", Unit.OUTPUT_TOKENS, 156, f"llm-{key}"),
        UsageRecord(UsageKind.TTS, "elevenlabs", "eleven_flash_v2_5", Unit.CHARACTERS, 642, f"tts-{key}"),
    ]
    if unpriced:
        records.append(UsageRecord(UsageKind.LLM, "openai", "a-model-nobody-priced", Unit.OUTPUT_TOKENS, 12, f"odd-{key}"))
    commands.add_usage(session.session_id, records)


def override(*, kind: str = "llm", provider: str = "openai", model: str, unit: str, price: str, **how) -> PriceOverride:
    """An operator's own price, for ever unless `how` says otherwise."""
    facts = {"currency": "USD", "effective_from": date(2020, 1, 1), "reason": "our contract", "by": None, **how}
    return commands.add_price_override(kind=kind, provider=provider, model=model, unit=unit, price=Decimal(price), **facts)


def tariff(price: str = "0.60", *, model: str = "*", **how) -> PriceOverride:
    """What the line costs, in started minutes."""
    facts = {"per": 60, "pulse": 60, "currency": "INR", **how}
    return override(kind="telephony", provider="carrier", model=model, unit="call_seconds", price=price, **facts)


def end(session: Session, *, reason: str = "caller-hangup", lasted_s: int = 84) -> None:
    """The conversation ends, and the carrier reports how long the call lasted and what it charges."""
    now = timezone.now()
    CallLog.objects.filter(session=session).update(answered_at=now - timedelta(seconds=lasted_s))
    commands.end_session(session.session_id, reason=reason, at=now)
    report = commands.CarrierReport(status="completed", ended_at=now, duration_s=lasted_s, price=Decimal("1.20"), currency="INR")
    commands.apply_carrier_report(session=session, report=report, source="carrier", key=f"status:{session.session_id}")
