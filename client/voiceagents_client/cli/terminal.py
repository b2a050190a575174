"""What the commands share: the server they talk to, and how things look."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import typer
from rich.console import Console
from rich.markup import escape

from voiceagents_client.api import Client

out = Console(highlight=False)
beside = Console(stderr=True, highlight=False)
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
        return Client(self.url, self.key)


def server_of(context: typer.Context) -> Server:
    found = context.find_object(Server)
    assert found is not None  # the callback above every command has put it there
    return found


def complain(text: str) -> None:
    beside.print(f"[red]{escape(text)}[/red]")


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
