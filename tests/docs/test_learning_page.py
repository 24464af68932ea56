"""The page of the learning study says what its records hold, and the records what the study's own functions find."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pgrobot.sweep.statistics import trimmed_mean

ROOT = Path(__file__).resolve().parents[2]
STUDY = ROOT / "docs" / "learning"


@pytest.fixture(scope="module", name="page")
def _page() -> ModuleType:
    """The page's module, one of the scripts beside the package."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return importlib.import_module("page")
    finally:
        sys.path.pop(0)


def test_the_page_is_what_its_records_say(page: ModuleType) -> None:
    records = page.read_records(STUDY)
    assert records
    text = (STUDY / "README.md").read_text(encoding="utf-8")
    assert text == page.page(records)
    for told in records:
        assert (STUDY / f"{told['robot']}.png").exists()
        assert len(told["seeds"]) == len(told["deterministic"]) == len(told["stochastic"])
        _, _, seeds, middle, interval, noisy, goal, _ = map(str.strip, page.row(told).split("|"))
        assert seeds.split(", ") == [page.number(value) for value in told["deterministic"]]
        found = trimmed_mean(told["deterministic"], 0.25)
        assert middle.strip("*") == page.number(found.centre)
        assert interval == f"{page.number(found.low)} to {page.number(found.high)}"
        assert noisy == page.number(np.mean(told["stochastic"]))
        assert goal == page.number(page.GOALS[told["algorithm"]][told["robot"]])


def test_seeds_without_spread_have_no_interval(page: ModuleType) -> None:
    told = page.read_records(STUDY)[0]
    assert "| – |" in page.row({**told, "deterministic": [7.0, 7.0, 7.0]})


def test_a_cell_is_bold_where_it_meets_its_goal(page: ModuleType) -> None:
    told = page.read_records(STUDY)[0]
    goal = page.goal_of(told)
    assert "**" in page.row({**told, "deterministic": [goal] * 3})
    assert "**" not in page.row({**told, "deterministic": [goal - 1] * 3})


def test_a_record_of_a_peer_stands_beside_ours(page: ModuleType, tmp_path: Path) -> None:
    ours = page.read_records(STUDY)[0]
    theirs = {key: value for key, value in ours.items() if key not in ("curve", "command", "commits")}
    theirs |= {"peer": "sb3-contrib", "settings": {"n_steps": 1024}}
    theirs["versions"] = {**ours["versions"], "sb3-contrib": "2.9.2"}
    page.keep(theirs, tmp_path)
    assert "png" not in (tmp_path / "README.md").read_text(encoding="utf-8"), "a peer has no curve"
    page.keep(ours, tmp_path)
    assert sorted(path.name for path in (tmp_path / "records").iterdir()) == [
        f"peer_{ours['algorithm']}_{ours['robot']}.json",
        f"{ours['algorithm']}_{ours['robot']}.json",
    ]
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert f"| sb3-contrib's {page.ALGORITHMS[ours['algorithm']]} |" in text
    assert "`n_steps=1024`" in text
    assert (tmp_path / f"{ours['robot']}.png").exists()
