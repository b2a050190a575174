"""`voiceagents agent`: agents as YAML files, which people can read, compare and keep with their programs."""

from pathlib import Path
from typing import Any, Final

import typer
import yaml
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from voiceagents_client.api import Client
from voiceagents_client.cli.terminal import beside, complain, out, server_of

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
def list_agents(context: typer.Context) -> None:
    """Your agents."""
    table = Table("Id", "Name", "Version", "Language", "State", box=None)
    with server_of(context).client() as api:
        for agent in api.agents(limit=200):
            state = "active" if agent["active"] else "[yellow]inactive[/yellow]"
            table.add_row(str(agent["id"]), escape(agent["name"]), str(agent["version"]), agent["language"], state)
    out.print(table)


@app.command("export")
def export_agent(
    context: typer.Context,
    agent_id: int = typer.Argument(help="The agent's id."),
    file: Path | None = typer.Argument(None, help="Left out: standard output."),
) -> None:
    """Writes an agent with its tools and the people it hands over to. Secrets are not in it: the server tells them to nobody."""
    with server_of(context).client() as api:
        told: dict[str, Any] = dict(api.agent(agent_id))
        written = {name: value for name, value in told.items() if name not in _TOLD}
        for kind in _PARTS:
            written[kind] = [
                {name: value for name, value in row.items() if name not in _PART_TOLD}
                for row in api.rows(f"{kind}/", agent=agent_id, limit=200)
            ]
    text = yaml.dump(written, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=120)
    if file is None:
        out.print(text, end="", markup=False, soft_wrap=True)
    else:
        file.write_text(text, encoding="utf-8")
        beside.print(f"{escape(told['name'])}, version {told['version']}, is in {escape(str(file))}")


@app.command("import")
def import_agent(
    context: typer.Context,
    file: Path = typer.Argument(help="What `agent export` wrote, or the like.", exists=True, dir_okay=False),
    agent_id: int | None = typer.Option(None, "--agent", help="The agent to change; left out: the one of this name, or a new one."),
    reason: str = typer.Option("", help="Why; kept with the version that is published."),
) -> None:
    """Makes or changes an agent as the file says. What the file does not name stays; tools and people are found by their names."""
    wanted = _read(file)
    parts = {kind: wanted.pop(kind, None) or [] for kind in _PARTS}
    with server_of(context).client() as api:
        if agent_id is None:
            agent_id = _named(api, wanted.get("name"))
        body = {**wanted, "reason": reason}
        told = api.post("agents/", body) if agent_id is None else api.patch(f"agents/{agent_id}/", body)
        for kind, rows in parts.items():
            if rows:
                _bring(api, kind, told["id"], rows)
        told = dict(api.agent(told["id"]))
    out.print(f"{escape(told['name'])} is agent {told['id']}, version {told['version']}.")
    for warning in told["warnings"]:
        beside.print(f"[yellow]{escape(warning)}[/yellow]")


def _named(api: Client, name: Any) -> int | None:
    """The one agent of this name. A key that sees the agents of several people may find more: then nobody but its user can tell which."""
    if not name or not isinstance(name, str):
        return None
    found = [agent for agent in api.agents(name=name, limit=200) if agent["name"] == name]
    if len(found) > 1:
        whose = ", ".join(f"{agent['id']} ({agent['owner']})" for agent in found[:10])
        complain(f"There is more than one agent “{name}”: {whose}. Say which one with --agent.")
        raise typer.Exit(2)
    return found[0]["id"] if found else None


def _bring(api: Client, kind: str, agent_id: int, rows: list[dict[str, Any]]) -> None:
    known = {row["name"]: row["id"] for row in api.rows(f"{kind}/", agent=agent_id, limit=200)}
    for row in track(rows, description=kind.capitalize(), console=beside, transient=True):
        if (found := known.get(row.get("name"))) is not None:
            api.patch(f"{kind}/{found}/", row)
        else:
            api.post(f"{kind}/", {**row, "agent": agent_id})


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
