"""Imports point down: the floors of the house, read from the syntax trees."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A room imports from lower floors and from itself, never from a neighbour.
FLOORS = (
    (
        "errors",
        "numerals",
        "reduce",
        "provenance",
        "randomness",
        "compilation",
        "concurrency",
        "cores",
        "distributions",
    ),
    ("archive", "blame", "files", "foreign", "pictures", "normalizer", "ranges"),
    ("types", "figures", "initialisation", "frozen", "unrolling", "signatures"),
    (
        "action_map",
        "aliases",
        "likeness",
        "answers",
        "batch",
        "control_variates",
        "bodies",
        "groups",
        "health",
        "origin",
        "overrides",
        "past_networks",
    ),
    ("demonstrations", "inputs"),
    (
        "baselines",
        "estimators",
        "objectives",
        "constraints",
        "policies",
        "critics",
        "simulation",
        "tracking",
        "same_spaces",
        "settings",
        "spec_file",
    ),
    (
        "acting",
        "arguments",
        "intrinsic",
        "collectors",
        "guard",
        "checkpoint",
        "factories",
        "run_directory",
        "episodes",
        "sequences",
        "targets",
        "wrappers",
    ),
    ("named_run", "past", "replay", "report", "solvers"),
    ("algorithm", "pricing", "retrospect"),
    ("posing",),
    ("learner",),
    ("loop", "schemes", "diagnostics"),
    ("transfer",),
    ("advice", "assembly", "deploy", "film"),
    ("choice",),
    ("configure", "given"),
    ("run", "help", "laboratory"),
    ("certificate", "playing", "porting", "probing", "recording", "sweep", "variance"),
    ("api",),
    ("commands",),
    ("cli",),
    ("__init__", "__main__"),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted((ROOT / "pgrobot").rglob("*.py"))
SOURCES = [
    path
    for folder in ("pgrobot", "envs", "conf", "scripts", "tests", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


@cache
def nodes(path: Path) -> Sequence[ast.AST]:
    """The imports of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def imported(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, absolute; `from a import b` gives `a.b`."""
    package = path.relative_to(ROOT).parent.parts
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "pgrobot").parts[0].removesuffix(".py")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_room_imports_only_from_the_floors_below() -> None:
    assert len(MODULES) > 100
    for path in MODULES:
        room = room_of(path)
        assert room in FLOOR, f"give the room {room!r} a floor in {name(Path(__file__))}"
        for target in imported(path):
            if target.startswith("pgrobot."):
                other = target.split(".")[1]
                assert other == room or FLOOR.get(other, -1) < FLOOR[room], (
                    f"{name(path)} imports {target}, which is not below it"
                )


def test_pgrobot_reaches_tasks_by_target_only() -> None:
    for path in MODULES:
        reached = [target for target in imported(path) if f"{target}.".startswith(("pgrobot.envs.", "envs."))]
        assert not reached, name(path)


def test_top_level_folders_are_imported_as_parts_of_pgrobot() -> None:
    assert len(SOURCES) > 300
    for path in SOURCES:
        assert_names_parts_of_pgrobot(path)


def assert_names_parts_of_pgrobot(path: Path) -> None:
    relative_inside_envs = path.is_relative_to(ROOT / "envs") or path.is_relative_to(ROOT / "conf")
    absolute = {
        alias.name if isinstance(node, ast.Import) else node.module or ""
        for node in nodes(path)
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level)
        for alias in node.names
    }
    assert not [module for module in absolute if module.split(".")[0] in ("envs", "conf")], name(path)
    if relative_inside_envs:
        inside = f"pgrobot.{path.relative_to(ROOT).parts[0]}"
        assert not [module for module in absolute if f"{module}.".startswith(f"{inside}.")], (
            f"{name(path)}: use a relative import"
        )


def test_only_the_physics_and_its_models_know_mujoco_batch() -> None:
    users = {
        name(path)
        for path in SOURCES
        if any(f"{target}.".startswith("mujoco.batch.") for target in imported(path))
    }
    # a benchmark compares with it, and tests may
    assert {user for user in users if not user.startswith(("tests/", "scripts/"))} == {
        "pgrobot/simulation/batch.py",
        "pgrobot/simulation/models.py",
    }


def test_importing_everything_makes_no_second_copy_of_envs(tmp_path: Path) -> None:
    program = (
        "import importlib, pkgutil, sys, pgrobot, pgrobot.envs\n"
        "for package in (pgrobot, pgrobot.envs):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if not module.name.endswith('__main__'):\n"
        "            importlib.import_module(module.name)\n"
        "assert 'pgrobot.types' in sys.modules\n"
        "print(sorted({'envs', 'conf'} & sys.modules.keys()))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert answer.stdout.strip() == "[]", answer.stderr
