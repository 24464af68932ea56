"""The page of every algorithm names every key of its row, with its value, and every metric of its runs.

The keys of all options of an algorithm's parts, of policies and of critics stand on two pages, with their defaults.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from demonstrated import written
from omegaconf import OmegaConf

import pgrobot
from pgrobot.configure import compose, options

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# Where the keys of a group's options stand: a page, its section, and how the keys begin.
PLACES = {
    "algorithm/estimator": ("algorithms", "Keys of the parts", ("estimator.",)),
    "algorithm/sample_weights": ("algorithms", "Keys of the parts", ("sample_weights.",)),
    "algorithm/baseline": ("algorithms", "Keys of the parts", ("baseline.", "objective.")),
    "algorithm/optimizer": ("algorithms", "Keys of the parts", ("optimizer.",)),
    "algorithm/transform": ("algorithms", "Keys of the parts", ("transform.",)),
    "algorithm/rate": ("algorithms", "Keys of the parts", ("rate.",)),
    "policy": ("configuration", "Policy and critic", ("policy.",)),
    "policy/body": ("configuration", "Policy and critic", ("body.",)),
    "policy/head": ("configuration", "Policy and critic", ("head.",)),
    "policy/goal": ("configuration", "Policy and critic", ("goal.",)),
    "critic": ("configuration", "Policy and critic", ("critic.",)),
}
# What those need that learn from demonstrations.
FROM_A_FILE = {
    "clone": {"scheme": "clone", "scheme.file": "file", "scheme.held_out": 0.5},
    "dapg": {"algorithm.objective.demonstration.file": "file"},
}
OPTIONS = options([])
NAMES = sorted(OPTIONS["algorithm"])
for_every_algorithm = pytest.mark.parametrize("name", NAMES)


def section(path: Path, heading: str) -> str:
    text = path.read_text(encoding="utf-8")
    return re.split(r"^## ", text.split(f"\n## {heading}\n", 1)[1], flags=re.MULTILINE)[0]


def rows(text: str) -> dict[str, str]:
    """First and second cell of every row of the tables in a text whose first cell is code."""
    cells = re.findall(r"^\| `([^`]+)` \| (.*?) \|", text, flags=re.MULTILINE)
    return {key: value.strip("`") for key, value in cells}


def pages(name: str, heading: str) -> list[Path]:
    """The page of an algorithm, and those that this section leans on."""
    own = DOCS / "algorithms" / f"{name}.md"
    others = re.findall(r"^(?:As|Those of) \[\w+\]\((\w+\.md)", section(own, heading), flags=re.MULTILINE)
    return [own, *(own.parent / other for other in others)]


def leaves(node: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Keys and values of a row; the key of a part has the name of its class or function."""
    found = {}
    for key, value in node.items():
        where = f"{path}.{key}" if path else str(key)
        if key == "_target_":
            found[path] = value.rsplit(".", 1)[-1]
        elif isinstance(value, dict):
            found |= leaves(value, where)
        elif key not in ("_partial_", "name"):
            found[where] = value
    return found


def row(name: str) -> dict[str, Any]:
    node = OmegaConf.to_container(compose([f"algorithm={name}"]).algorithm, resolve=True)
    assert isinstance(node, dict)
    return leaves(node)


def value(cell: str) -> Any:
    """What a cell says, as YAML would read it; numbers may be written 2,048 or 1e-3."""
    try:
        return float(cell.replace(",", ""))
    except ValueError:
        return yaml.safe_load(cell)


def test_every_algorithm_has_a_page_and_every_page_an_algorithm() -> None:
    assert sorted(path.stem for path in (DOCS / "algorithms").glob("*.md")) == NAMES
    overview = (DOCS / "algorithms.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"(algorithms/{name}.md)" not in overview] == []


@for_every_algorithm
def test_every_key_of_the_row_is_explained_with_its_value(name: str) -> None:
    explained = rows(section(DOCS / "algorithms.md", "Keys of every row"))
    for path in reversed(pages(name, "Config")):
        explained |= rows(section(path, "Config"))
    existing = row(name)
    assert sorted(existing.keys() - explained.keys()) == []
    wrong = {key: explained[key] for key, said in existing.items() if value(explained[key]) != said}
    assert wrong == {}


@for_every_algorithm
def test_no_page_explains_a_key_that_its_row_does_not_have(name: str) -> None:
    own = rows(section(DOCS / "algorithms" / f"{name}.md", "Config"))
    assert sorted(own.keys() - row(name).keys()) == []


@for_every_algorithm
def test_no_key_is_left_without_a_word(name: str) -> None:
    text = section(DOCS / "algorithms" / f"{name}.md", "Config")
    assert re.findall(r"^\| `([^`]+)` \| [^|]* \| *\|$", text, flags=re.MULTILINE) == []


def test_no_common_key_is_unknown_to_all_rows() -> None:
    known = set().union(*(row(name) for name in NAMES))
    assert sorted(rows(section(DOCS / "algorithms.md", "Keys of every row")).keys() - known) == []


# ---- the options of a group -----------------------------------------------------------------------------------------


def option(group: str, name: str) -> dict[str, Any]:
    """Keys and values of an option's file and of those that it builds on."""
    text = (ROOT / "conf" / group / f"{name}.yaml").read_text(encoding="utf-8")
    node = yaml.safe_load(text)
    defaults = node.pop("defaults", [])
    bases = [base for base in defaults if isinstance(base, str) and base != "_self_"]
    package = "" if text.startswith("# @package algorithm\n") else group.rsplit("/", 1)[-1]
    found = leaves(node, package)
    parts = {package, *(key.rpartition(".")[0] for key in found)}
    inherited = {key: said for base in bases for key, said in option(group, base).items()}
    return inherited | {key: said for key, said in found.items() if key not in parts}


def documented(group: str) -> dict[str, dict[str, str]]:
    """Keys and values that the tables give to each option of a group."""
    page, heading, beginnings = PLACES[group]
    found: dict[str, dict[str, str]] = {name: {} for name in OPTIONS[group]}
    text = section(DOCS / f"{page}.md", heading)
    for key, cell, of in re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*?) \|", text, flags=re.MULTILINE):
        if key.startswith(beginnings):
            for name in found if of == "all" else re.findall(r"`(\w+)`", of):
                found[name][key] = cell
    return found


@pytest.mark.parametrize("group", PLACES)
def test_every_key_of_every_option_is_explained_with_its_default(group: str) -> None:
    explained = documented(group)
    existing = {name: option(group, name) for name in OPTIONS[group]}
    assert {name: sorted(keys) for name, keys in explained.items()} == {
        name: sorted(keys) for name, keys in existing.items()
    }
    wrong = {
        (name, key): explained[name][key]
        for name, keys in existing.items()
        for key, said in keys.items()
        if not str(said).startswith("${") and value(explained[name][key]) != said
    }
    assert wrong == {}


# ---- metrics --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The metrics of a small run of each algorithm."""
    metrics = {}
    nameless = {"width": 4, "names": {"policy": ()}, "actions": ()}
    costs = {"cost": torch.zeros(50, 3).double(), "costs": ("speed", "torque", "fall")}
    shown = str(written(tmp_path_factory.mktemp("shown") / "shown.pt", lengths=(30, 20), **nameless, **costs))
    for name in NAMES:
        directory = tmp_path_factory.mktemp("run") / name
        settings = {
            "algorithm": name,
            "task": "invertedpendulum",
            "horizon": 16,  # as many rollouts as one of them remembers
            "total_steps": 512,
            "evaluation.every": 512,
            **{key: shown if value == "file" else value for key, value in FROM_A_FILE.get(name, {}).items()},
        }
        pgrobot.train(debug="tiny", quiet=True, **settings, **{"hydra.run.dir": directory})
        lines = (directory / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        metrics[name] = {key for line in lines for key in json.loads(line)}
    return metrics


def means(name: str, metric: str) -> bool:
    """Whether a page calls a metric by this name, in which ``<name>`` stands for any."""
    return re.fullmatch(re.sub(r"<\w+>", r"[\\w/]+", name), metric) is not None


def common(metric: str) -> bool:
    """Whether the page of metrics explains one; what the objective's terms are is for the algorithms' pages."""
    told = rows((DOCS / "metrics.md").read_text(encoding="utf-8"))
    return any(means(name, metric) for name in told if name != "objective/<term>")


def explained_by(name: str) -> set[str]:
    return {key for path in pages(name, "Metrics") for key in rows(section(path, "Metrics"))}


@for_every_algorithm
def test_every_metric_of_a_run_is_explained(name: str, logged: dict[str, set[str]]) -> None:
    told = explained_by(name)
    assert sorted(m for m in logged[name] if not any(means(key, m) for key in told) and not common(m)) == []


@for_every_algorithm
def test_every_metric_on_a_page_is_of_its_runs(name: str, logged: dict[str, set[str]]) -> None:
    assert sorted(key for key in explained_by(name) if not any(means(key, m) for m in logged[name])) == []
