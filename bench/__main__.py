"""`make bench`: N simulated calls at once against the real processes, with every outside wait scripted and subtracted.

The media process has a core of its own; simulator, web, Postgres and the callers share the others. Speech is the simulator's tone code, so
recognition costs next to nothing and what is measured is ours. `make bench-peers` measures a bare relay and Pipecat in the same run;
`make bench-capacity` looks for how many calls a core carries.
"""

import argparse
import json
import os
import platform
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bench import capacity
from bench.figures import Figures, first_sound_ms, middle, percentile
from bench.ground import HEARING_MS, SCRIPTED_MS, Ground, ground
from bench.line import greetings, idle, measure, place
from bench.tables import Capacity, Standing, as_json, markdown, one_line, standings, table
from deploy.local.places import LOCAL, LOGS, ROOT

RESULTS = LOCAL / "bench"
_MARKED = re.compile(r"(?<=<!-- bench -->\n).*?(?=<!-- /bench -->)", re.DOTALL)
_WARM_CALLS, _GREETINGS, _IDLE_S = 5, 10, 10.0


def main() -> int:
    options = _options()
    if options.paste:
        return _paste()
    machine = _machine()
    print(f"{machine}\n", flush=True)
    runs: list[Figures] = []
    capacities: list[Capacity] = []
    with ground(peers=options.peers, first=options.first) as field:
        idle_share = _warmed(field)
        if options.capacity:
            capacities = _capacities(field, options.frames, idle_share, runs)
            rows = runs
        else:
            rows = _rows(field, options, idle_share, runs)
        standing = _standings(field, idle_share)
    print(f"\n{machine}\n\n{table(rows)}\n\n{standings(standing)}")
    for found in capacities:
        print(found.sentence)
    RESULTS.mkdir(parents=True, exist_ok=True)
    name = "capacity" if options.capacity else "table"
    (RESULTS / f"{name}.md").write_text(markdown(machine, [] if options.capacity else rows, standing, capacities), encoding="utf-8")
    told = json.dumps(as_json(machine, rows, runs, standing, capacities), indent=1)
    for path in (RESULTS / f"{name}.json", RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}.json"):
        path.write_text(told, encoding="utf-8")
    print(f"\nAlso in {RESULTS.relative_to(ROOT)}: {name}.md, {name}.json. `make bench-readme` puts the last table into README.md.")
    return 0


def _warmed(field: Ground) -> dict[str, float]:
    """Fills every cache and connection, then looks what each subject takes without a call: ms of CPU in each ms."""
    shares = {}
    for subject in field.subjects:
        if not place(field.line, subject, _WARM_CALLS, "conversation", quietly=True):
            raise SystemExit(f"No call to {subject.name} was completed. What the processes said is in {LOGS}.")
        time.sleep(2)
        load = idle(field.line, subject, _IDLE_S)
        shares[subject.name] = load.cpu_ms / load.elapsed_ms
    return shares


def _rows(field: Ground, options: argparse.Namespace, idle_share: dict[str, float], runs: list[Figures]) -> list[Figures]:
    """Every subject's turn comes in each run, so that a disturbance of the machine hits them alike."""
    found: dict[tuple[str, int, int], list[Figures]] = {}
    for run in range(options.runs):
        for frame_ms in options.frames:
            for calls in options.calls:
                for subject in field.subjects:
                    row = measure(field.line, subject, calls, frame_ms, idle_share[subject.name])
                    print(f"run {run + 1} of {options.runs}: {one_line(row)}", file=sys.stderr, flush=True)
                    found.setdefault((subject.name, frame_ms, calls), []).append(row)
                    runs.append(row)
    order = [(subject.name, frame_ms, calls) for frame_ms in options.frames for calls in options.calls for subject in field.subjects]
    return [middle(found[key]) for key in order]


def _capacities(field: Ground, frames: list[int], idle_share: dict[str, float], runs: list[Figures]) -> list[Capacity]:
    found = []
    for frame_ms in frames:
        for subject in field.subjects:

            def trial(calls: int, subject=subject, frame_ms=frame_ms) -> Figures:
                row = measure(field.line, subject, calls, frame_ms, idle_share[subject.name])
                runs.append(row)
                print(f"{one_line(row)}: {capacity.verdict(row) or 'carried'}", file=sys.stderr, flush=True)
                return row

            found.append(capacity.find(subject.name, frame_ms, trial))
    return found


def _standings(field: Ground, idle_share: dict[str, float]) -> list[Standing]:
    """Last, because breakers stay open for a while after a provider was down."""
    rows = []
    for subject in field.subjects:
        sound, mute = (
            [first_sound_ms(report) for report in greetings(field.line, subject, _GREETINGS, without_voice=without_voice)]
            for without_voice in (False, True)
        )
        heard, still_heard = ([value for value in values if value is not None] for values in (sound, mute))
        counted = f"{len(still_heard)} of {len(mute)}"
        idle_ms = idle_share[subject.name] * 1000
        rows.append(Standing(subject.name, idle_ms, percentile(heard, 0.95), percentile(still_heard, 0.95), counted))
    return rows


def _paste() -> int:
    """The last table into README.md, between its marks."""
    readme, parts = ROOT / "README.md", [RESULTS / "table.md", RESULTS / "capacity.md"]
    text = "\n".join(part.read_text(encoding="utf-8") for part in parts if part.exists())
    if not text:
        print("There is no table yet: run `make bench-peers` first.", file=sys.stderr)
        return 1
    readme.write_text(_MARKED.sub(lambda _: text, readme.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)

    def numbers(name: str, default: str) -> list[int]:
        return [int(word) for word in os.environ.get(name, default).split()]

    parser.add_argument("--calls", nargs="+", type=int, default=numbers("CALLS", "1 10 50"), help="how many calls at once, one row each")
    parser.add_argument(
        "--frames", nargs="+", type=int, default=numbers("FRAMES", "20 100"), choices=(20, 100), help="ms of audio in a message"
    )
    parser.add_argument("--runs", type=int, default=numbers("RUNS", "3")[0], help="every row is the median of so many runs")
    parser.add_argument(
        "--peers", nargs="?", const="all", default="", choices=("relay", "all"),
        help="measure a bare relay and Pipecat in the same run; `--peers relay`: the relay only",
    )  # fmt: skip
    parser.add_argument("--capacity", action="store_true", help="look for how many calls a core carries, instead of the table")
    parser.add_argument("--first", action="store_true", help="ahead of other work on this machine, where it cannot be stopped (root)")
    parser.add_argument("--paste", action="store_true", help="put the last table into README.md and do nothing else")
    return parser.parse_args()


def _machine() -> str:
    model = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), ""
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {model or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"scripted waits of {SCRIPTED_MS} ms a turn are subtracted ({HEARING_MS} ms from the bare relay's)"
    )


if __name__ == "__main__":
    raise SystemExit(main())
