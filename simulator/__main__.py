"""`python -m simulator`: serve the fake parties, or place a call on a server that runs."""

import argparse
import os
import sys

from simulator import serving
from simulator.dialling import Order, dial


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 success, 1 a call that was not, 2 nothing could be tried."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "serve":
            serving.serve(options.port, host=options.host, settings_file=options.settings, data_dir=options.data)
            return 0
        return dial(
            Order(
                server=f"http://{options.host}:{options.port}",
                to_number=options.to,
                from_number=options.from_number,
                scenario=options.scenario,
                count=options.count,
                concurrency=options.concurrency,
                over_s=options.over,
                as_json=options.json,
            )
        )
    except serving.CannotServe as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run the fake Exotel, OpenAI, Deepgram, ElevenLabs and S3 on one port")
    serve.add_argument("--settings", help="TOML file; Exotel's settings in its table [exotel]")
    serve.add_argument("--data", help="directory for objects, recordings and cached speech (default: a temporary one)")
    call = commands.add_parser("call", help="place a call and play a scenario; exit 0 only if it was completed and no rule was broken")
    call.add_argument("--to", required=True, help="the exophone to dial")
    call.add_argument("--from", dest="from_number", default="", help="the caller's number")
    call.add_argument("--scenario", required=True, help="a file, or a name in simulator/scenarios")
    call.add_argument("--json", action="store_true", help="print events as one JSON object per line")
    call.add_argument("--count", type=_positive, default=1, help="how many calls in all")
    call.add_argument("--concurrency", type=_positive, default=1, help="how many of them at once")
    call.add_argument("--over", type=float, default=0.0, help="begin the calls evenly spread over so many seconds (default: together)")
    for command in (serve, call):
        command.add_argument("--host", default="127.0.0.1")
        command.add_argument("--port", type=int, default=int(os.environ.get("SIMULATOR_PORT") or 9000))
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
