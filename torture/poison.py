"""Twenty inputs that no good party sends, among a thousand good jobs: the good ones settle, the poison is parked with its reason."""

import gzip
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.utils import timezone

from agents.models import Agent
from calls.models import CallEvent, CallLog, Charge, Job, Recording, Session
from torture import judge, made
from torture.crash import are_settled, undisturbed
from torture.fleet import Fleet, Stuck, waits_are_over
from torture.gate import File, Gate
from torture.ground import Ground
from torture.scale import Scale
from torture.tale import Row, told

STEPS = 5
WITHIN_S = 1200.0
LONG_AGO_MIN = 80
"""Longer than the carrier is given to prepare a recording."""
_AUDIO = {"content-type": "audio/mpeg"}
_MP3 = b"\xff\xfb\x90\x64" + b"\x11" * 2044


@dataclass(frozen=True)
class Poison:
    """`file` is what the carrier gives. `mark`: the recording is sound, Deepgram's answer to it is not. `may_settle`: a cure is as good."""

    name: str
    file: File | None = None
    url: str = ""
    mark: bytes = b""
    minutes_ago: int = 0
    may_settle: bool = False


def poisons() -> list[Poison]:
    sound = made.stereo("poison")
    silent_header = bytearray(sound)
    silent_header[22:24] = struct.pack("<H", 0)
    lying = bytearray(sound)
    lying[4:8] = lying[40:44] = struct.pack("<I", 0xFFFFFFF0)
    return [
        Poison("an empty file", File(b"", headers=_AUDIO), minutes_ago=LONG_AGO_MIN),
        Poison("a truncated mp3", File(_MP3, headers=_AUDIO, length=200_000, cut=True)),
        Poison("a Content-Length of 4 GB", File(_MP3, headers=_AUDIO, length=4 << 30, cut=True)),
        Poison("a redirect loop", File(b"", status=302, headers={"location": "?again"})),
        Poison("a redirect into our network", File(b"", status=302, headers={"location": "http://169.254.169.254/latest/meta-data"})),
        Poison("a web page as a recording", File(b"<!doctype html><title>Log in</title>" * 40, headers={"content-type": "text/html"})),
        Poison("a gzip bomb", File(gzip.compress(bytes(64 << 20)), headers={**_AUDIO, "content-encoding": "gzip"})),
        Poison("a program labelled as audio", File(b"MZ\x90\0" + bytes(4000), headers=_AUDIO)),
        Poison("a WAV without channels", File(bytes(silent_header), headers={"content-type": "audio/x-wav"}), may_settle=True),
        Poison("a WAV that claims 4 GB", File(bytes(lying), headers={"content-type": "audio/x-wav"}), may_settle=True),
        Poison("a stream that does not end", File(_MP3 * 16, headers=_AUDIO, endless=True)),
        Poison("403 for ever", File(b"no", status=403)),
        Poison("500 for ever", File(b"oops", status=500)),
        Poison("a connection that breaks each time", File(_MP3 * 8, headers=_AUDIO, length=len(_MP3) * 9, cut=True)),
        Poison("an address inside our network", url="http://169.254.169.254/latest/meta-data"),
        Poison("NUL bytes as a recording", File(bytes(10_000), headers=_AUDIO)),
        Poison("NUL bytes in a transcript", mark=b"POISON-NUL", may_settle=True),
        Poison("a transcript that is no JSON", mark=b"POISON-TEXT"),
        Poison("a transcript of negative length", mark=b"POISON-NEGATIVE"),
    ]


def _negative(answer: bytes) -> tuple[int, bytes]:
    told = json.loads(answer)
    told["metadata"]["duration"] = -5.0
    return 200, json.dumps(told).encode()


ALTERED: dict[bytes, Callable[[bytes], tuple[int, bytes]]] = {
    b"POISON-NUL": lambda answer: (200, answer.replace(b"speaks", b"spe\\u0000aks")),
    b"POISON-TEXT": lambda answer: (200, b"<html>busy</html>"),
    b"POISON-NEGATIVE": _negative,
}


def run(ground: Ground, scale: Scale) -> list[Row]:
    fleet, agent = Fleet(ground), made.agent()
    clean = undisturbed(ground, fleet, agent)
    ground.gate.altered.update(ALTERED)
    inputs = poisons()
    good: list[Session] = []
    bad: list[tuple[Poison, Session]] = []
    between = max(1, scale.good_calls // len(inputs))
    for number in range(scale.good_calls):
        good.append(made.over(agent, ground.gate))
        if number % between == 0 and len(bad) < len(inputs):
            bad.append((inputs[len(bad)], _poisoned(agent, ground.gate, inputs[len(bad)])))
    bad += [(poison, _poisoned(agent, ground.gate, poison)) for poison in inputs[len(bad) :]]
    for_hours = timezone.now() - timedelta(hours=2)
    old = Job.objects.create(kind="telephony.of_an_older_release", session=made.over(agent, ground.gate), run_at=for_hours)
    bad_sessions = [session for _, session in bad]
    with fleet.running(4):
        _odd_messages(fleet, good[0])
        good_row = _settled(ground, fleet, good, clean)
        _out_of_patience(fleet, bad_sessions, 180)
        _out_of_patience(fleet, [old.session], 15)
    return [told(good_row), told(_parked(bad, old, agent, ground.gate))]


def _poisoned(agent: Agent, gate: Gate, poison: Poison) -> Session:
    return made.over(agent, gate, file=poison.file, url=poison.url, mark=poison.mark, minutes_ago=poison.minutes_ago)


def _odd_messages(fleet: Fleet, session: Session) -> None:
    """What no release of today would send: more arguments, other types, a job that never was, a pickle."""
    job = Job.objects.get(session=session, kind="telephony.fetch_recording")
    fleet.send("telephony.fetch_recording", job.pk, "an argument of an older release", force=True)
    fleet.send("calls.upload_recording", "1; DROP TABLE calls_job")
    fleet.send("calls.account", 10**12)
    fleet.send("calls.task_of_an_older_release", 1)
    fleet.send_pickled("calls.account", job.pk)


def _settled(ground: Ground, fleet: Fleet, good: list[Session], clean: object) -> Row:
    row = Row(f"good jobs among poison ({len(good)} calls of {STEPS} steps)", trials=len(good) * STEPS)
    try:
        fleet.until(partial(are_settled, good), "every good call is settled", within_s=WITHIN_S)
    except Stuck as problem:
        row.remarks = str(problem)[:200]
    verdict = judge.judge(good, ground.gate, clean)  # type: ignore[arg-type]
    row.lost, row.doubled, row.details = verdict.lost, verdict.doubled, verdict.reasons
    return row


def _out_of_patience(fleet: Fleet, sessions: list[Session], within_s: float) -> None:
    """Lets the back-offs of the poison run out."""

    def is_over() -> bool:
        waits_are_over(sessions)
        return not Job.objects.filter(session__in=sessions, state__in=["queued", "running"]).exists()

    try:
        fleet.until(is_over, "all poison has come to an end", within_s=within_s)
    except Stuck as problem:
        print(f"  {problem}", flush=True)


def _parked(bad: list[tuple[Poison, Session]], old: Job, agent: Agent, gate: Gate) -> Row:
    row = Row("poison is parked with its reason, and what is known of the call is charged", trials=len(bad) + 1)
    for poison, session in bad:
        if problem := not_ended_well(poison, session):
            row.lost += 1
            row.details.append(f"{poison.name}: {problem}")
    old.refresh_from_db()
    if old.state != Job.State.PARKED or not old.last_error:
        row.lost += 1
        row.details.append(f"a job of a kind that no release knows any more: {old.state}, {old.last_error or 'no reason'}")
    return row


def not_ended_well(poison: Poison, session: Session) -> str:
    """What is wrong with how this poison ended; empty if nothing is."""
    parked = Job.objects.filter(session=session, state=Job.State.PARKED).first()
    missing = CallEvent.objects.filter(session=session, kind="recording-missing").exists()
    charged = Charge.objects.filter(session=session).exists()
    is_cured = poison.may_settle and CallLog.objects.filter(session=session, settled_at__isnull=False).exists()
    jobs = [" ".join(map(str, job)) for job in Job.objects.filter(session=session).values_list("kind", "state", "attempts", "last_error")]
    recording = Recording.objects.get(session=session).state
    if not charged:
        return f"nothing is charged; {jobs}"
    if is_cured or missing or (parked and parked.last_error):
        return ""
    return f"neither parked nor told as missing (recording {recording}); {jobs}"
