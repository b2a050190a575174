"""What the product stands on goes away under live calls: none is cut, and all settle with everything they said and cost."""

import re
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from django.db import connections

from calls.models import CallLog, Charge, Job, Recording, Session, Turn, UsageLine
from torture.clock import Clock
from torture.disk import full
from torture.fleet import waits_are_over
from torture.ground import Ground
from torture.line import SAID, Calls, calling, wait_for_talk
from torture.product import product
from torture.scale import Scale
from torture.tale import Row, told

HOUR_S = 3600
SETTLE_S = 150.0
UNDER_WAY_S = 4.0
WRONG_FOR_S = 25.0
KINDS = frozenset({"stt", "llm", "tts", "telephony", "transcription"})


def run(ground: Ground, scale: Scale) -> list[Row]:
    clock = Clock(ground.directory)
    faults: dict[str, tuple[str, Callable[[Calls], str]]] = {
        "nothing": ("nothing fails, for comparison", lambda _: ""),
        "valkey": ("Valkey killed, its files deleted", partial(_valkey_flushed, ground)),
        "postgres-restart": ("Postgres restarted", partial(_postgres_away, ground, 0.0)),
        "postgres-away": (f"Postgres away for {scale.away_s:.0f} s", partial(_postgres_away, ground, scale.away_s)),
        "disk": ("the recordings' disk full", partial(_disk_full, ground)),
        "clock-forth": ("the clock an hour forth", partial(_clock_moved, clock, HOUR_S)),
        "clock-back": ("the clock an hour back", partial(_clock_moved, clock, -HOUR_S)),
    }
    rows: list[Row] = []
    plain = [name for name in scale.outages if not name.startswith("clock")]
    with product(ground):
        rows += [_under(ground, scale.calls, *faults[name]) for name in plain]
    for name in (name for name in scale.outages if name not in plain):
        title, cause = faults[name]
        if not clock.is_there:
            rows.append(told(Row(title, remarks="not tried: there is no C compiler")))
            continue
        clock.move(0)
        with product(ground, clock.environment):
            rows.append(_under(ground, scale.calls, title, cause))
    clock.move(0)
    return rows


def _under(ground: Ground, count: int, title: str, cause: Callable[[Calls], str]) -> Row:
    row = Row(f"{title}, {count} live calls", trials=count)
    newest = Session.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    with calling(ground.outside, count) as calls:
        wait_for_talk(UNDER_WAY_S)
        row.remarks = cause(calls)
    connections.close_all()
    sessions = list(Session.objects.filter(pk__gt=newest))
    began = time.monotonic()
    while time.monotonic() - began < SETTLE_S and not _are_settled(sessions):
        waits_are_over(sessions)
        time.sleep(1)
    row.remarks = "; ".join(filter(None, [row.remarks, f"settled {time.monotonic() - began:.0f} s after the last call"]))
    _judge(row, calls, sessions)
    return told(row)


def _are_settled(sessions: list[Session]) -> bool:
    return not CallLog.objects.filter(session__in=sessions, settled_at=None).exists()


# --- what goes wrong ------------------------------------------------------------------------------------------------------


def _valkey_flushed(ground: Ground, _: Calls) -> str:
    assert ground.valkey is not None
    ground.valkey.kill()
    for path in ground.valkey.directory.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    time.sleep(3)
    ground.valkey.start(ground.valkey.port)
    return "back after 3 s, empty"


def _postgres_away(ground: Ground, away_s: float, _: Calls) -> str:
    assert ground.postgres is not None
    connections.close_all()
    ground.postgres.stop()
    time.sleep(away_s)
    ground.postgres.start(ground.postgres.port)
    return ""


def _disk_full(ground: Ground, calls: Calls) -> str:
    """Full until every call is over and its recording was tried; then there is room."""
    with full(Path(ground.environment["RECORDING_SPOOL_DIR"])) as disk:
        _until_over(calls)
        time.sleep(8)
        sessions = list(Session.objects.order_by("-pk")[: calls.count])
        refused = _refused("telephony.fetch_recording", calls)
        disk.make_room()
        began = time.monotonic()
        while time.monotonic() - began < SETTLE_S and not _are_settled(sessions):
            waits_are_over(sessions)
            time.sleep(1)
    return f"{disk.how}, {refused} recordings refused meanwhile"


def _clock_moved(clock: Clock, seconds: int, calls: Calls) -> str:
    """Wrong until every call is over and the store has refused its recording; then somebody puts it right."""
    clock.move(seconds)
    _until_over(calls)
    time.sleep(WRONG_FOR_S)
    refused = _refused("calls.upload_recording", calls)
    clock.move(0)
    return f"of all our processes, in the middle of the calls, put right after the last; {refused} uploads refused by the store meanwhile"


def _refused(kind: str, calls: Calls) -> int:
    sessions = list(Session.objects.order_by("-pk")[: calls.count])
    return Job.objects.filter(session__in=sessions, kind=kind).exclude(last_error="").count()


def _until_over(calls: Calls) -> None:
    deadline = time.monotonic() + 120
    while len(calls.reports) < calls.count and time.monotonic() < deadline:
        time.sleep(0.5)


# --- what is left ---------------------------------------------------------------------------------------------------------


def _judge(row: Row, calls: Calls, sessions: list[Session]) -> None:
    by_sid = {
        session.call_log.call_sid: session for session in Session.objects.filter(pk__in=[s.pk for s in sessions]).select_related("call_log")
    }
    cut = [report for report in calls.reports if not report["ok"]]
    missing = calls.count - len(calls.reports)
    row.lost += len(cut) + missing
    row.details += [f"cut: {'; '.join(report['problems'])[:200]}" for report in cut]
    if missing:
        row.details.append(f"{missing} calls ended without a report")
    for report in calls.reports:
        session = by_sid.pop(report["call_sid"], None)
        problems = _problems(session, report) if session else ["we have no rows of this call"]
        row.lost += len(problems)
        row.details += [f"{session.session_id if session else report['call_sid']}: {problem}" for problem in problems]
    row.doubled += len(by_sid)
    row.details += [f"{session.session_id}: a call that nobody made" for session in by_sid.values()]


def _problems(session: Session, report: dict[str, Any]) -> list[str]:
    log, found = session.call_log, []
    if log.settled_at is None:
        jobs = Job.objects.filter(session=session).exclude(state="done").values_list("kind", "state", "attempts", "last_error")
        told_jobs = "; ".join(" ".join(map(str, job)) for job in jobs)
        return [f"not settled: {log.status}, {session.state} {session.end_reason}, polls {log.polls}: {told_jobs}"]
    if log.status != report["status"]:
        found.append(f"the carrier says {report['status']}, we say {log.status}")
    recording = Recording.objects.filter(session=session).first()
    if recording is None or recording.state != "stored" or not recording.transcript_text:
        found.append(f"its recording is {recording.state if recording else 'not there'}")
    said = " ".join(_plain(turn.text) for turn in Turn.objects.filter(session=session, speaker="caller"))
    lost = [words for words in SAID if words not in said]
    if lost:
        found.append(f"{len(lost)} of {len(SAID)} sentences are in no turn")
    kinds = set(UsageLine.objects.filter(session=session).values_list("kind", flat=True))
    if KINDS - kinds:
        found.append(f"no usage of {', '.join(sorted(KINDS - kinds))}")
    if (
        UsageLine.objects.filter(session=session, charge__isnull=True).exists()
        or Charge.objects.filter(session=session, amount=None).exists()
    ):
        found.append("something used is not charged")
    return found


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
