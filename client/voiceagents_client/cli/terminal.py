"""What the commands share: the server they talk to, and how things look."""

import io
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import typer
from rich.console import Console
from rich.markup import escape

from voiceagents_client.api import Client, is_fit_for_a_header
from voiceagents_client.errors import ApiError, Unreachable

# What is read by another program is not cut to the width of a screen.
_WIDE = 2_000
# Names and prompts are shown as they are: “:phone:” in them is no picture of one.
out = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else _WIDE)
beside = Console(stderr=True, highlight=False, emoji=False)
UNAUTHORIZED = 401
FAILED = 1  # what was asked for did not happen
NO_SENSE = 2  # what was typed, or nobody knows whether it happened
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
        try:
            return Client(self.url, self.key)
        except (ValueError, ImportError, httpx.InvalidURL) as error:  # the last two: a proxy of the environment that cannot be used
            complain(str(error))
            raise typer.Exit(2) from error


def idempotency_key(key: str) -> str:
    """For --once: refuses what no header can carry."""
    if not is_fit_for_a_header(key):
        raise typer.BadParameter("Use letters from a to z, digits and signs, with no space before or behind them.")
    return key


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
    plainly(json_text(told, on_one_line=on_one_line))


def json_text(told: Any, *, on_one_line: bool = False) -> str:
    return json.dumps(told, ensure_ascii=False, indent=None if on_one_line else 2) + "\n"


def plainly(text: str) -> None:
    """Exactly this, to standard output: neither wrapped nor with tabs, signs or brackets changed."""
    sys.stdout.write(text)
    sys.stdout.flush()


def speak_utf_8() -> None:
    """Programs that read from us get UTF-8, whatever the machine's code page; a screen keeps its own, and “?” for what that lacks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding=None if sys.stdout.isatty() else "utf-8", errors="replace")


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
