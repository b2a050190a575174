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
"$work/tools/bin/python" - "$font" "$theme" voiceagents/settings.py >"$kept/names.txt" <<'PYTHON'
import re
import sys
from pathlib import Path

from fontTools.ttLib import TTFont

font, theme, settings = sys.argv[1:]
known = {name for name in TTFont(font).getGlyphOrder() if re.fullmatch(r"[a-z0-9_]{2,}", name)}
files = [path for path in Path(theme).rglob("*") if path.suffix in (".html", ".py") and "contrib" not in path.parts]
words = {word for path in [*files, Path(settings)] for word in re.findall(r"[a-z0-9_]{2,}", path.read_text(encoding="utf-8"))}
print("\n".join(sorted(known & words)))
PYTHON

"$work/tools/bin/pyftsubset" "$font" --output-file="$kept/Material-Symbols-Outlined.woff2" --flavor=woff2 --no-layout-closure --layout-features='*' \
  --unicodes=U+0020,U+0030-0039,U+005F,U+0061-007A --glyphs-file="$kept/names.txt"
ls -l "$kept"
