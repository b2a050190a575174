"""SIGKILL before and after each side effect of every step: no recording, transcript or paisa lost or doubled.

At one point stand as many calls as there are trials, each in a worker process of its own; then all of these are killed at once. The next
fleet finds by itself what is to be done. A call goes through several points one after the other, but through fewer than a job may fail.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from agents.models import Agent
from calls import commands, dispatch
from calls.models import CallLog, Job, Session
from torture import judge, made
from torture.fleet import SPARE, Fleet, Stuck, leases_run_out, waits_are_over
from torture.ground import SILENT_NUMBER, Ground
from torture.scale import Scale
from torture.stops import stop
from torture.tale import Row, told

FETCH, UPLOAD, TRANSCRIBE, ACCOUNT, DIAL = (
    "telephony.fetch_recording", "calls.upload_recording", "calls.transcribe_recording", "calls.account", "telephony.dial",
)  # fmt: skip
ANALYSE = str(dispatch.JobKind.ANALYSE)
REACH_S, SETTLE_S = 600.0, 900.0


@dataclass(frozen=True)
class Point:
    """A moment in a step: at a `door` of the gate, or at a database `stop`; `moment` is before, half or after."""

    kind: str
    moment: str
    door: str = ""
    stop: str = ""

    @property
    def name(self) -> str:
        what = {
            "claim": "taking the job", "begin": "the Attempt row", "close": "closing the Attempt", "finish": "the result's commit",
            "order": "the claim to dial", "recording": "the download", "put": "the upload", "transcribe": "the paid request",
            "analyse": "the paid request", "dial": "the order to dial",
        }[self.door or self.stop]  # fmt: skip
        return f"{self.kind.split('.')[1].replace('_', ' ')}: killed {'half way through' if self.moment == 'half' else self.moment} {what}"

    @property
    def is_paid(self) -> bool:
        return self.door in ("transcribe", "analyse")


def _both(kind: str, *, door: str = "", stop: str = "") -> list[Point]:
    return [Point(kind, moment, door, stop) for moment in ("before", "after")]


def _paid(kind: str, door: str) -> tuple[list[Point], list[Point]]:
    """A step that pays, in two courses: a job that killed five workers is parked, and that is right."""
    first = [*_both(kind, stop="claim"), *_both(kind, stop="begin"), Point(kind, "before", door=door)]
    return first, [Point(kind, "after", door=door), *_both(kind, stop="close"), *_both(kind, stop="finish")]


def courses(recorded: bool = True) -> list[list[Point]]:
    """The points of calls whose talk is over; each list is gone through by calls of its own."""
    transcribe = _paid(TRANSCRIBE, "transcribe")
    analyse = _paid(ANALYSE, "analyse")
    fetch = [*_both(FETCH, stop="claim"), Point(FETCH, "before", door="recording"), Point(FETCH, "half", door="recording")]
    upload = [*_both(UPLOAD, stop="claim"), *_both(UPLOAD, door="put"), *_both(UPLOAD, stop="finish")]
    account = [*_both(ACCOUNT, stop="claim"), *_both(ACCOUNT, stop="finish")]
    return [
        [*fetch, *_both(FETCH, stop="finish"), *upload, *transcribe[0], *analyse[0], *account],
        [*transcribe[1], *analyse[1]],
    ]


def dial_courses() -> list[list[Point]]:
    """A dial that was claimed is never tried again, so each of its points needs calls of its own."""
    first = [*_both(DIAL, stop="claim"), Point(DIAL, "before", stop="order")]
    alone = [Point(DIAL, "after", stop="order"), *_both(DIAL, door="dial"), *_both(DIAL, stop="finish")]
    return [first, *([point] for point in alone)]


def run(ground: Ground, scale: Scale) -> list[Row]:
    fleet, rows = Fleet(ground), []
    agent, silent = made.agent(), made.agent("Unrecorded", SILENT_NUMBER, record_calls=False)
    clean = undisturbed(ground, fleet, agent)
    for points in courses():
        # Each of another agent: whoever stands at the commit of a bill holds its agent's day, and the next would not come so far.
        sessions = [made.over(made.agent(f"Torture {number}"), ground.gate) for number in range(scale.trials)]
        rows += settle_course(ground, fleet, points, sessions, clean)
    for points in dial_courses():
        rows += dial_course(ground, fleet, points, [_ordered(silent) for _ in range(scale.trials)])
    return rows


def undisturbed(ground: Ground, fleet: Fleet, agent: Agent) -> Counter[tuple[str, ...]]:
    """What a call uses that nobody disturbs."""
    session = made.over(agent, ground.gate)
    with fleet.running(2):
        fleet.until(partial(are_settled, [session]), "an undisturbed call is settled", within_s=SETTLE_S)
    expected = judge.lines_of(session)
    verdict = judge.judge([session], ground.gate, expected)
    if verdict.lost or verdict.doubled:
        raise SystemExit(f"Nobody disturbed this call and yet it is not whole: {verdict.reasons}")
    return expected


def settle_course(ground: Ground, fleet: Fleet, points: list[Point], sessions: list[Session], clean: Counter[tuple[str, ...]]) -> list[Row]:
    """Kills at every point in turn, lets the calls settle, and judges them once: what was lost is told with the last point's row."""
    paid_before, remarks = _paid_requests(ground), ""
    rows = [killed_at(ground, fleet, point, sessions) for point in points]

    def all_are_settled() -> bool:
        waits_are_over(sessions)
        return are_settled(sessions)

    with fleet.running(4):
        try:
            fleet.until(all_are_settled, "every call is settled", within_s=SETTLE_S)
        except Stuck:
            remarks = "not all settled"
    verdict = judge.judge(sessions, ground.gate, clean)
    last = rows[-1]
    last.lost, last.doubled = last.lost + verdict.lost, last.doubled + verdict.doubled
    last.remarks = "; ".join(filter(None, [last.remarks, remarks]))
    last.details += verdict.reasons
    _without_a_line(sessions, _paid_requests(ground) - paid_before, last)
    return [told(row) for row in rows]


def _without_a_line(sessions: list[Session], paid: int, row: Row) -> None:
    """Every paid request must have its Attempt row, also those that nobody saw the end of."""
    lines, _ = judge.attempts(sessions)
    if paid > lines:
        row.lost += paid - lines
        row.details.append(f"{paid - lines} paid requests left no Attempt row")


def _paid_requests(ground: Ground) -> int:
    return sum(ground.gate.passed[door] for door in ("transcribe", "analyse"))


def killed_at(ground: Ground, fleet: Fleet, point: Point, sessions: list[Session]) -> Row:
    """One fleet up to the point and no further."""
    row = Row(point.name, trials=len(sessions))
    paid_before = ground.gate.passed[point.door]

    def all_stand() -> bool:
        waits_are_over(sessions)  # such as for a turn in the carrier's requests
        return waiting() >= len(sessions)

    with _held(ground, point) as (waiting, let_go), fleet.running(len(sessions) + SPARE) as worker:
        try:
            fleet.until(all_stand, f"all stand at {point}", within_s=REACH_S)
        except Stuck as problem:
            row.details.append(str(problem))
        row.trials = min(waiting(), len(sessions))
        worker.kill()
        let_go()
    if row.trials < len(sessions):
        # Nothing is lost by that, but it was not tried either.
        row.remarks = f"{len(sessions) - row.trials} did not come so far in {REACH_S:.0f} s"
    if point.is_paid:
        # What has reached the provider when its worker dies is paid for, and asked for again.
        row.wasted = ground.gate.passed[point.door] - paid_before
    elif point.kind in (TRANSCRIBE, ANALYSE) and (point.stop == "close" or (point.stop, point.moment) == ("finish", "before")):
        row.wasted = row.trials
    leases_run_out(sessions)
    print(f"  {row.fault}", flush=True)
    return row


@contextlib.contextmanager
def _held(ground: Ground, point: Point) -> Iterator[tuple[Callable[[], int], Callable[[], None]]]:
    """How many stand at the point, and what lets them go once they are dead."""
    if point.door:
        ground.gate.hold(point.door, point.moment)
        try:
            yield lambda: ground.gate.held, ground.gate.release
        finally:
            ground.gate.release()
        return
    name = f"{point.stop} {point.kind}"
    with stop(ground.environment["DATABASE_URL"], name) as standing:
        yield standing.waiting, partial(standing.end, commits=point.moment == "after")


def are_settled(sessions: list[Session]) -> bool:
    return not CallLog.objects.filter(session__in=sessions, settled_at=None).exists()


# --- dials ----------------------------------------------------------------------------------------------------------------


def _ordered(agent: Agent) -> Session:
    """An outbound call to somebody whom nobody else calls."""
    owner, number = agent.owner, Session.objects.count()
    return commands.queue_outbound_call(owner=owner, agent=agent, to_phone=f"+9197{number:08d}")


def dial_course(ground: Ground, fleet: Fleet, points: list[Point], sessions: list[Session]) -> list[Row]:
    """Nobody is rung twice, and what the carrier knows of the call is what we know in the end."""
    rows = [killed_at(ground, fleet, point, sessions) for point in points]
    last = rows[-1]

    def are_known() -> bool:
        waits_are_over(sessions)
        return are_settled(sessions)

    with fleet.running(4):
        try:
            fleet.until(are_known, "every dial is known", within_s=SETTLE_S, ticks=("calls.sweep_jobs", "telephony.reconcile_calls"))
        except Stuck:
            last.remarks = "not all settled"
    placed = 0
    for session in sessions:
        log = CallLog.objects.get(session=session)
        rung = ground.gate.dialled[log.to_phone[-10:]]
        placed += rung
        if rung > 1:
            last.doubled += rung - 1
        if log.settled_at is None or (rung and not log.call_sid) or (not rung and log.status != "failed"):
            jobs = list(Job.objects.filter(session=session).values_list("kind", "state", "attempts", "last_error"))
            last.lost += 1
            last.details.append(
                f"rung {rung} times, our word for it: {log.status}, {log.dial_outcome or 'no outcome'}, {log.failure!r}, {jobs}"
            )
    last.remarks = last.remarks or f"{placed} of {len(sessions)} rung, nobody twice"
    return [told(row) for row in rows]
