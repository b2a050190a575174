"""`voiceagents calls`: a list, and what changes while one looks on."""

import time
from datetime import UTC, datetime, timedelta
from itertools import islice

import typer
from rich.markup import escape
from rich.table import Table

from voiceagents_client.api import Client
from voiceagents_client.cli.named import agent_or_all
from voiceagents_client.cli.onlooking import Onlooker
from voiceagents_client.cli.terminal import (
    AGENT,
    JSON,
    as_json,
    beside,
    duration_words,
    money_words,
    out,
    server_of,
    status_words,
)
from voiceagents_client.shapes import Call

app = typer.Typer(no_args_is_help=True, help="Many calls.")
# Calls are followed for so long after they were opened: what a look asks for does not grow with the tail's age.
STILL_OPEN = timedelta(hours=2)


@app.command("list")
def list_calls(
    context: typer.Context,
    agent: str = AGENT,
    status: str = typer.Option("", help="queued, ringing, in-progress, completed, busy, failed, no-answer, canceled"),
    number: str = typer.Option("", help="Either side's number, or its last digits."),
    text: str = typer.Option("", help="Words that were said in it."),
    since: str = typer.Option("", help="From this date or time on: 2026-11-01, or 2026-11-01T09:00:00+05:30."),
    until: str = typer.Option("", help="Before this date or time."),
    limit: int = typer.Option(20, min=1, max=1000, help="How many, newest first."),
    json: bool = JSON,
) -> None:
    """The newest calls."""
    with server_of(context).client() as api:
        filters = {"agent": agent_or_all(api, agent), "status": status, "number": number, "text": text, "since": since, "until": until}
        found = list(islice(api.calls(**filters, limit=min(limit, 200)), limit))
        if json:
            as_json(found)
            return
        if not found:
            beside.print("There are no such calls.")
            return
        table = Table("Call", "When", "Agent", "From", "To", "Status", "Length", "Cost", box=None)
        for call in found:
            table.add_row(
                call["session_id"],
                _local(call["created_at"]),
                escape(call["agent_name"]),
                call["from"],
                call["to"],
                status_words(call["status"]),
                duration_words(call["duration_s"]),
                money_words(call["totals"], call["unpriced"]),
            )
    out.print(table)


@app.command()
def tail(
    context: typer.Context,
    agent: str = AGENT,
    every_s: float = typer.Option(2.0, "--every", min=0.2, help="Seconds between two looks."),
    rounds: int = typer.Option(0, min=0, help="Stop after so many looks; 0: never."),
    json: bool = JSON,
) -> None:
    """A line for each change of each call, as it comes; with --json the call. Ctrl-C ends it, a server that is away does not."""
    known: dict[str, tuple[str, bool]] = {}
    with server_of(context).client() as api:
        agent_id, look, onlooker = agent_or_all(api, agent), 0, Onlooker()
        while True:
            look += 1
            found = _recent(api, agent_id) if look == 1 else onlooker.look(lambda: _recent(api, agent_id))
            if found is not None:
                stand = {session_id: (call["status"], call["settled_at"] is not None) for session_id, call in found.items()}
                for session_id, now in reversed(stand.items()):
                    if known.get(session_id) != now and (look > 1 or not now[1]):
                        as_json(found[session_id], on_one_line=True) if json else out.print(_line(found[session_id]))
                known = stand
            if look == rounds:
                return
            time.sleep(every_s)


def _recent(api: Client, agent_id: int | None) -> dict[str, Call]:
    begun = datetime.now(UTC) - STILL_OPEN
    return {call["session_id"]: call for call in api.calls(agent=agent_id, since=begun.isoformat(), limit=200)}


def _line(call: Call) -> str:
    told = [datetime.now().astimezone().strftime("%H:%M:%S"), call["session_id"], status_words(call["status"])]
    told += [f"{call['from']} → {call['to']}", escape(call["agent_name"])]
    if call["duration_s"] is not None:
        told.append(duration_words(call["duration_s"]))
    if call["end_words"]:
        told.append(escape(call["end_words"]))
    if call["settled_at"]:
        told.append(f"settled {money_words(call['totals'], call['unpriced'])}")
    return "  ".join(told)


def _local(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone().strftime("%d %b %H:%M")
