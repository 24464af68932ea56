"""The page that follows one PPO update: what it lists is there, as long as it says, and short enough to read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ppo_in_one_page.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(?P<file>[^`]+)` \| `(?P<name>[^`]+)` \| (?P<lines>\d+) \|$", re.MULTILINE)
MOST = 900


def length(file: str, name: str) -> int:
    """Lines of a function, class or method, with its decorators and docstring."""
    node: ast.AST = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    for part in name.split("."):
        (node,) = (
            child
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.FunctionDef | ast.ClassDef) and child.name == part
        )
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    assert node.end_lineno is not None
    return node.end_lineno - min(n.lineno for n in (node, *node.decorator_list)) + 1


def test_the_lines_are_counted_and_few() -> None:
    told = {(row["file"], row["name"]): int(row["lines"]) for row in ROW.finditer(PAGE)}
    assert len(told) > 30
    counted = {key: length(*key) for key in told}
    assert told == counted
    total = sum(counted.values())
    assert f"| | together | {total} |" in PAGE
    assert total < MOST
