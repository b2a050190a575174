"""Agents as people name them: by their id, or by a name that only one of them has."""

from typing import Final

import typer

from voiceagents_client.api import Client
from voiceagents_client.cli.terminal import complain
from voiceagents_client.errors import ApiError

_LONGEST_ID: Final = 18  # digits that a database counts to
_FORBIDDEN, _NOT_FOUND = 403, 404


def agent_id(api: Client, told: str) -> int:
    """Says which agents there are, and ends with 2, where none or more than one is meant."""
    if told.isascii() and told.isdigit() and len(told) <= _LONGEST_ID:
        return _of_digits(api, told)
    if (found := the_one(api, told)) is None:
        complain(f"There is no agent “{told}”. `voiceagents agent list` shows them all.")
        raise typer.Exit(2)
    return found


def _of_digits(api: Client, told: str) -> int:
    """An id, or a name that is all digits: who means the one must not reach the other."""
    try:
        named = the_one(api, told)
    except ApiError as error:
        if error.status != _FORBIDDEN:
            raise
        return int(told)  # a key that may not read agents knows them by their ids alone
    if named is None or named == int(told):
        return int(told)
    try:
        other = api.agent(int(told))
    except ApiError as error:
        if error.status != _NOT_FOUND:
            raise
        return named
    complain(
        f"“{told}” is the name of agent {named} and the id of “{other['name']}”. Say {named} for the one, “{other['name']}” for the other."
    )
    raise typer.Exit(2)


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
