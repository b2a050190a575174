"""What pages render on the server: one frozen value for each line, already in words."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from calls import wording
from calls.alignment import voice_of
from calls.listing.said import Line
from calls.models import Analysis, CallLog, Job, Recording, Session
from calls.presentation.live import duration_s, is_live, why
from calls.presentation.reading import voice_names
from calls.presentation.spending import SoFar, call_minute_words, so_far
from calls.sentences import in_readers_words
from calls.status import CallStatus

_OUTCOME_TONE = {
    Analysis.Outcome.ACHIEVED: "good",
    Analysis.Outcome.PARTLY: "warn",
    Analysis.Outcome.NOT_ACHIEVED: "bad",
}
OUTCOME_TONE = {str(outcome): _OUTCOME_TONE.get(outcome, "quiet") for outcome in Analysis.Outcome}
# Nobody hangs up a call that was never answered.
_SAYS_IT_ALL = frozenset({CallStatus.BUSY, CallStatus.NO_ANSWER, CallStatus.FAILED})


@dataclass(frozen=True, slots=True)
class CallRow:
    """One line of the list of calls, in words."""

    session: Session
    log: CallLog
    number: str
    status: str
    tone: str
    ended_by: str
    why: str
    live: bool
    outcome: str
    outcome_tone: str
    duration: str
    latency: str
    latency_tone: str
    costs: list[str]
    unpriced: int
    accounted: bool
    minute: str
    so_far: SoFar
    said: Line | None


def outcome_words(outcome: str) -> str:
    """In the reader's language; empty as long as nobody has read the call."""
    return str(Analysis.Outcome(outcome).label) if outcome in OUTCOME_TONE else ""


def call_row(session: Session, *, with_number: bool = False, said: Line | None = None) -> CallRow:
    """Needs `spends` prefetched: once a call is accounted they are what it cost. `said`: where the words were said that were looked for."""
    log = session.call_log
    spends = list(session.spends.all())
    totals = {spend.currency: spend.used for spend in spends if spend.is_final}
    return CallRow(
        session=session,
        log=log,
        number=session.user_phone if with_number and session.user_phone else wording.mask_number(session.user_phone),
        status=wording.status_words(log.status),
        tone=wording.status_tone(log.status),
        ended_by="" if is_live(session) or log.status in _SAYS_IT_ALL else wording.said(wording.ENDER, log.ended_by),
        why=why(session),
        live=is_live(session),
        outcome=outcome_words(log.outcome),
        outcome_tone=OUTCOME_TONE.get(log.outcome, ""),
        duration=wording.duration_words(duration_s(session)),
        latency=wording.latency_words(log.latency_ms),
        latency_tone=wording.latency_tone(log.latency_ms),
        costs=[wording.money_words(amount, currency, at_most=4) for currency, amount in sorted(totals.items())],
        unpriced=log.unpriced,
        accounted=bool(totals) or log.settled_at is not None,
        minute=call_minute_words(session, totals, log.unpriced),
        so_far=so_far(session),
        said=said,
    )


@dataclass(frozen=True, slots=True)
class JobLine:
    """One post-call step."""

    what: str
    state: str
    tone: str
    problem: str


_JOB_TONE = {Job.State.QUEUED: "wait", Job.State.RUNNING: "wait", Job.State.DONE: "good", Job.State.PARKED: "bad"}


def job_line(job: Job) -> JobLine:
    words = {
        Job.State.QUEUED: _("Waiting"),
        Job.State.RUNNING: _("Running"),
        Job.State.DONE: _("Done"),
        Job.State.PARKED: _("Needs a person"),
    }
    state = Job.State(job.state)
    problem = in_readers_words(job.last_error) if state in (Job.State.PARKED, Job.State.QUEUED) else ""
    return JobLine(wording.said(wording.JOB, job.kind), words[state], _JOB_TONE[state], problem)


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of the transcript made from the recording."""

    at_ms: int
    at: str
    channel: str
    text: str


def utterances(recording: Recording | None) -> list[Utterance]:
    lines = recording.transcript if recording and isinstance(recording.transcript, list) else []
    names, several = voice_names(recording), len({voice_of(line) for line in lines}) > 1
    return [
        Utterance(
            int(line.get("start_ms") or 0),
            wording.duration_words(int(line.get("start_ms") or 0) / 1000),
            names.get(voice_of(line)) or (_("Voice %(which)s") % {"which": voice_of(line)[1:]} if several else ""),
            str(line.get("text", "")),
        )
        for line in lines
    ]
