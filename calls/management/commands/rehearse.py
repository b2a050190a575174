"""Rehearses an agent's scenarios from a shell or in CI: progress while they are held, a report, and an exit code that says how it went.

The conversations are held by this process, so no worker is needed; one that runs takes its share.
"""

import sys
import time
import xml.etree.ElementTree as ET
from argparse import ArgumentParser
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import timezone

from agents.models import Agent
from calls import queries
from calls.commands import CallRefused
from calls.dispatch import JobKind
from calls.jobs import run_job
from calls.models import Job, RehearsalResult, RehearsalRun, Scenario
from calls.rehearsing import runs

_LOOK_S = 0.5
_MOST_AT_ONCE = 16
_LATE = "Not all rehearsals were over in time. Is the language model reachable? --limit allows more."


class Command(BaseCommand):
    help = "Holds an agent's scenarios with a simulated caller and grades them. Exit code 0: all passed; 1: not; 2: nothing to rehearse."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("agent", help="the agent's name or number")
        parser.add_argument("--scenario", action="append", default=[], metavar="NAME", help="only this one; may be given several times")
        parser.add_argument("--draft", action="store_true", help="with the draft instead of what is live")
        way = parser.add_mutually_exclusive_group()
        way.add_argument("--by-voice", action="store_true", default=None, help="called and spoken with, whatever the scenarios say")
        way.add_argument("--in-writing", action="store_false", dest="by_voice", help="in writing, whatever the scenarios say")
        parser.add_argument("--junit", metavar="FILE", help="also write the results as JUnit XML")
        parser.add_argument("--at-once", type=int, default=4, metavar="N", help="how many are held at the same time (4)")
        parser.add_argument("--limit", type=int, default=1800, metavar="S", help="give up after so many seconds (1800)")

    def handle(self, *args: object, **options: Any) -> None:
        agent = _agent(options["agent"])
        try:
            chosen = _scenarios(agent, options["scenario"])
            run = runs.begin_run(agent, by=None, is_draft=options["draft"], scenarios=chosen, by_voice=options["by_voice"])
        except (runs.NothingToRehearse, CallRefused) as error:
            self.stderr.write(error.message)
            sys.exit(2)
        progress = self._hold(run, min(max(options["at_once"], 1), _MOST_AT_ONCE), time.monotonic() + options["limit"])
        self._report(progress)
        if options["junit"]:
            Path(options["junit"]).write_bytes(junit(agent.name, progress))
        if not progress.has_passed:
            sys.exit(1)

    def _hold(self, run: RehearsalRun, at_once: int, deadline: float) -> runs.Progress:
        """Holds what no worker has taken, and waits for the rest."""
        jobs = list(Job.objects.filter(session__rehearsal__run=run, kind=JobKind.REHEARSE).values_list("pk", flat=True))
        told: set[int] = set()
        if at_once == 1:
            is_late = False
            for pk in jobs:
                if not is_late and time.monotonic() > deadline:
                    is_late = runs.stop_run(run)
                _held(pk, deadline)  # what was stopped ends without being held
                self._tell(run, told)
            if is_late:
                raise CommandError(_LATE)
            return self._await(run, told, deadline)
        with ThreadPoolExecutor(at_once, thread_name_prefix="rehearsal") as pool:
            for pk in jobs:
                pool.submit(_held_aside, pk, deadline)
            return self._await(run, told, deadline)

    def _await(self, run: RehearsalRun, told: set[int], deadline: float) -> runs.Progress:
        while not (progress := self._tell(run, told)).is_over:
            if time.monotonic() > deadline:
                runs.stop_run(run)
                raise CommandError(_LATE)
            time.sleep(_LOOK_S)
        return progress

    def _tell(self, run: RehearsalRun, told: set[int]) -> runs.Progress:
        """A line for each that is over and stands not in `told`."""
        progress = runs.progress(run)
        for result in progress.results:
            if result.is_over and result.pk not in told:
                told.add(result.pk)
                self.stdout.write(f"[{len(told)}/{progress.total}] {result.get_state_display():<18} {result.scenario.name}")
        return progress

    def _report(self, progress: runs.Progress) -> None:
        for result in progress.results:
            missed = [verdict for verdict in result.verdicts if not verdict["passed"]]
            if result.problem or missed:
                self.stdout.write(f"\n{result.scenario.name} ({result.session.session_id})")
            if result.problem:
                self.stdout.write(f"  {result.problem}")
            for verdict in missed:
                turns = f" [turns {', '.join(map(str, verdict['turns']))}]" if verdict["turns"] else ""
                self.stdout.write(f"  ✗ {verdict['wish']}: {verdict['why']}{turns}")
        self.stdout.write(f"\n{progress.passed} of {progress.total} passed")


def _held(job_id: int, deadline: float) -> None:
    """Holds it as often as it may be tried: where no worker runs nobody else would take it up again."""
    run_job(job_id, JobKind.REHEARSE, runs.rehearse, runs.MOST_TRIES)
    while due := Job.objects.filter(pk=job_id, state=Job.State.QUEUED).values_list("run_at", flat=True).first():
        wait_s = max((due - timezone.now()).total_seconds(), 0.0)
        if wait_s > _LOOK_S:  # a seat that is free ends the waiting of one by voice before its time
            if time.monotonic() > deadline:
                return
            time.sleep(_LOOK_S)
            continue
        if time.monotonic() + wait_s > deadline:
            return
        time.sleep(wait_s)
        run_job(job_id, JobKind.REHEARSE, runs.rehearse, runs.MOST_TRIES)


def _held_aside(job_id: int, deadline: float) -> None:
    try:
        _held(job_id, deadline)
    finally:
        connections.close_all()


def _agent(told: str) -> Agent:
    number = queries.whole_number(told)
    found = Agent.objects.filter(name=told) if number is None else Agent.objects.filter(pk=number)
    agents = list(found[:2])
    if len(agents) != 1:
        raise CommandError(f"There is {'more than one' if agents else 'no'} agent {told!r}. Give its number, as its page's address has it.")
    return agents[0]


def _scenarios(agent: Agent, names: list[str]) -> list[Scenario] | None:
    if not names:
        return None
    found = {scenario.name: scenario for scenario in Scenario.objects.filter(agent=agent, name__in=names)}
    if unknown := [name for name in names if name not in found]:
        raise CommandError(f"There is no scenario {', '.join(map(repr, unknown))} of this agent.")
    return list(found.values())


def junit(name: str, progress: runs.Progress) -> bytes:
    """One suite, one case for each scenario, as CI systems read it."""
    states = Counter(RehearsalResult.State(result.state) for result in progress.results)
    named = {"failures": RehearsalResult.State.FAILED, "errors": RehearsalResult.State.BROKEN, "skipped": RehearsalResult.State.STOPPED}
    counts = {word: str(states[state]) for word, state in named.items()}
    suite = ET.Element("testsuite", {"name": name, "tests": str(progress.total), **counts})
    for result in progress.results:
        seconds = f"{(result.lasted_ms or 0) / 1000:.3f}"
        case = ET.SubElement(suite, "testcase", {"classname": name, "name": result.scenario.name, "time": seconds})
        missed = [f"{verdict['wish']}: {verdict['why']}" for verdict in result.verdicts if not verdict["passed"]]
        if result.state == RehearsalResult.State.BROKEN:
            ET.SubElement(case, "error", {"message": result.problem})
        elif result.state == RehearsalResult.State.STOPPED:
            ET.SubElement(case, "skipped")
        elif result.state == RehearsalResult.State.FAILED:
            ET.SubElement(case, "failure", {"message": f"{len(missed)} missed"}).text = "\n".join([*missed, result.problem]).strip()
    ET.indent(suite)
    return bytes(ET.tostring(suite, encoding="utf-8", xml_declaration=True))
