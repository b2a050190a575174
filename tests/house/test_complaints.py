"""docs/complaints.md promises a newcomer where each complaint is ended: what it names must be there."""

import ast
import re

from tests.house import source

# Those that a conversation can end; the others belong to recordings, costs, carriers and dashboards.
OF_A_TALK = {*range(1, 11), *range(16, 22), 23, 24, 26}


def _rows() -> dict[int, list[str]]:
    text = (source.ROOT / "docs" / "complaints.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if re.match(r"\| \d+ ", line)]
    return {int(row[0]): row for row in rows}


def test_every_complaint_of_a_talk_has_its_row_and_its_script():
    there = {path.name for path in (source.ROOT / "tests" / "complaints").glob("test_*.py")}
    scripts = {number: re.findall(r"`(test_\w+\.py)`", row[-1]) for number, row in _rows().items()}
    assert set(scripts) == OF_A_TALK
    for number, names in scripts.items():
        assert names, number
        assert all(name in there and name.startswith(f"test_{number:02}_") for name in names), names
    assert there == {name for names in scripts.values() for name in names}


def test_every_cure_that_is_named_is_there():
    for row in _rows().values():
        named = re.findall(r"`([\w/]+\.py)`", " ".join(row[2:-1]))
        assert named, row[1]
        assert not [name for name in named if not (source.ROOT / name).exists()]


def test_every_script_says_which_complaint_it_ends_and_tests_something():
    for number, row in _rows().items():
        tree = source.tree(source.ROOT / "tests" / "complaints" / row[-1].strip("`"))
        assert f"Complaint {number}:" in (ast.get_docstring(tree) or ""), row
        assert [node for node in tree.body if getattr(node, "name", "").startswith("test_")]
