"""`voiceagents agent`: agents as YAML files, which people can read, compare and keep with their programs."""

from pathlib import Path
from typing import Any, Final

import typer
import yaml
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from voiceagents_client.api import Client
from voiceagents_client.cli.named import agent_id, the_one
from voiceagents_client.cli.terminal import JSON, as_json, beside, complain, json_text, out, plainly, server_of
from voiceagents_client.errors import ApiError

app = typer.Typer(no_args_is_help=True, help="Agents.")
# What the server says of an agent and nobody sets.
_TOLD: Final = ("id", "owner", "version", "warnings", "created_at", "updated_at")
_PART_TOLD: Final = ("id", "agent")
_PARTS: Final = ("tools", "destinations")


class _Plain(yaml.SafeDumper):
    """Long texts as blocks, as they were written."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Plain.add_representer(str, _text)


@app.command("list")
def list_agents(context: typer.Context, json: bool = JSON) -> None:
    """Your agents."""
    with server_of(context).client() as api:
        found = list(api.agents(limit=200))
    if json:
        as_json(found)
        return
    if not found:
        beside.print("You have no agents yet.")
        return
    table = Table("Id", "Name", "Version", "Language", "State", box=None)
    for agent in found:
        state = "active" if agent["active"] else "[yellow]inactive[/yellow]"
        table.add_row(str(agent["id"]), escape(agent["name"]), str(agent["version"]), agent["language"], state)
    out.print(table)


@app.command("export")
def export_agent(
    context: typer.Context,
    agent: str = typer.Argument(help="The agent's id or name."),
    file: Path | None = typer.Argument(None, help="Left out: standard output."),
    json: bool = JSON,
) -> None:
    """Writes an agent with its tools and the people it hands over to. Secrets are not in it: the server tells them to nobody.

    With --json it is JSON, which `import` reads too.
    """
    with server_of(context).client() as api:
        told: dict[str, Any] = dict(api.agent(agent_id(api, agent)))
        written = {name: value for name, value in told.items() if name not in _TOLD}
        for kind in _PARTS:
            written[kind] = [
                {name: value for name, value in row.items() if name not in _PART_TOLD}
                for row in api.rows(f"{kind}/", agent=told["id"], limit=200)
            ]
    text = json_text(written) if json else yaml.dump(written, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=120)
    if file is None:
        plainly(text)
    else:
        file.write_text(text, encoding="utf-8")
        beside.print(f"{escape(told['name'])}, version {told['version']}, is in {escape(str(file))}")


@app.command("import")
def import_agent(
    context: typer.Context,
    file: Path = typer.Argument(help="What `agent export` wrote, or the like.", exists=True, dir_okay=False),
    agent: str = typer.Option(
        "", "--agent", help="The agent to change, by id or name; left out: the one of the file's name, or a new one."
    ),
    reason: str = typer.Option("", help="Why; kept with the version that is published."),
    json: bool = JSON,
) -> None:
    """Makes or changes an agent as the file says. What the file does not name stays; tools and people are found by their names."""
    wanted = _read(file)
    parts = {kind: wanted.pop(kind, None) or [] for kind in _PARTS}
    with server_of(context).client() as api:
        known = agent_id(api, agent) if agent else _of_the_file(api, wanted.get("name"))
        body = {**wanted, "reason": reason}
        told = api.post("agents/", body) if known is None else api.patch(f"agents/{known}/", body)
        for kind, rows in parts.items():
            if rows:
                _bring(api, kind, told["id"], rows)
        told = dict(api.agent(told["id"]))
    if json:
        as_json(told)
    else:
        out.print(f"{escape(told['name'])} is {'a new agent' if known is None else 'agent'} {told['id']}, version {told['version']}.")
    for warning in told["warnings"]:
        beside.print(f"[yellow]{escape(warning)}[/yellow]")


def _of_the_file(api: Client, name: Any) -> int | None:
    return the_one(api, name) if name and isinstance(name, str) else None


def _bring(api: Client, kind: str, agent_id: int, rows: list[dict[str, Any]]) -> None:
    known = {row["name"]: row["id"] for row in api.rows(f"{kind}/", agent=agent_id, limit=200)}
    for row in track(rows, description=kind.capitalize(), console=beside, transient=True):
        try:
            if (found := known.get(row.get("name"))) is not None:
                api.patch(f"{kind}/{found}/", row)
            else:
                api.post(f"{kind}/", {**row, "agent": agent_id})
        except ApiError:
            complain(
                f"The agent itself is as the file says; of its {kind}, “{row.get('name')}” was refused, and those behind it were not sent:"
            )
            raise


def _read(file: Path) -> dict[str, Any]:
    try:
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        complain(f"{file} is no YAML: {error}")
        raise typer.Exit(2) from error
    if not isinstance(told, dict) or not all(isinstance(told.get(kind) or [], list) for kind in _PARTS):
        complain(f"{file} does not describe an agent. `voiceagents agent export` shows how one looks.")
        raise typer.Exit(2)
    return {name: value for name, value in told.items() if name not in _TOLD}
