"""What must be true of the files that make two commands enough."""

import re

from tests.house.source import ROOT


def test_every_locked_requirement_has_hashes():
    for path in (ROOT / "requirements.txt", *sorted((ROOT / "requirements").glob("*.txt"))):
        text = path.read_text(encoding="utf-8")
        names = re.findall(r"^[a-z0-9][\w.-]*(?:\[[\w,]+\])?==\S+.*$", text, re.MULTILINE)
        assert names, path
        assert all(line.rstrip().endswith("\\") for line in names), path


def test_every_direct_requirement_says_why_it_is_there():
    silent = []
    for path in ((ROOT / "requirements" / "product.in"), (ROOT / "requirements" / "local.in")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith(("#", "-")) and "#" not in line:
                silent.append(line)
    assert not silent


def test_no_lock_or_vendored_file_names_a_package_index():
    for path in (
        ROOT / "requirements.txt",
        *(ROOT / "requirements").iterdir(),
        *ROOT.glob("package*.json"),
        *(ROOT / "deploy").rglob("*.sh"),
    ):
        assert not re.search(r"(pypi|pythonhosted|npmjs|registry)\.(org|com)", path.read_text(encoding="utf-8")), path


def test_the_example_environment_lists_every_name_that_is_read():
    read = set()
    for path in (*(ROOT / "voiceagents").glob("*.py"), *(ROOT / "deploy" / "local").glob("*.py")):
        read |= set(
            re.findall(r"\.(?:text|url|integer|port|boolean|words|raw)\(\s*[\"']([A-Z][A-Z0-9_]+)[\"']", path.read_text(encoding="utf-8"))
        )
    listed = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert read - listed == set()
