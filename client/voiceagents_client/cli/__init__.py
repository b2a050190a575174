"""The `voiceagents` command: calls, agents, rehearsals and costs from a terminal. Money is added up as decimals, never floats."""

import sys
from importlib import metadata

import typer

from voiceagents_client.cli import agent, call, calls, costs, rehearse, terminal
from voiceagents_client.errors import ApiError, Unreachable

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(calls.app, name="calls")
app.add_typer(call.app, name="call")
app.add_typer(agent.app, name="agent")
app.command("costs")(costs.costs)
app.command("rehearse")(rehearse.rehearse)


def _version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        told = metadata.version("voiceagents-client")
    except metadata.PackageNotFoundError:
        told = "from a checkout"
    terminal.out.print(f"voiceagents {told}")
    raise typer.Exit


@app.callback()
def remember(
    context: typer.Context,
    url: str = typer.Option("", envvar="VOICEAGENTS_URL", help="Where the server is: https://voice.example.com"),
    key: str = typer.Option("", envvar="VOICEAGENTS_KEY", help="An API key (page “API keys”). Better in the environment than here."),
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Says which version this is."),
) -> None:
    context.obj = terminal.Server(url, key)


def main() -> None:
    """Runs the command. What goes wrong is told in a line or two, never as a traceback; the code is then 1, or 2 for nonsense."""
    terminal.speak_utf_8()
    try:
        app()
    except (ApiError, Unreachable) as error:
        terminal.explain(error)
        sys.exit(terminal.FAILED)
    except OSError as error:  # a file that cannot be written
        terminal.complain(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
        sys.exit(terminal.FAILED)
    except UnicodeEncodeError:  # bytes of the command line that are no text
        terminal.complain("What was typed has characters that cannot be sent. Type it in UTF-8.")
        sys.exit(terminal.NO_SENSE)
    except KeyboardInterrupt:
        sys.exit(130)
