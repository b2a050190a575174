"""`make torture`: faults × trials × losses, against real processes, a real Postgres, a real Valkey and the simulator.

ARGS="--only crash poison"   some parts: crash, poison, properties, outages, flood
ARGS="--only flood --join"   one part anew; the others in the table are those of the last runs
ARGS="--trials 5"            how often each crash point is met (25)
ARGS="--quick"               a look at most of it, in minutes
"""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from deploy.local.places import LOCAL, ROOT
from torture.ground import ground
from torture.scale import FULL, QUICK, Scale
from torture.tale import Part, Row, machine, markdown

PARTS = ("crash", "poison", "properties", "outages", "flood")
RESULT = LOCAL / "torture" / "table.md"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- torture -->\n", "<!-- /torture -->"


def main() -> int:
    options = _options()
    if options.paste:
        return paste(PAGE, RESULT)
    scale = QUICK if options.quick else FULL
    scale = scale.with_trials(options.trials) if options.trials else scale
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    measured = []
    with ground() as field:
        for name in options.only:
            print(f"\n{name}, {datetime.now(UTC):%H:%M} UTC", flush=True)
            began, rows = time.monotonic(), _run(name, field, scale)
            part = Part(name, machine(), rows, time.monotonic() - began, scale.of(name))
            (RESULT.parent / f"{name}.json").write_text(part.to_json(), encoding="utf-8")
            measured.append(part)
    told = joined(measured, _saved(scale)) if options.join else measured
    text = markdown(told)
    RESULT.write_text(text, encoding="utf-8")
    print(f"\n{text}\nAlso in {RESULT.relative_to(ROOT)}; `make torture-page` puts it into docs/reliability.md.")
    return 0 if all(part.is_kept for part in told) else 1


def _saved(scale: Scale) -> list[Part]:
    """What the last run of each part found, if it did as much as this one."""
    files = [RESULT.parent / f"{name}.json" for name in PARTS]
    parts = [Part.of_json(path.read_text(encoding="utf-8")) for path in files if path.exists()]
    return [part for part in parts if part.scale == scale.of(part.name)]


def joined(measured: Sequence[Part], saved: Sequence[Part]) -> list[Part]:
    """Every part once, in their usual order; what was measured now stands for what was measured before."""
    newest = {part.name: part for part in (*saved, *measured)}
    return [newest[name] for name in PARTS if name in newest]


def _run(part: str, field: object, scale: Scale) -> list[Row]:
    """Parts use the product's models, which can be imported only once the ground is there."""
    rows: list[Row] = import_module(f"torture.{part}").run(field, scale)
    return rows


def paste(page: Path, result: Path) -> int:
    """The last table into the page, between its marks."""
    if not result.exists():
        print("There is no table yet: run `make torture` first.", file=sys.stderr)
        return 1
    text = page.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN, 1)
    page.write_text(head + BEGIN + result.read_text(encoding="utf-8") + END + rest.split(END, 1)[1], encoding="utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="these parts, in this order")
    parser.add_argument("--trials", type=int, default=0, help="processes killed at each crash point")
    parser.add_argument("--quick", action="store_true", help="few trials of everything")
    parser.add_argument("--join", action="store_true", help="the other parts in the table from the last runs that did as much")
    parser.add_argument("--paste", action="store_true", help="put the last table into docs/reliability.md and do nothing else")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
