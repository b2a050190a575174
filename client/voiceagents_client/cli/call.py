"""`voiceagents call`: one call, placed, looked at, hung up."""

import time
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from voiceagents_client.api import Client
from voiceagents_client.cli.named import agent_id
from voiceagents_client.cli.onlooking import Onlooker
from voiceagents_client.cli.terminal import (
    FAILED,
    JSON,
    NO_SENSE,
    as_json,
    beside,
    complain,
    duration_words,
    explain,
    idempotency_key,
    money_words,
    out,
    server_of,
    status_words,
)
from voiceagents_client.errors import ApiError

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
    once: str = typer.Option(
        "", help="An Idempotency-Key, such as an order's number: the same one never rings twice in a day.", callback=idempotency_key
    ),
    wait: bool = typer.Option(False, help="Stay until the call is over and its costs are known, and print what was said."),
    limit_s: float = typer.Option(7200, "--limit", min=1, help="With --wait: give up after so many seconds. The call goes on."),
    json: bool = JSON,
) -> None:
    """Rings somebody's phone. With --wait the exit code is 1 if nobody was talked to, and 2 if nobody knows: the call may go on."""
    facts = dict(_fact(text) for text in customer)
    with server_of(context).client() as api:
        call: Any = api.place_call(agent=agent_id(api, agent), to=to, from_=from_, customer=facts, idempotency_key=once)
        if not json:
            out.print(f"{call['session_id']}  {status_words(call['status'])}")
        elif wait:  # standard output has nothing until the end, and this program may be ended before that
            beside.print(call["session_id"])
        is_over = False
        if wait:
            call, is_over = _await_end(api, call, time.monotonic() + limit_s)
        if json:
            as_json(call)
        elif is_over:
            _show(call)
    if wait and not is_over:
        complain(f"Nobody knows how the call ends, and it may go on. See voiceagents call show {call['session_id']} later.")
        raise typer.Exit(NO_SENSE)
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


def _await_end(api: Client, call: dict[str, Any], deadline: float) -> tuple[dict[str, Any], bool]:
    """The call as it was last seen, and whether it was over then.

    It ends once the call is settled, about a minute after its end (the carrier's price may take longer), at the deadline, or when the
    server refuses to tell more.
    """
    session_id, left_s, is_over, onlooker = call["session_id"], SETTLES_IN_S, False, Onlooker()
    with beside.status("queued") as shown:
        while left_s > 0 and time.monotonic() < deadline:
            try:
                seen = onlooker.look(lambda: api.call(session_id))
            except ApiError as error:
                explain(error)
                break
            if seen is not None:
                call, is_over = seen, seen["status"] in _OVER
                if call["settled_at"] is not None:
                    beside.print("The call is over and settled.")
                    return call, True
                left_s -= EVERY_S if is_over else 0
                shown.update(f"{call['status']}, {len(call['turns'])} turns")
            time.sleep(EVERY_S)
    if is_over:
        beside.print(f"The call is over, but not settled: costs may be missing. See voiceagents call show {session_id} later.")
    return call, is_over


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
