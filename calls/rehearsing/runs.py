"""Rehearsals as they are asked for, held and read: a run is a row, each of its scenarios a test call with a job of its own.

So a worker that dies costs a rehearsal nothing but time, and as many are held at once as there are workers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from agents import drafts
from agents.assembly import NotReady, batch_language_model, language_model
from agents.models import Agent, AgentVersion
from agents.spec import AgentSpec
from calls import commands, dispatch
from calls.commands import trying
from calls.jobs import LeaseLost, Outcome, RetryLater
from calls.models import Job, RehearsalResult, RehearsalRun, Scenario, Session
from calls.rehearsing import assertions, by_voice, hearing, judging
from calls.rehearsing.books import BESIDE, Books, cost_of, on_call, paid_by
from calls.rehearsing.grading import Verdict, grade
from calls.rehearsing.lines import NoLine
from calls.rehearsing.people import Improviser, Persona
from calls.rehearsing.rows import fingerprint
from calls.rehearsing.stage import TookTooLong, hold
from calls.rehearsing.talk import Talk
from engine.errors import ProviderError
from engine.events import EndReason

logger = structlog.get_logger()

MOST_SCENARIOS = 200
MOST_TRIES = 2
State = RehearsalResult.State
GOING = (State.WAITING, State.RUNNING)


class NothingToRehearse(ValueError):
    """There is no scenario to rehearse."""

    message = "There is no active scenario to rehearse. Write one first."


class StillRehearsed(ValueError):
    """One of the scenario's rehearsals waits or goes on."""

    message = "This scenario is being rehearsed. Stop that rehearsal, or wait for its end, and delete it then."


class CutOff(Exception):
    """The call was ended by neither side of it: half of it shows nothing, neither good nor bad."""

    def __init__(self, reason: EndReason | None) -> None:
        ended = reason.value if reason else "nobody knows why"
        self.message = f"The call was cut off ({ended}). Rehearse it again; if that is cut off too, look at the media process's log."
        super().__init__(self.message)


# --- asked for --------------------------------------------------------------------------------------------------------


def begin_run(
    agent: Agent, *, by: Any, is_draft: bool = False, scenarios: Sequence[Scenario] | None = None, by_voice: bool | None = None
) -> RehearsalRun:
    """Orders the rehearsal of these scenarios (all active ones if none are named) with what is live, or with the draft; by voice, in
    writing, or (None) each as it says of itself.

    Raises `NothingToRehearse` and `BudgetSpent`.
    """
    chosen = list(Scenario.objects.filter(agent=agent, active=True)) if scenarios is None else list(scenarios)
    if not chosen:
        raise NothingToRehearse(NothingToRehearse.message)
    commands.check_budgets(agent)
    live: AgentVersion = agent.current_version
    spec = drafts.spec_of(agent).to_json() if is_draft else live.spec
    name = by.get_username() if by is not None else "rehearse"
    with transaction.atomic():
        run = RehearsalRun.objects.create(
            agent=agent, version=None if is_draft else live, is_draft=is_draft, spec=spec, fingerprint=fingerprint(spec), begun_by=by
        )
        for scenario in chosen[:MOST_SCENARIOS]:
            is_spoken = scenario.by_voice if by_voice is None else by_voice
            session = trying.open_test(agent_version=live, by=name, draft=spec if is_draft else None, by_voice=is_spoken)
            RehearsalResult.objects.create(run=run, scenario=scenario, session=session, told=scenario.told(), by_voice=is_spoken)
            dispatch.enqueue(dispatch.JobKind.REHEARSE, session)
    logger.info("rehearsal_begun", run=run.pk, scenarios=len(chosen))
    return run


def stop_run(run: RehearsalRun) -> bool:
    """What has not begun is not held any more, and calls by voice hang up. False if there was neither."""
    with transaction.atomic():
        RehearsalRun.objects.filter(pk=run.pk, stopped_at=None).update(stopped_at=timezone.now())
        results = RehearsalResult.objects.filter(run=run)
        stopped = results.filter(state=State.WAITING).update(state=State.STOPPED, ended_at=timezone.now())
        Job.objects.filter(session__rehearsal__run=run, state=Job.State.QUEUED, run_at__gt=timezone.now()).update(run_at=timezone.now())
        is_spoken = results.filter(by_voice=True, state=State.RUNNING).exists()
    return bool(stopped) or is_spoken


# --- held -------------------------------------------------------------------------------------------------------------


def rehearse(session: Session, job: Job) -> Outcome | None:
    """The job's body: holds one scenario's conversation, grades it, and writes both. May be run again after a worker's death."""
    result = RehearsalResult.objects.select_related("run", "scenario").get(session=session)
    if not (by_voice.take_seat(result) if result.by_voice else _begins(result)):
        return partial(trying.end_test, session, reason=EndReason.SHUTDOWN, lasted_ms=0)
    try:
        return _rehearsed(result, session, job)
    except (RetryLater, LeaseLost):
        raise  # its seat is left already, or another's
    except Exception:
        if result.by_voice:
            by_voice.leave_seat(result)
        raise


def _rehearsed(result: RehearsalResult, session: Session, job: Job) -> Outcome:
    talk = Talk()
    try:
        commands.check_budgets(session.agent)  # a run of many may use one up on its way
        spec = AgentSpec.from_json(result.run.spec)
        talk = _held(result, spec, session, job)
        if _was_cut_off(talk):
            raise CutOff(talk.reason)
        cost, _lines = cost_of(session, without=BESIDE)
        verdicts = _graded(result, spec, session, job, talk, cost)
    except by_voice.Stopped:
        return partial(_write, result, _so_far(result, talk), State.STOPPED, (), None, "")
    except (commands.CallRefused, NotReady, TookTooLong, ProviderError, NoLine, by_voice.BrokeOff, CutOff) as error:
        problem = getattr(error, "message", "") or str(error)
        return partial(_write, result, _so_far(result, talk), State.BROKEN, (), None, problem)
    has_failed = talk.flaws or _has_crashed(talk) or not all(verdict.passed for verdict in verdicts)
    state = State.FAILED if has_failed else State.PASSED
    return partial(_write, result, talk, state, verdicts, cost, " · ".join(dict.fromkeys([*talk.flaws, *talk.failures])))


def _so_far(result: RehearsalResult, talk: Talk) -> Talk:
    """What was said before it could not go on."""
    return hearing.whole_talk(result.session) if result.by_voice else talk


def _begins(result: RehearsalResult) -> bool:
    goes_on = RehearsalResult.objects.filter(pk=result.pk, state__in=[State.WAITING, State.RUNNING])
    return bool(goes_on.update(state=State.RUNNING))


def _held(result: RehearsalResult, spec: AgentSpec, session: Session, job: Job) -> Talk:
    told = result.told
    persona = Persona(
        told["persona"], told["goal"], told["facts"], told["language"] or spec.language, told["opening"], int(told["most_lines"])
    )
    caller = Improviser(persona, language_model(spec), paid_by(job))
    if result.by_voice:
        return by_voice.hold(result, spec, session, job, caller, language=persona.language)
    trying.begin_test(session)
    books = Books(session, part=job.attempts)
    return hold(spec, caller, call=on_call(session, spec), books=books, take=books.take)


def _graded(result: RehearsalResult, spec: AgentSpec, session: Session, job: Job, talk: Talk, cost: Decimal | None) -> list[Verdict]:
    wanted = assertions.from_json(result.told["assertions"])
    criteria = [each.wish for each in wanted if each.kind == assertions.JUDGED]
    judgements = judging.judge(criteria, talk, batch_language_model(spec), paid_by(job)) if criteria else {}
    if settings.BILLING_CURRENCY != assertions.CURRENCY and any(each.kind == assertions.COSTS for each in wanted):
        cost, _lines = cost_of(session, without=BESIDE, currency=assertions.CURRENCY)
    return grade(wanted, talk, cost=cost, judgements=judgements)


def _has_crashed(talk: Talk) -> bool:
    return talk.reason in (EndReason.PROVIDER_FAILED, EndReason.CRASH)


def _was_cut_off(talk: Talk) -> bool:
    return talk.is_spoken and talk.reason in (EndReason.LINK_LOST, EndReason.SHUTDOWN, EndReason.OPERATOR_HANGUP, None)


def _write(result: RehearsalResult, talk: Talk, state: str, verdicts: Sequence[Verdict], cost: Decimal | None, problem: str) -> None:
    trying.end_test(result.session, reason=talk.reason or EndReason.SHUTDOWN, lasted_ms=talk.lasted_ms)
    RehearsalResult.objects.filter(pk=result.pk).update(
        state=state,
        verdicts=[verdict.to_json() for verdict in verdicts],
        problem=problem[:500],
        cost=cost,
        lasted_ms=talk.lasted_ms,
        ended_at=timezone.now(),
    )
    if result.by_voice:
        by_voice.next_please()
    logger.info("rehearsed", run=result.run_id, state=str(state))


def forget(scenario: Scenario) -> None:
    """Deletes a scenario with its results; the test calls stay. Raises `StillRehearsed`."""
    with transaction.atomic():
        Scenario.objects.select_for_update().get(pk=scenario.pk)  # a run that is ordered meanwhile waits, or is seen
        if scenario.results.filter(state__in=GOING).exists():
            raise StillRehearsed(StillRehearsed.message)
        scenario.delete()


# --- read -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `passed` of `total`; it `is_over` once nothing waits or talks."""

    total: int
    over: int
    passed: int
    failed: int
    results: tuple[RehearsalResult, ...]

    @property
    def is_over(self) -> bool:
        return self.over == self.total

    @property
    def has_passed(self) -> bool:
        return self.total > 0 and self.passed == self.total

    @property
    def percent(self) -> int:
        return 100 * self.over // self.total if self.total else 100


def progress(run: RehearsalRun) -> Progress:
    """Counts, and writes down what a person has to see to: a job that was parked holds no rehearsal any more."""
    parked = Job.objects.filter(session__rehearsal__run=run, kind=dispatch.JobKind.REHEARSE, state=Job.State.PARKED)
    for job in parked.select_related("session__rehearsal"):
        result = job.session.rehearsal
        if not result.is_over:
            RehearsalResult.objects.filter(pk=result.pk).update(state=State.BROKEN, problem=job.last_error[:500], ended_at=timezone.now())
            trying.end_test(job.session, reason=EndReason.SHUTDOWN, lasted_ms=0)
    results = tuple(run.results.select_related("scenario", "session"))
    counted = [result for result in results if result.is_over]
    passed = sum(result.state == State.PASSED for result in counted)
    return Progress(len(results), len(counted), passed, len(counted) - passed, results)


def waits_for(run: RehearsalRun) -> dict[int, str]:
    """Why those wait that were begun before, by their sessions' keys: for a free line, or to be tried again."""
    queued = Job.objects.filter(session__rehearsal__run=run, kind=dispatch.JobKind.REHEARSE, state=Job.State.QUEUED).exclude(last_error="")
    return dict(queued.values_list("session_id", "last_error"))


def latest(agent: Agent) -> dict[int, RehearsalResult]:
    """Each scenario's latest result that is over, by the scenario's key."""
    over = RehearsalResult.objects.filter(run__agent=agent, ended_at__isnull=False).exclude(state=State.STOPPED)
    return {result.scenario_id: result for result in over.order_by("scenario_id", "-pk").distinct("scenario_id").select_related("run")}


def missing(agent: Agent, spec: dict[str, Any]) -> list[Scenario]:
    """The active scenarios that did not pass, as they stand, with exactly this spec. What shows nothing of them does not count."""
    active = {scenario.pk: scenario for scenario in Scenario.objects.filter(agent=agent, active=True)}
    passed: set[int] = set()
    for result in (
        RehearsalResult.objects.filter(run__agent=agent, run__fingerprint=fingerprint(spec), ended_at__isnull=False)
        .order_by("pk")
        .only("scenario_id", "told", "state", "by_voice")
    ):
        scenario = active.get(result.scenario_id)
        if scenario is None or not result.shows(scenario):
            continue
        if result.state == State.PASSED:
            passed.add(scenario.pk)
        elif result.state == State.FAILED:
            passed.discard(scenario.pk)
    return [scenario for scenario in active.values() if scenario.pk not in passed]
