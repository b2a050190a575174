"""`voiceagents rehearse`: an agent's scenarios, held by the server's workers and graded, for people and for CI.

The exit code is that of `manage.py rehearse`: 0 all passed, 1 not all, 2 nothing could be rehearsed, or nobody knows how it went.
"""

import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from voiceagents_client.api import Client
from voiceagents_client.cli.named import agent_id
from voiceagents_client.cli.onlooking import Onlooker
from voiceagents_client.cli.terminal import JSON, as_json, beside, complain, duration_words, explain, idempotency_key, out, server_of
from voiceagents_client.errors import ApiError, Unreachable
from voiceagents_client.shapes import Rehearsal, RehearsalResult

_NOT_ALL, _NOTHING = 1, 2
_WORDS: Final = {"passed": "[green]passed[/green]", "failed": "[red]failed[/red]", "broken": "[red]not held[/red]", "stopped": "stopped"}


def rehearse(
    context: typer.Context,
    agent: str = typer.Argument(help="The agent's id or name."),
    scenario: list[str] = typer.Option([], "--scenario", help="Only this one, by its name; may be given again."),
    draft: bool = typer.Option(False, "--draft", help="With the draft instead of what is live."),
    by_voice: bool | None = typer.Option(None, "--by-voice/--in-writing", help="Whatever the scenarios say of themselves."),
    junit: Path | None = typer.Option(None, "--junit", help="Also write the results as JUnit XML.", dir_okay=False),
    limit_s: float = typer.Option(1800, "--limit", min=1, help="Give up after so many seconds; what has not begun is then stopped."),
    every_s: float = typer.Option(2.0, "--every", min=0.2, help="Seconds between two looks."),
    once: str = typer.Option(
        "", help="An Idempotency-Key, such as a build's number: the same one never rehearses twice in a day.", callback=idempotency_key
    ),
    json: bool = JSON,
) -> None:
    """Holds an agent's scenarios with a simulated caller and grades them.

    Exit code 0: all passed; 1: not all; 2: nothing was rehearsed, or the server was lost and nobody knows how it went.
    """
    if junit is not None:
        _make_sure_of(junit)
    begun: Rehearsal | None = None
    try:
        with server_of(context).client() as api:
            rehearsed = agent_id(api, agent)
            chosen = _scenario_ids(api, rehearsed, scenario) if scenario else None
            begun = api.rehearse(agent=rehearsed, draft=draft, scenarios=chosen, by_voice=by_voice, idempotency_key=once)
            beside.print(f"Rehearsal {begun['id']}")
            told = _await_end(api, begun, time.monotonic() + limit_s, every_s)
    except (ApiError, Unreachable) as error:
        explain(error)
        if begun is not None:
            complain(f"Nobody knows how rehearsal {begun['id']} went. It may go on, and cost.")
        raise typer.Exit(_NOTHING) from error
    as_json(told) if json else _print(told)
    if junit is not None:
        _write(junit, as_junit(told))
    if told["state"] == "running":
        complain("Not all conversations were over in time. Do workers run, and is the language model reachable? --limit allows more.")
    if told["state"] != "passed":
        raise typer.Exit(_NOT_ALL)


def _make_sure_of(file: Path) -> None:
    """That it can be written, before anything costs. A file that is there keeps its content until there are results."""
    try:
        is_new = not file.exists()
        file.open("ab").close()
        if is_new:
            file.unlink()
    except OSError as error:
        complain(f"{file} cannot be written: {error.strerror or error}. Nothing was rehearsed.")
        raise typer.Exit(_NOTHING) from error


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:  # 1 would say that not all passed
        complain(f"{file} could not be written: {error.strerror or error}.")
        raise typer.Exit(_NOTHING) from error


def _scenario_ids(api: Client, agent_id: int, names: list[str]) -> list[int]:
    known = {row["name"]: row["id"] for row in api.scenarios(agent=agent_id, limit=200)}
    if unknown := [name for name in names if name not in known]:
        complain(f"The agent has no scenario {', '.join(f'“{name}”' for name in unknown)}.")
        raise typer.Exit(_NOTHING)
    return [known[name] for name in dict.fromkeys(names)]


def _await_end(api: Client, told: Rehearsal, deadline: float, every_s: float) -> Rehearsal:
    """Looks on until nothing waits or talks; at the deadline what waits is stopped, and how things then stand is the answer."""
    onlooker, rehearsal_id = Onlooker(), told["id"]
    columns = (TextColumn("Rehearsing {task.fields[name]}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=beside, transient=True) as progress:
        bar = progress.add_task("rehearsal", total=told["total"], name=told["agent_name"], completed=told["over"])
        while told["state"] == "running":
            if time.monotonic() > deadline:
                return _stopped(api, rehearsal_id)
            time.sleep(every_s)
            told = onlooker.look(lambda: api.rehearsal(rehearsal_id)) or told
            progress.update(bar, completed=told["over"])
    return told


def _stopped(api: Client, rehearsal_id: int) -> Rehearsal:
    try:
        api.stop_rehearsal(rehearsal_id)
    except ApiError as error:
        if error.status != 409:  # all of it has begun: there is nothing to stop
            raise
    return {**api.rehearsal(rehearsal_id), "state": "running"}


def _print(told: Rehearsal) -> None:
    table = Table("Scenario", "Result", "Took", "Cost", "What was missed, and where it is seen", box=None)
    for result in told["results"]:
        length = duration_words(None if result["lasted_ms"] is None else round(result["lasted_ms"] / 1000))
        cost = "–" if result["cost"] is None else f"{result['cost']} {result['currency']}"
        state = _WORDS.get(result["state"], escape(result["state"]))
        table.add_row(escape(result["scenario_name"]), state, length, cost, escape("\n".join(missed_by(result))))
    out.print(table)
    out.print(f"{told['passed']} of {told['total']} passed (rehearsal {told['id']})")


def missed_by(result: RehearsalResult) -> list[str]:
    """A line for what kept it from being held, and two or more for each wish that was not fulfilled: why, and the turns that show it."""
    lines = [result["problem"]] if result["problem"] else []
    for verdict in result["verdicts"]:
        if not verdict["passed"]:
            lines.append(f"✗ {verdict['wish']}: {verdict['why']}")
            lines += [f"  {turn['number']} {turn['speaker']}: {turn['text']}" for turn in verdict["evidence"]]
    return lines


def as_junit(told: Rehearsal) -> bytes:
    """One suite, one case for each scenario, as CI systems read it."""
    results = told["results"]
    count = {state: sum(result["state"] == state for result in results) for state in ("failed", "broken", "stopped")}
    counts = {
        "tests": str(len(results)),
        "failures": str(count["failed"]),
        "errors": str(count["broken"]),
        "skipped": str(count["stopped"]),
    }
    suite = ET.Element("testsuite", {"name": told["agent_name"], **counts})
    for result in results:
        seconds = f"{(result['lasted_ms'] or 0) / 1000:.3f}"
        case = ET.SubElement(suite, "testcase", {"classname": told["agent_name"], "name": result["scenario_name"], "time": seconds})
        if result["state"] == "failed":
            missed = sum(not verdict["passed"] for verdict in result["verdicts"])
            ET.SubElement(case, "failure", {"message": f"{missed} missed"}).text = "\n".join(missed_by(result))
        elif result["state"] == "broken":
            ET.SubElement(case, "error", {"message": result["problem"]})
        elif result["state"] != "passed":
            ET.SubElement(case, "skipped")
    ET.indent(suite)
    return bytes(ET.tostring(suite, encoding="utf-8", xml_declaration=True))
