"""The `voiceagents` command: calls, agents, rehearsals and costs from a terminal. Money is added up as decimals, never floats."""

import sys

import typer

from voiceagents_client.cli import agent, call, calls, costs, rehearse, terminal
from voiceagents_client.errors import ApiError, Unreachable

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(calls.app, name="calls")
app.add_typer(call.app, name="call")
app.add_typer(agent.app, name="agent")
app.command("costs")(costs.costs)
app.command("rehearse")(rehearse.rehearse)


@app.callback()
def remember(
    context: typer.Context,
    url: str = typer.Option("", envvar="VOICEAGENTS_URL", help="Where the server is: https://voice.example.com"),
    key: str = typer.Option("", envvar="VOICEAGENTS_KEY", help="An API key (page “API keys”). Better in the environment than here."),
) -> None:
    context.obj = terminal.Server(url, key)


def main() -> None:
    """Runs the command. What goes wrong is told in a line or two, never as a traceback; the code is then 1."""
    try:
        app()
    except ApiError as error:
        for line in error.lines():
            terminal.complain(line)
        if error.status == 401:
            terminal.complain("Set VOICEAGENTS_KEY to a key from the page “API keys”.")
        sys.exit(1)
    except Unreachable as error:
        terminal.complain(f"{error} Is VOICEAGENTS_URL right, and is the server up?")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
