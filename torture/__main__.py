"""`make torture`: faults × trials × losses, against real processes, a real Postgres, a real Valkey and the simulator.

ARGS="--only crash poison"   some parts: crash, poison, outages, flood, properties
ARGS="--trials 5"            how often each crash point is met (25)
ARGS="--quick"               a look in under three minutes
"""

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path

from deploy.local.places import LOCAL, ROOT
from torture.ground import ground
from torture.scale import FULL, QUICK, USUAL, Scale
from torture.tale import Row, markdown

PARTS = ("crash", "poison", "properties", "outages", "flood")
RESULT = LOCAL / "torture" / "table.md"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- torture -->\n", "<!-- /torture -->"


def main() -> int:
    options = _options()
    if options.paste:
        return paste(PAGE, RESULT)
    scale = QUICK if options.quick else FULL if options.full else USUAL
    scale = scale.with_trials(options.trials) if options.trials else scale
    began, rows = time.monotonic(), []
    with ground() as field:
        for part in options.only:
            print(f"\n{part} ({(time.monotonic() - began) / 60:.1f} min so far)", flush=True)
            rows += _run(part, field, scale)
    text = markdown(rows, seconds=time.monotonic() - began)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(text, encoding="utf-8")
    print(f"\n{text}\nAlso in {RESULT.relative_to(ROOT)}; `make torture-page` puts it into docs/reliability.md.")
    return 0 if all(row.is_kept for row in rows) else 1


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
    parser.add_argument("--full", action="store_true", help="more copies and stories")
    parser.add_argument("--paste", action="store_true", help="put the last table into docs/reliability.md and do nothing else")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
