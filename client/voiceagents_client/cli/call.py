"""`voiceagents call`: one call, placed, looked at, hung up."""

import time
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from voiceagents_client.api import Client
from voiceagents_client.cli.named import agent_id
from voiceagents_client.cli.terminal import (
    FAILED,
    JSON,
    as_json,
    beside,
    complain,
    duration_words,
    money_words,
    out,
    server_of,
    status_words,
)

app = typer.Typer(no_args_is_help=True, help="One call.")
_OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
EVERY_S, SETTLES_IN_S = 1.0, 60.0


@app.command()
def place(
    context: typer.Context,
    agent: str = typer.Argument(help="The agent that talks, by its id or name."),
    to: str = typer.Argument(help="Whom to call, with country code: +919876543210"),
    from_: str = typer.Option("", "--from", help="One of your numbers; left out: the agent's."),
    customer: list[str] = typer.Option([], "--customer", help="A fact for the prompt, as name=value; may be given again."),
    once: str = typer.Option("", help="An Idempotency-Key, such as an order's number: the same one never rings twice in a day."),
    wait: bool = typer.Option(False, help="Stay until the call is over and its costs are known, and print what was said."),
    json: bool = JSON,
) -> None:
    """Rings somebody's phone. With --wait the exit code is 1 if nobody was talked to."""
    facts = dict(_fact(text) for text in customer)
    with server_of(context).client() as api:
        call: Any = api.place_call(agent=agent_id(api, agent), to=to, from_=from_, customer=facts, idempotency_key=once)
        if not json:
            out.print(f"{call['session_id']}  {status_words(call['status'])}")
        if wait:
            call = _await_end(api, call["session_id"])
        if json:
            as_json(call)
        elif wait:
            _show(call)
    if wait and call["status"] != "completed":
        raise typer.Exit(FAILED)


@app.command()
def show(context: typer.Context, session_id: str = typer.Argument(help="sess_…"), json: bool = JSON) -> None:
    """What was said in a call, how quick it was and what it cost."""
    with server_of(context).client() as api:
        call = api.call(session_id)
    as_json(call) if json else _show(call)


@app.command()
def hangup(context: typer.Context, session_id: str = typer.Argument(help="sess_…"), json: bool = JSON) -> None:
    """Ends a call."""
    with server_of(context).client() as api:
        told = api.hang_up(session_id)
    as_json(told) if json else out.print(escape(told["detail"]))


def _fact(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        complain(f"“{text}” is no fact. Write name=value, such as --customer name=Asha.")
        raise typer.Exit(2)
    return name.strip(), value


def _await_end(api: Client, session_id: str) -> dict[str, Any]:
    """The call once it is settled, or as it stands about a minute after its end: the carrier's price may take longer."""
    left_s = SETTLES_IN_S
    with beside.status("queued") as shown:
        while True:
            call = api.call(session_id)
            if call["settled_at"] is not None:
                beside.print("The call is over and settled.")
                return call
            if call["status"] in _OVER:
                if left_s <= 0:
                    beside.print(f"The call is over, but not settled: costs may be missing. See voiceagents call show {session_id} later.")
                    return call
                left_s -= EVERY_S
            shown.update(f"{call['status']}, {len(call['turns'])} turns")
            time.sleep(EVERY_S)


def _show(call: dict[str, Any]) -> None:
    out.print(f"{call['session_id']}  {status_words(call['status'])}  {call['from']} → {call['to']}  {escape(call['agent_name'])}")
    table = Table("At", "Who", "What was heard", "Latency", box=None, pad_edge=False)
    for turn in call["turns"]:
        latency = turn["latency"] and turn["latency"]["total_ms"]
        said = escape(turn["text"]) + (" [red](interrupted)[/red]" if turn["interrupted"] else "")
        table.add_row(duration_words(turn["started_ms"] // 1000), turn["speaker"], said, f"{latency} ms" if latency is not None else "")
    if call["turns"]:
        out.print(table)
    if call["failure"] or call["end_words"]:
        out.print(escape(call["failure"] or call["end_words"]))
    out.print(f"{duration_words(call['duration_s'])}  {money_words(call['totals'], call['unpriced'])}")
