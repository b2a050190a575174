"""Six thousand webhooks in a minute beside live calls, and ten thousand copies of one webhook at full speed, through the real door."""

import asyncio
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from bench import process
from bench.figures import percentile
from calls import commands
from calls.models import CallEvent, CallLog
from deploy.local.places import RUN
from telephony.models import WebhookDelivery
from torture import made
from torture.ground import NUMBER, Ground
from torture.line import calling
from torture.product import product
from torture.scale import Scale
from torture.tale import Row, told

MOVED_MS = 5.0
KNOWN_CALLS = 50
AT_ONCE = 16
_STAMP = "2026-11-22 10:00:00"


@dataclass
class Answers:
    """What the door answered, and how long it took."""

    statuses: Counter[int] = field(default_factory=Counter)
    took_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def refused(self) -> int:
        return sum(times for status, times in self.statuses.items() if not 200 <= status < 300)


def run(ground: Ground, scale: Scale) -> list[Row]:
    sids = _known_calls()
    with product(ground):
        media, others = process.cores()
        for name, cores in (("media", media), ("web", others), ("worker", others), ("beat", others)):
            process.pin(int((RUN / f"{name}.pid").read_text(encoding="utf-8")), cores)
        alone = _talk(ground, scale, 1)
        answers = Answers()
        flood = threading.Thread(target=lambda: asyncio.run(_flood(ground, sids, scale, answers)), name="flood", daemon=True)
        flood.start()
        beside: list[float] = []
        while flood.is_alive():
            beside += _talk(ground, scale, 1)
        rows = [told(_flood_row(answers, scale)), told(_latency_row(alone, beside, scale))]
        rows.append(told(_copies_row(ground, sids[0], scale)))
    return rows


def _known_calls() -> list[str]:
    agent, sids = made.agent(), [uuid4().hex for _ in range(KNOWN_CALLS)]
    for place, sid in enumerate(sids):
        commands.open_call(
            agent_version=agent.current_version, direction="inbound", user_phone=f"+9195{place:08d}", agent_phone=NUMBER, call_sid=sid
        )
    return sids


def _talk(ground: Ground, scale: Scale, rounds: int) -> list[float]:
    """From the caller's last sound to the arrival of the agent's first, in ms, for each turn of the calls."""
    found: list[float] = []
    for _ in range(rounds):
        with calling(ground.outside, scale.calls) as calls:
            pass
        found += [turn["received_ms"] for report in calls.reports for turn in report["turns"] if turn["received_ms"] is not None]
    return found


def _form(sid: str, number: int) -> dict[str, Any]:
    status = ("ringing", "in-progress", "completed")[number % 3]
    event = {"ringing": "initiated", "in-progress": "answered", "completed": "terminal"}[status]
    return {"CallSid": sid, "EventType": event, "Status": status, "DateUpdated": _STAMP, "ConversationDuration": str(number)}


def _door(ground: Ground) -> str:
    values = ground.environment
    return f"http://127.0.0.1:{values['WEB_PORT']}/api/v1/webhooks/exotel/status?key={values['EXOTEL_WEBHOOK_SECRETS']}"


async def _post(http: httpx.AsyncClient, door: str, form: dict[str, Any], answers: Answers) -> None:
    began = time.monotonic()
    try:
        status = (await http.post(door, data=form)).status_code
    except httpx.HTTPError:
        status = 0
    answers.statuses[status] += 1
    answers.took_ms.append((time.monotonic() - began) * 1000)


async def _flood(ground: Ground, sids: list[str], scale: Scale, answers: Answers) -> None:
    """Each webhook is sent at its time, whatever became of the ones before."""
    door, every_s, began = _door(ground), scale.webhooks_over_s / scale.webhooks, time.monotonic()
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    async with httpx.AsyncClient(timeout=30, limits=limits, trust_env=False) as http, asyncio.TaskGroup() as group:
        for number in range(scale.webhooks):
            await asyncio.sleep(max(0.0, began + number * every_s - time.monotonic()))
            group.create_task(_post(http, door, _form(sids[number % KNOWN_CALLS], number), answers))
    answers.seconds = time.monotonic() - began


def _flood_row(answers: Answers, scale: Scale) -> Row:
    kept = WebhookDelivery.objects.filter(door="status").count()
    row = Row(f"{scale.webhooks:,} webhooks in {scale.webhooks_over_s:.0f} s beside {scale.calls} live calls", trials=scale.webhooks)
    row.lost = answers.refused + max(0, scale.webhooks - answers.refused - kept)
    row.remarks = (
        f"p50 {percentile(answers.took_ms, 0.5):.0f} ms, p99 {percentile(answers.took_ms, 0.99):.0f} ms, sent in {answers.seconds:.0f} s"
    )
    if answers.refused:
        row.details.append(f"answers: {dict(answers.statuses)}")
    return row


def _latency_row(alone: list[float], beside: list[float], scale: Scale) -> Row:
    """A promise of another kind: it is lost when the flood is heard in the calls."""
    before, under = percentile(alone, 0.99), percentile(beside, 0.99)
    row = Row(f"the {scale.calls} calls' answers beside the flood", trials=len(beside))
    row.lost = int(not under - before <= MOVED_MS)
    row.remarks = f"p99 {before:.0f} ms alone, {under:.0f} ms beside it (at most {MOVED_MS:.0f} ms more)"
    return row


def _copies_row(ground: Ground, sid: str, scale: Scale) -> Row:
    answers = Answers()
    form = {**_form(sid, 2), "ConversationDuration": "77777"}
    events_before = CallEvent.objects.filter(session__call_log__call_sid=sid).count()

    async def send() -> None:
        door, began = _door(ground), time.monotonic()
        left = iter(range(scale.copies))
        async with httpx.AsyncClient(timeout=60, trust_env=False) as http:

            async def one_after_the_other() -> None:
                for _ in left:
                    await _post(http, door, form, answers)

            await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
        answers.seconds = time.monotonic() - began

    asyncio.run(send())
    row = Row(f"{scale.copies:,} copies of one webhook, {AT_ONCE} at a time", trials=scale.copies)
    deliveries = WebhookDelivery.objects.filter(call_sid=sid, params__ConversationDuration="77777")
    rows = deliveries.count()
    counted = sum(deliveries.values_list("copies", flat=True))
    events = CallEvent.objects.filter(session__call_log__call_sid=sid).count() - events_before
    duration = CallLog.objects.get(call_sid=sid).duration_s
    row.lost = answers.refused + int(duration != 77777) + int(rows == 0) + abs(scale.copies - answers.refused - counted)
    row.doubled = max(0, rows - 1) + max(0, events - 1)
    p99_ms = percentile(answers.took_ms, 0.99)
    row.remarks = f"{scale.copies / answers.seconds:.0f} in a second, p99 {p99_ms:.0f} ms; {events} event, {counted:,} counted"
    return row
