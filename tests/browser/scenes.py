"""What the pages are looked at with: a normal morning at a clinic, and absurd rows that no page may break on."""

import hashlib
import time
from datetime import timedelta
from decimal import Decimal

import numpy as np
from django.contrib.auth.models import Permission
from django.utils import timezone

from agents.models import Agent
from calls import commands, queries
from calls.commands import Happened
from calls.models import CallEvent, CallLog, OutgoingDelivery, Recording, Session, Turn, Waveform, WebhookEndpoint, WebhookMessage
from calls.page import drawing
from engine.events import TurnLatency
from providers.exotel.times import to_stamp
from telephony import applying, inbox
from telephony.models import Phone
from telephony.spool import Spooled
from tests.calls import made_calls as made

BOOKING = [
    ("", "Namaste, this is Sunrise Clinic. How may I help you today?", ""),
    (
        "Hi, I would like to see Doctor Mehta, sometime early next week please.",
        "Certainly. Doctor Mehta is in on Monday and Wednesday. Would the morning suit you?",
        "",
    ),
    (
        "Monday is good, but after ten.",
        "Monday at ten thirty is free. Before I book it, I should mention",
        "Monday at ten thirty is free. Before I book it, I should mention that the consultation fee is eight hundred rupees, "
        "and that you can pay at the desk.",
    ),
    ("Yes yes, I know the fee. Please book it.", "Done. Monday at ten thirty with Doctor Mehta. Whose name shall I put it under?", ""),
    ("Ananya Krishnan.", "Thank you, Ananya. You will get a message with the details. Is there anything else?", ""),
]
HINDI = [
    ("", "नमस्ते, सनराइज़ क्लिनिक में आपका स्वागत है। मैं आपकी क्या मदद कर सकती हूँ?", ""),
    ("मुझे कल सुबह का अपॉइंटमेंट चाहिए, डॉक्टर मेहता के साथ।", "कल सुबह ग्यारह बजे का समय खाली है। क्या मैं इसे बुक कर दूँ?", ""),
    ("हाँ जी, please book कर दीजिए।", "ठीक है, कल सुबह ग्यारह बजे।", "ठीक है, कल सुबह ग्यारह बजे। आपका नाम क्या है?"),
]
REPORT = [
    ("", "Sunrise Clinic diagnostics, good morning.", ""),
    ("Good morning. Is my blood report ready?", "I can check that. What is the four digit number on your receipt?", ""),
]
APPOINTMENT = (
    {"doctor": "Mehta", "day": "Monday"},
    '{"free": ["10:30", "11:15"]}',
    "She is a regular: the fee is waived.",
    "Asks for mornings only. Put her on the list for cancellations.",
)
_LATENCIES = [(310, 260, 140, 740), (290, 420, 190, 930), (340, 300, 150, 820), (300, 210, 130, 660), (320, 900, 210, 1580)]


def talk(session: Session, script, *, started_s_ago: int) -> None:
    """Plays a script into the rows of a call that began a while ago. An empty caller's line: the agent speaks first."""
    Session.objects.filter(pk=session.pk).update(started_at=timezone.now() - timedelta(seconds=started_s_ago))
    CallLog.objects.filter(session=session).update(answered_at=timezone.now() - timedelta(seconds=started_s_ago))
    at_ms, number = 900, 0
    for index, (caller, agent, generated) in enumerate(script):
        latency = None
        if caller:
            number += 1
            long_ms = 900 + 55 * len(caller)
            commands.add_turn(session=session, number=number, speaker="caller", text=caller, started_ms=at_ms, ended_ms=at_ms + long_ms)
            latency = TurnLatency(*_LATENCIES[index % len(_LATENCIES)])
            at_ms += long_ms + latency.total_ms
        number += 1
        long_ms = 60 * len(agent)
        commands.add_turn(
            session=session,
            number=number,
            speaker="agent",
            text=agent,
            started_ms=at_ms,
            ended_ms=at_ms + long_ms,
            generated_text=generated,
            interrupted=bool(generated),
            latency=latency,
            silence_after_ms=118 if generated else None,
        )
        at_ms += long_ms + 400


def helped(session: Session, asked: dict[str, str], answered: str, note: str, noted: str = "") -> None:
    """The agent uses a tool, and somebody whispers to it, and writes something down for people."""
    run = commands.begin_tool_run(session.session_id, tool="find_appointment", arguments=asked, acts=False)
    assert run.run_id is not None
    commands.end_tool_run(run.run_id, state="done", result=answered)
    commands.whisper(session, text=note, by="asha")
    if noted:
        commands.add_note(session, text=noted, by=session.owner)


def help_then(session: Session, *, tool_s: float, whisper_s: float, note_s: float) -> None:
    """What was done beside a talk is put where it belongs in it: so many seconds after its beginning."""
    session.refresh_from_db()
    began = session.started_at or timezone.now()
    asked = began + timedelta(seconds=tool_s)
    session.tool_runs.update(started_at=asked, ended_at=asked + timedelta(milliseconds=340))
    whispered = began + timedelta(seconds=whisper_s)
    session.orders.update(created_at=whispered, taken_at=whispered + timedelta(seconds=1))
    session.notes.update(created_at=began + timedelta(seconds=note_s))


def stored_recording(session: Session) -> None:
    """Both sides on their channels, transcribed with the time of each word and drawn, as if the line added a little to every answer."""
    turns, late_ms = list(Turn.objects.filter(session=session)), 400
    lines = [_utterance(turn, late_ms + (180 if turn.speaker == "agent" else 0)) for turn in turns]
    digest = hashlib.sha256(session.session_id.encode()).hexdigest()
    row = {"state": Recording.State.STORED, "key": f"calls/{session.session_id}.mp3", "size_bytes": 384_120, "sha256": digest}
    told = {"transcript": lines, "alignment": queries.aligned(session, lines).to_json(), "channels": 2, "duration_ms": 84_000}
    Recording.objects.update_or_create(session=session, defaults={**row, **told})
    length_ms = max([line["end_ms"] for line in lines], default=0) + 1500
    loud = np.zeros((2, length_ms // drawing.STRETCH_MS + 1))
    waves = np.random.default_rng(7).gamma(2.0, 0.18, loud.shape[1]) * (0.6 + 0.4 * np.sin(np.arange(loud.shape[1]) / 3))
    for line in lines:
        said = slice(line["start_ms"] // drawing.STRETCH_MS, line["end_ms"] // drawing.STRETCH_MS)
        loud[line["channel"], said] = waves[said]
    peaks = np.clip(loud * 255, 2, 255).astype(np.uint8).tobytes()
    Waveform.objects.update_or_create(session=session, defaults={"channels": 2, "duration_ms": length_ms, "peaks": peaks})


def _utterance(turn: Turn, late_ms: int) -> dict:
    words, start_ms, end_ms = turn.text.split(), turn.started_ms + late_ms, turn.ended_ms + late_ms
    each_ms = (end_ms - start_ms) // max(len(words), 1)
    return {
        "channel": int(turn.speaker == "agent"),
        "start_ms": start_ms,
        "end_ms": end_ms,
        "text": turn.text,
        "confidence": 0.97,
        "words": [[start_ms + each_ms * at, start_ms + each_ms * (at + 1), word] for at, word in enumerate(words)],
    }


def settled_call(
    agent: Agent, script, *, minutes_ago: int, unpriced: bool = False, reason: str = "caller-hangup", lasted_s: int = 84, beside=(), **how
) -> Session:
    session = made.talking_call(agent, **how)
    talk(session, script, started_s_ago=lasted_s)
    if beside := beside or (APPOINTMENT if script is BOOKING else ()):
        helped(session, *beside)
        help_then(session, tool_s=15.6, whisper_s=23.5, note_s=33)
    made.use(session, key=session.session_id, unpriced=unpriced)
    made.end(session, reason=reason, lasted_s=lasted_s)
    stored_recording(session)
    commands.account(session)
    _move_back(session, minutes_ago)
    return session


def carrier_tells(session: Session) -> None:
    """What the carrier delivers about an ended call: news, copies of it, and news that is none any more."""
    now, sid = timezone.now(), session.call_log.call_sid or ""
    stamp = {name: to_stamp(now - timedelta(seconds=ago)) for name, ago in {"start": 90, "answer": 84, "end": 2, "told": 1}.items()}
    terminal = {"EventType": "terminal", "Status": "completed", "StartTime": stamp["start"], "EndTime": stamp["end"]}
    leg = {"Legs[0][Status]": "completed", "Legs[0][CauseCode]": "NORMAL_CLEARING", "ConversationDuration": "82"}
    told = [
        *[{**terminal, **leg, "DateUpdated": stamp["told"]}] * 3,
        {"EventType": "answered", "Status": "in-progress", "DateUpdated": stamp["answer"], "Legs[0][Status]": "in-progress"},
        {"Status": "ringing", "DateUpdated": stamp["answer"]},
    ]
    for params in told:
        params = {"CallSid": sid, **params}
        applying.apply(inbox.keep(Spooled(time.time_ns(), "status", "POST", "", params, sid)))


def told_elsewhere(session: Session, endpoint: WebhookEndpoint, *states: str, error: str = "") -> None:
    """What of a call was told to the operator's own systems, and how that went; "" is a message that no endpoint was on for."""
    for event, state in zip(("call.started", "call.ended", "call.settled"), states, strict=False):
        message = WebhookMessage.objects.create(owner_id=session.owner_id, session=session, type=event, body="{}")
        if state:
            tried = {"attempts": 10 if state == "dead" else 2, "last_error": "" if state == "delivered" else error}
            OutgoingDelivery.objects.create(message=message, endpoint=endpoint, state=state, **tried)


def _move_back(session: Session, minutes: int) -> None:
    then = timezone.now() - timedelta(minutes=minutes)
    Session.objects.filter(pk=session.pk).update(created_at=then)
    CallLog.objects.filter(session=session).update(created_at=then)


def failed_call(agent: Agent, *, minutes_ago: int, status: str, cause: str = "") -> Session:
    session = made.ringing_call(agent, direction="outbound", user_phone=f"+9198{minutes_ago:08}")
    report = commands.CarrierReport(status=status, ended_at=timezone.now(), duration_s=0, cause=cause, price=Decimal("0"), currency="INR")
    commands.apply_carrier_report(session=session, report=report, source="carrier", key=f"status:{status}")
    _move_back(session, minutes_ago)
    return session


def clinic_morning(owner) -> dict[str, Session]:
    """Four calls in progress, a dozen earlier ones."""
    made.tariff("0.60")
    commands.add_exchange_rate(base="USD", quote="INR", rate=Decimal("88.10"), on=timezone.localdate(), source="RBI", by=None)
    reception, hindi = made.agent_of(owner, "Clinic reception"), made.agent_of(owner, "रिसेप्शन (हिन्दी)", language="hi")
    reports, reminders = made.agent_of(owner, "Lab reports"), made.agent_of(owner, "Appointment reminders")
    Phone.objects.create(number="+918047112233", agent=reception)
    settled = settled_call(reception, BOOKING, minutes_ago=12)
    for index in range(8):
        agent, script = [(reception, BOOKING), (hindi, HINDI), (reports, REPORT)][index % 3]
        reason = ["caller-hangup", "agent-goodbye", "silence", "max-duration"][index % 4]
        phone = f"+91981{index:02}44{index:02}{10 + index}"
        settled_call(agent, script, minutes_ago=20 + 17 * index, reason=reason, lasted_s=40 + 31 * index, user_phone=phone)
    carrier_tells(settled)
    marks = [{"turn": number, "marks": "2 of 2 marks came back", "at_ms": number} for number in range(1, 6)]
    began = timezone.now() - timedelta(seconds=70)
    commands.record_talk([Happened(settled.pk, f"m{n}", "engine", "turn-played", began, facts) for n, facts in enumerate(marks)])
    endpoint = WebhookEndpoint.objects.create(owner=owner, url="https://crm.example.com/hooks", description="Practice software")
    told_elsewhere(settled, endpoint, "delivered", "dead", "queued", error="The endpoint answered 503: it failed. Its own log says why.")
    owner.user_permissions.set(Permission.objects.filter(codename="change_webhookendpoint"))
    failed_call(reminders, minutes_ago=31, status="busy")
    failed_call(reminders, minutes_ago=47, status="no-answer")
    failed = failed_call(
        reminders, minutes_ago=58, status="failed", cause="The carrier could not reach the number: switched off or out of coverage."
    )
    dialling = made.ringing_call(reminders, direction="outbound", user_phone="+919811122208")
    third = made.talking_call(reports, user_phone="+919900112267")
    talk(third, REPORT, started_s_ago=21)
    second = made.talking_call(hindi, user_phone="+918800445531")
    talk(second, HINDI, started_s_ago=48)
    first = made.talking_call(reception, user_phone="+919876543212")
    talk(first, BOOKING, started_s_ago=74)
    helped(first, *APPOINTMENT[:3])
    return {"live": first, "hindi": second, "dialling": dialling, "settled": settled, "failed": failed}


def absurd(owner) -> dict[str, Session]:
    """Names without a space, numbers withheld, sixty turns, words that are markup, an hour of talk."""
    agent = made.agent_of(
        owner, "Rajalakshmi-Venkataraghavan-Customer-Experience-Escalation-Desk-Chennai-Mylapore-and-surroundings-24x7-bilingual-v2"
    )
    script = [
        (
            f"{index}. " + "Donaudampfschifffahrtsgesellschaftskapitän" * 3
            if index % 9 == 4
            else f"{index}. <b>haan</b> & theek hai, ok? 🙏🏽 ہاں جی",
            "A" * 160 if index % 11 == 5 else "Right. " * (index % 30),
            "Right. " * 40 if index % 7 == 3 else "",
        )
        for index in range(1, 31)
    ]
    beside = ({"x" * 60: "<b>y</b>" * 80}, "Donaudampfschifffahrt" * 200, "W" * 600, "N" * 900)
    settled = settled_call(agent, script, minutes_ago=5, unpriced=True, user_phone="", lasted_s=3541, beside=beside)
    Recording.objects.filter(session=settled).update(state=Recording.State.EXPECTED)
    odd = {"cause": "<script>alert(1)</script>" * 6, "leg": 2}
    CallEvent.objects.create(session=settled, key="odd", source="carrier", kind="x" * 40, facts=odd)  # of another release
    off = {"active": False, "note": "Every try failed for 5 days. The last one: The endpoint answered 404: nothing is at this address."}
    endpoint = WebhookEndpoint.objects.create(owner=owner, url=f"https://{'sub.' * 40}example.com/", description="<i>x" + "y" * 116, **off)
    told_elsewhere(settled, endpoint, "dead", "", "dead", error="e" * 300)
    live = made.talking_call(agent, user_phone="")
    talk(live, script, started_s_ago=4000)
    helped(live, {"x" * 60: "<b>y</b>" * 80}, "Donaudampfschifffahrt" * 200, "W" * 600)
    return {"settled": settled, "live": live}
