"""Six thousand webhooks in a minute beside live calls, and ten thousand copies of one webhook at full speed, through the real door."""

import asyncio
import itertools
import time
from collections import Counter
from contextlib import AsyncExitStack
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
from torture.line import Calls, calling
from torture.product import product
from torture.scale import Scale
from torture.tale import Row, told

MOVED_MS = 5.0
NEVER_MS = 60_000.0
FLOODS = 2
KNOWN_CALLS = 500  # six thousand reports are those of many calls, not of a few
AT_ONCE = 16
CLIENTS = 16
CAUGHT_UP_WITHIN_S = 600.0
_STAMP = "2026-11-22 10:00:00"


@dataclass
class Answers:
    """What the door answered, and how long it took. `began`, `ended`: by the monotonic clock."""

    statuses: Counter[int] = field(default_factory=Counter)
    took_ms: list[float] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def refused(self) -> int:
        return sum(times for status, times in self.statuses.items() if not 200 <= status < 300)


def run(ground: Ground, scale: Scale) -> list[Row]:
    sids = _known_calls()
    with product(ground):
        is_first = _put_first(ground)
        floods: list[Answers] = []
        with calling(ground.outside, scale.calls, again=True) as calls:
            # Quiet minutes before, between and after: what else the machine does comes and goes.
            time.sleep(scale.webhooks_over_s)
            for _ in range(FLOODS):
                floods.append(asyncio.run(_flood(ground, sids, scale)))
                time.sleep(scale.webhooks_over_s)
        rows = [told(_flood_row(floods, sids, scale)), told(_latency_row(calls, floods, is_first))]
        rows.append(told(_copies_row(ground, sids[0], scale)))
    return rows


def _put_first(ground: Ground) -> bool:
    """Media and both ends of the call ahead of the machine's other work, on any core: a machine of its own would carry the outside."""
    pids = (ground.services[0].pid, int((RUN / "media.pid").read_text(encoding="utf-8")))
    return all([process.put_ahead(pid) for pid in pids])


def _known_calls() -> list[str]:
    agent, sids = made.agent(), [uuid4().hex for _ in range(KNOWN_CALLS)]
    for place, sid in enumerate(sids):
        commands.open_call(
            agent_version=agent.current_version, direction="inbound", user_phone=f"+9195{place:08d}", agent_phone=NUMBER, call_sid=sid
        )
    return sids


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


_webhooks = itertools.count()


async def _flood(ground: Ground, sids: list[str], scale: Scale) -> Answers:
    """Each webhook is sent at its time, whatever became of the ones before. No two are the same, of all floods."""
    answers = Answers(began=time.monotonic())
    door, every_s = _door(ground), scale.webhooks_over_s / scale.webhooks
    # A client looks through all its connections for each request: many with few are quick, one with many is a flood of its own.
    limits = httpx.Limits(max_connections=8, max_keepalive_connections=8)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(httpx.AsyncClient(timeout=30, limits=limits, trust_env=False)) for _ in range(CLIENTS)]
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for number in range(scale.webhooks):
            await asyncio.sleep(max(0.0, answers.began + number * every_s - time.monotonic()))
            group.create_task(_post(clients[number % CLIENTS], door, _form(sids[number % KNOWN_CALLS], next(_webhooks)), answers))
    answers.ended = time.monotonic()
    return answers


def _kept(sids: list[str], sent: int) -> tuple[int, float]:
    """How many webhooks are in the inbox and applied at last, and how long that took: what came too fast is on the disk first."""
    began = time.monotonic()
    waiting = (WebhookDelivery.State.RECEIVED, WebhookDelivery.State.FAILED)
    rows = WebhookDelivery.objects.filter(door="status", call_sid__in=sids).exclude(state__in=waiting)
    while (kept := rows.count()) < sent and time.monotonic() - began < CAUGHT_UP_WITHIN_S:
        time.sleep(0.5)
    return kept, time.monotonic() - began


def _flood_row(floods: list[Answers], sids: list[str], scale: Scale) -> Row:
    sent, refused = len(floods) * scale.webhooks, sum(answers.refused for answers in floods)
    kept, caught_up_s = _kept(sids, sent - refused)
    took_ms = [took for answers in floods for took in answers.took_ms]
    row = Row(f"{scale.webhooks:,} webhooks in {scale.webhooks_over_s:.0f} s beside {scale.calls} live calls", trials=sent)
    row.lost = refused + max(0, sent - refused - kept)
    row.doubled = max(0, kept - sent)
    row.remarks = (
        f"{len(floods)} times; p50 {percentile(took_ms, 0.5):.0f} ms, p99 {percentile(took_ms, 0.99):.0f} ms; "
        f"sent in {max(answers.seconds for answers in floods):.0f} s; the last was applied {caught_up_s:.0f} s after it was looked for"
    )
    if refused:
        row.details.append(f"answers: {dict(sum((answers.statuses for answers in floods), Counter()))}")
    return row


def _latency_row(calls: Calls, floods: list[Answers], is_first: bool) -> Row:
    """A promise of another kind: it is lost when the flood is heard in the calls. From the caller's last sound to the agent's first."""
    alone: list[float] = []
    beside: list[float] = []
    for report in calls.reports:
        for turn in report["turns"]:
            spoke = report["opened_s"] + turn["end_ms"] / 1000  # its clock is the monotonic one too
            is_beside = any(answers.began <= spoke <= answers.ended for answers in floods)
            (beside if is_beside else alone).append(NEVER_MS if turn["received_ms"] is None else turn["received_ms"])
    before, under = percentile(alone, 0.99), percentile(beside, 0.99)
    row = Row(f"answers in the {calls.count} live calls, beside the flood", trials=len(beside))
    cut = [report for report in calls.reports if not report["ok"]]
    row.lost = int(not under - before <= MOVED_MS) + len(cut) + calls.placed - len(calls.reports)
    row.details += [f"cut: {'; '.join(report['problems'])[:200]}" for report in cut]
    row.remarks = (
        f"p50 {percentile(alone, 0.5):.0f} ms, p99 {before:.0f} ms in {len(alone)} answers without it; "
        f"p50 {percentile(beside, 0.5):.0f} ms, p99 {under:.0f} ms beside it: moved by {under - before:+.0f} ms (at most {MOVED_MS:.0f})"
    )
    row.remarks += "; media and simulator ahead of the machine's other work" if is_first else ""
    return row


def _copies_row(ground: Ground, sid: str, scale: Scale) -> Row:
    answers = Answers()
    form = {**_form(sid, 2), "ConversationDuration": "77777"}

    async def send() -> None:
        door, answers.began = _door(ground), time.monotonic()
        left = iter(range(scale.copies))
        async with httpx.AsyncClient(timeout=60, trust_env=False) as http:

            async def one_after_the_other() -> None:
                for _ in left:
                    await _post(http, door, form, answers)

            await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
        answers.ended = time.monotonic()

    asyncio.run(send())
    row = Row(f"{scale.copies:,} copies of one webhook, {AT_ONCE} at a time", trials=scale.copies)
    deliveries = WebhookDelivery.objects.filter(call_sid=sid, params__ConversationDuration="77777")
    caught_up_by = time.monotonic() + CAUGHT_UP_WITHIN_S
    while (
        counted := sum(deliveries.values_list("copies", flat=True))
    ) < scale.copies - answers.refused and time.monotonic() < caught_up_by:
        time.sleep(0.5)
    rows = deliveries.count()
    events = CallEvent.objects.filter(session__call_log__call_sid=sid, facts__call__duration_s=77777).count()
    duration = CallLog.objects.get(call_sid=sid).duration_s
    row.lost = answers.refused + int(duration != 77777) + int(rows == 0) + abs(scale.copies - answers.refused - counted)
    row.doubled = max(0, rows - 1) + max(0, events - 1)
    p99_ms = percentile(answers.took_ms, 0.99)
    row.remarks = f"{scale.copies / answers.seconds:.0f} in a second, p99 {p99_ms:.0f} ms; {events} event, {counted:,} counted"
    return row
