"""The project's own Python files, parsed once, for tests that read code instead of running it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PRODUCT = ("voiceagents", "audit", "telephony", "calls", "access", "agents", "pricing", "providers", "engine")
ALL = (*PRODUCT, "simulator", "deploy", "bench", "torture", "tests", "client")


def files(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in sorted((ROOT / room).rglob("*.py")) if "migrations" not in path.parts]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def dotted(node: ast.AST) -> str:
    """`a.b.c` for an attribute chain or a name, else an empty string."""
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else f".{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def calls(path: Path) -> Iterator[tuple[str, int]]:
    """Every call in a file as (dotted name, line)."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            target = dotted(node.func)
            if not target and isinstance(node.func, ast.Attribute):
                target = f".{node.func.attr}"
            yield target, node.lineno


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
