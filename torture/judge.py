"""What a settled call must have: its recording, its transcript and its paise, each once."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import boto3
from django.conf import settings
from django.db.models import Q

from calls.analysing import PURPOSE
from calls.charges import UNSEEN
from calls.dispatch import JobKind
from calls.models import Analysis, Attempt, CallLog, Charge, Job, Recording, Session, UsageLine
from engine.usage import UsageKind
from torture.gate import Gate
from torture.made import words_of

TRANSCRIBE, ANALYSE = str(JobKind.TRANSCRIBE_RECORDING), str(JobKind.ANALYSE)
LINE = ("kind", "provider", "model", "unit", "purpose")


@dataclass
class Verdict:
    lost: int = 0
    doubled: int = 0
    reasons: list[str] = field(default_factory=list)

    def lose(self, reason: str, times: int = 1) -> None:
        self.lost += times
        self.reasons.append(reason)

    def double(self, reason: str, times: int = 1) -> None:
        self.doubled += times
        self.reasons.append(reason)


class Store:
    """The bucket, looked into past the product."""

    def __init__(self) -> None:
        named = settings.RECORDING_STORE
        self._bucket = named.bucket
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=named.endpoint_url,
            region_name=named.region,
            aws_access_key_id=named.access_key_id,
            aws_secret_access_key=named.secret_access_key,
        )

    def stored(self) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix="recordings/")
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def sha256(self, key: str) -> str:
        return hashlib.sha256(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()).hexdigest()


def lines_of(session: Session) -> Counter[tuple[str, ...]]:
    """The kinds of the call's usage, by how often each is there."""
    return Counter(tuple(map(str, row)) for row in UsageLine.objects.filter(session=session).values_list(*LINE))


def judge(sessions: list[Session], gate: Gate, expected: Counter[tuple[str, ...]]) -> Verdict:
    """`expected`: the usage of a call that nobody disturbed."""
    verdict, store = Verdict(), Store()
    by_session = Counter(key.rsplit("/", 1)[-1].split(".")[0] for key in store.stored())
    for session in sessions:
        log = CallLog.objects.get(session=session)
        if log.settled_at is None:
            open_jobs = list(
                Job.objects.filter(session=session).exclude(state="done").values_list("kind", "state", "attempts", "last_error")
            )
            verdict.lose(f"{session.session_id} is not settled: {open_jobs}")
            continue
        _recording(session, gate, store, by_session[session.session_id], verdict)
        _money(session, log, expected, verdict)
    return verdict


def _recording(session: Session, gate: Gate, store: Store, copies: int, verdict: Verdict) -> None:
    recording = Recording.objects.get(session=session)
    original = hashlib.sha256(gate.files[f"{session.session_id}.wav"].body).hexdigest()
    if recording.state != Recording.State.STORED or copies == 0 or store.sha256(recording.key) != original or recording.sha256 != original:
        verdict.lose(f"{session.session_id}: its recording is {recording.state}, {copies} copies")
    if copies > 1:
        verdict.double(f"{session.session_id}: {copies} copies of its recording", copies - 1)
    if not Analysis.objects.filter(session=session).exists():
        verdict.lose(f"{session.session_id}: nobody has read it")
    if words_of(session) not in recording.transcript_text.lower():
        verdict.lose(f"{session.session_id}: the transcript has not what was said")


def _money(session: Session, log: CallLog, expected: Counter[tuple[str, ...]], verdict: Verdict) -> None:
    found, wanted = lines_of(session), _wanted(session, expected)
    for missing, times in (wanted - found).items():
        verdict.lose(f"{session.session_id}: no usage of {missing}", times)
    for extra, times in (found - wanted).items():
        verdict.double(f"{session.session_id}: used twice: {extra}", times)
    charges = Charge.objects.filter(session=session)
    uncharged = UsageLine.objects.filter(session=session, charge__isnull=True).count()
    unpriced = charges.filter(amount=None).count()
    if uncharged or unpriced:
        verdict.lose(f"{session.session_id}: {uncharged} uses have no charge, {unpriced} no price", uncharged + unpriced)
    told = charges.filter(Q(usage_line__kind="telephony"), amount=log.carrier_price, currency=log.carrier_currency).count()
    if told != 1:
        verdict.lose(f"{session.session_id}: the carrier's price is charged {told} times")


def _wanted(session: Session, expected: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    """With what the kills wasted: each paid request has lines of its own, the answered ones as told, the others as nobody saw them end."""
    made = Counter(Attempt.objects.filter(job__session=session).values_list("job__kind", "outcome"))
    wanted = Counter[tuple[str, ...]]()
    for line, times in expected.items():
        *used, purpose = line
        step = TRANSCRIBE if used[0] == UsageKind.TRANSCRIPTION else ANALYSE if purpose == PURPOSE else ""
        wanted[line] += times * (made[step, "ok"] if step else 1)
        wanted[*used, UNSEEN] += times * made[step, ""]
    return +wanted


def attempts(sessions: list[Session]) -> tuple[int, int]:
    """How many paid requests have a line, and how many of these nobody saw the end of."""
    rows = Attempt.objects.filter(job__session__in=sessions)
    return rows.count(), rows.exclude(outcome="ok").count()
