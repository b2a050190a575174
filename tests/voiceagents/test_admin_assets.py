"""What stands for the admin theme's own files: only the symbols that it shows, and nothing where it loads what we do not use."""

import re
from pathlib import Path

import unfold
from django.conf import settings
from django.contrib import admin
from django.contrib.staticfiles import finders

STATIC = Path(settings.BASE_DIR) / "static"
THEME = Path(unfold.__file__).parent
OURS = ("unfold/", "admin/")


def test_each_file_that_stands_for_another_is_still_asked_for() -> None:
    """An upgrade that renames one would bring the heavy one back, or leave ours without a reader."""
    found = {
        path.relative_to(STATIC).as_posix()
        for name in OURS
        for path in (STATIC / name).rglob("*")
        if path.suffix in (".js", ".css", ".woff2")
    }
    assert len(found) > 6
    assert [name for name in found if len(finders.find(name, find_all=True) or ()) < 2] == []


def test_the_font_of_symbols_has_all_that_the_theme_names() -> None:
    """If not: deploy/symbols.sh."""
    kept = set((STATIC / "unfold/fonts/material-symbols/names.txt").read_text(encoding="utf-8").split())
    shown = re.compile(r"material-symbols-outlined[^>]*>\s*([a-z0-9_]{2,})\s*<")
    named = {name for path in (THEME / "templates").rglob("*.html") for name in shown.findall(path.read_text(encoding="utf-8"))}
    assert len(named) > 25
    assert named | {settings.UNFOLD["SITE_SYMBOL"], "settings"} <= kept


def test_nothing_is_filled_in_or_sorted_by_hand() -> None:
    """Else xregexp.min.js and alpine.sort.js must be the theme's and Django's own again."""
    for one in admin.site._registry.values():
        assert not one.prepopulated_fields and not getattr(one, "ordering_field", None), one
        assert not any(getattr(inline, "ordering_field", None) for inline in one.inlines), one
