#!/bin/sh
# Cuts the admin theme's font of symbols (Material Symbols, Apache 2.0) down to those that the theme and our settings name: 290 kB become a few.
# Run it after an upgrade of django-unfold; tests/voiceagents/test_admin_assets.py says when a symbol is missing. Needs the packages of requirements.txt,
# and Python's package index for the two tools, which it keeps in a place of their own.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet --disable-pip-version-check fonttools==4.68.0 brotli==1.2.1

theme=$(.venv/bin/python -c 'import pathlib, unfold; print(pathlib.Path(unfold.__file__).parent)')
font="$theme/static/unfold/fonts/material-symbols/Material-Symbols-Outlined.woff2"
kept=static/unfold/fonts/material-symbols
mkdir -p "$kept"

# Any name of a symbol that stands as a word in the theme's templates and code, or in our settings: names are put together in many ways.
# A name is a ligature of its letters; several may show one symbol.
"$work/tools/bin/python" - "$font" "$theme" voiceagents/settings.py "$kept/names.txt" >"$work/glyphs.txt" <<'PYTHON'
import re
import sys
from pathlib import Path

from fontTools.ttLib import TTFont

name, theme, settings, kept = sys.argv[1:]
font = TTFont(name)
letters = {glyph: chr(code) for code, glyph in font.getBestCmap().items()}
symbols = {}
for lookup in font["GSUB"].table.LookupList.Lookup:
    for table in lookup.SubTable:
        for first, ligatures in getattr(getattr(table, "ExtSubTable", table), "ligatures", {}).items():
            for each in ligatures:
                symbols["".join(letters.get(glyph, "?") for glyph in (first, *each.Component))] = each.LigGlyph
files = [path for path in Path(theme).rglob("*") if path.suffix in (".html", ".py") and "contrib" not in path.parts]
words = {word for path in [*files, Path(settings)] for word in re.findall(r"[a-z0-9_]{2,}", path.read_text(encoding="utf-8"))}
shown = sorted(symbols.keys() & words)
Path(kept).write_text("\n".join(shown) + "\n", encoding="utf-8")
print("\n".join(sorted({symbols[one] for one in shown})))
PYTHON

"$work/tools/bin/pyftsubset" "$font" --output-file="$kept/Material-Symbols-Outlined.woff2" --flavor=woff2 --no-layout-closure --layout-features='*' \
  --unicodes=U+0020,U+0030-0039,U+005F,U+0061-007A --glyphs-file="$work/glyphs.txt"
ls -l "$kept"
