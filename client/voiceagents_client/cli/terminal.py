"""What the commands share: the server they talk to, and how things look."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.markup import escape

from voiceagents_client.api import Client
from voiceagents_client.errors import ApiError, Unreachable

# What is read by another program is not cut to the width of a screen.
_WIDE = 2_000
out = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
beside = Console(stderr=True, highlight=False)
UNAUTHORIZED = 401
FAILED = 1  # what was asked for did not happen; 2 is for what makes no sense
JSON = typer.Option(False, "--json", help="As JSON, for programs.")
AGENT = typer.Option("", "--agent", help="Of one agent, by its id or name.")
TONES = {"completed": "green", "in-progress": "bold green", "ringing": "yellow", "failed": "red", "busy": "red", "no-answer": "red"}


@dataclass(frozen=True)
class Server:
    url: str
    key: str = field(repr=False)

    def client(self) -> Client:
        for value, name, what in ((self.url, "URL", "the server's address"), (self.key, "KEY", "a key from the page “API keys”")):
            if not value:
                complain(f"Set VOICEAGENTS_{name} to {what}, or give --{name.lower()}.")
                raise typer.Exit(2)
        if urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).netloc:
            complain(f"“{self.url}” is no address of a server. Write it whole, such as https://voice.example.com.")
            raise typer.Exit(2)
        return Client(self.url, self.key)


def server_of(context: typer.Context) -> Server:
    found = context.find_object(Server)
    assert found is not None  # the callback above every command has put it there
    return found


def complain(text: str) -> None:
    beside.print(f"[red]{escape(text)}[/red]")


def explain(error: ApiError | Unreachable) -> None:
    """What went wrong, and what to look at."""
    if isinstance(error, Unreachable):
        complain(f"{error} Is VOICEAGENTS_URL right, and is the server up?")
        return
    for line in error.lines():
        complain(line)
    if error.status == UNAUTHORIZED:
        complain("Set VOICEAGENTS_KEY to a key from the page “API keys”.")


def as_json(told: Any, *, on_one_line: bool = False) -> None:
    """For programs: what the server said, as it said it."""
    sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=None if on_one_line else 2) + "\n")
    sys.stdout.flush()


def status_words(status: str) -> str:
    return f"[{TONES.get(status, 'default')}]{escape(status)}[/]"


def duration_words(seconds: int | None) -> str:
    return "–" if seconds is None else f"{seconds // 60}:{seconds % 60:02d}"


def money_words(totals: Mapping[str, Decimal | str], unpriced: int) -> str:
    """Each currency by itself; what has no price is said, not left out."""
    told = [f"{Decimal(amount):.4f} {currency}" for currency, amount in sorted(totals.items())]
    if unpriced:
        told.append(f"{unpriced} unpriced")
    return " + ".join(told) or "–"
