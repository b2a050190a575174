"""`voiceagents costs`: what was spent, added up by what one asks for."""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from voiceagents_client.cli.named import agent_or_all
from voiceagents_client.cli.terminal import AGENT, JSON, as_json, beside, out, server_of
from voiceagents_client.shapes import Charge


class By(StrEnum):
    PROVIDER = "provider"
    MODEL = "model"
    KIND = "kind"
    CALL = "call"


_KEYS: dict[By, Callable[[Charge], str]] = {
    By.PROVIDER: lambda charge: charge["provider"],
    By.MODEL: lambda charge: f"{charge['provider']} {charge['model']}".strip(),
    By.KIND: lambda charge: "tax" if charge["is_tax"] else charge["kind"],
    By.CALL: lambda charge: charge["session_id"],
}


def costs(
    context: typer.Context,
    since: str = typer.Option("", help="Calls from this date or time on; left out: from the first one on, which may take long."),
    until: str = typer.Option("", help="Calls before this date or time."),
    agent: str = AGENT,
    by: By = typer.Option(By.PROVIDER, help="What the sums are for."),
    json: bool = JSON,
) -> None:
    """Adds up the charges of calls. Currencies are never added to each other; what has no price is counted."""
    sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    unpriced: dict[str, int] = defaultdict(int)
    columns = (TextColumn("Reading charges"), BarColumn(), MofNCompleteColumn())
    with server_of(context).client() as api, Progress(*columns, console=beside, transient=True) as progress:
        agent_id, reading = agent_or_all(api, agent), progress.add_task("charges", total=None)
        for charge in api.charges(since=since, until=until, agent=agent_id, limit=200):
            name = _KEYS[by](charge)
            if charge["amount"] is None:
                unpriced[name] += 1
            else:
                sums[name][charge["currency"]] += Decimal(charge["amount"])
            progress.advance(reading)
    names = sorted({*sums, *unpriced})
    if json:
        told = [
            {by.value: name, "amounts": {key: str(sum_) for key, sum_ in sums[name].items()}, "unpriced": unpriced[name]} for name in names
        ]
        as_json(told)
    elif names:
        _print(by, sums, unpriced)
    else:
        beside.print("There are no charges.")


def _print(by: By, sums: dict[str, dict[str, Decimal]], unpriced: dict[str, int]) -> None:
    currencies = sorted({currency for found in sums.values() for currency in found})
    table = Table(by.value.capitalize(), *currencies, "Unpriced", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for name in sorted({*sums, *unpriced}):
        amounts = [f"{sums[name][currency]:.4f}" if currency in sums[name] else "" for currency in currencies]
        table.add_row(escape(name), *amounts, str(unpriced[name]) if unpriced.get(name) else "")
    totals = [sum((found.get(currency, Decimal(0)) for found in sums.values()), Decimal(0)) for currency in currencies]
    table.add_section()
    table.add_row("All", *(f"{total:.4f}" for total in totals), str(sum(unpriced.values()) or ""), style="bold")
    out.print(table)
