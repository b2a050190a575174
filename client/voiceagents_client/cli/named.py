"""Agents as people name them: by their id, or by a name that only one of them has."""

import typer

from voiceagents_client.api import Client
from voiceagents_client.cli.terminal import complain


def agent_id(api: Client, told: str) -> int:
    """Says which agents there are, and ends with 2, where none or more than one is meant."""
    if told.isascii() and told.isdigit():
        return int(told)
    if (found := the_one(api, told)) is None:
        complain(f"There is no agent “{told}”. `voiceagents agent list` shows them all.")
        raise typer.Exit(2)
    return found


def the_one(api: Client, name: str) -> int | None:
    """The one agent of this name. A key that sees the agents of several people may find more: then nobody but its user can tell which."""
    found = [agent for agent in api.agents(name=name, limit=200) if agent["name"] == name]
    if len(found) > 1:
        whose = ", ".join(f"{agent['id']} ({agent['owner']})" for agent in found[:10])
        complain(f"There is more than one agent “{name}”: {whose}. Say which one by its id (for a file: --agent).")
        raise typer.Exit(2)
    return found[0]["id"] if found else None


def agent_or_all(api: Client, told: str) -> int | None:
    return agent_id(api, told) if told else None
