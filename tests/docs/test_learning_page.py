"""The page of the learning study says what its records hold, and the records what the study's own functions find."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
STUDY = ROOT / "docs" / "learning"


@pytest.fixture(scope="module", name="scripts")
def _scripts() -> tuple[ModuleType, ModuleType]:
    """The study and its page, which are scripts beside the package."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import learning
        import page
    finally:
        sys.path.pop(0)
    return learning, page


def test_interquartile_mean_leaves_out_a_quarter_at_each_end(scripts: tuple[ModuleType, ModuleType]) -> None:
    middle = scripts[0].interquartile_mean
    assert middle(np.array([100.0, 1.0, 2.0, 3.0, -100.0])) == 2.0
    assert middle(np.array([1.0, 2.0, 6.0])) == 3.0
    assert middle(np.array([-1e9, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1e9])) == 3.5


def test_interval_of_equal_values_is_the_value_and_of_others_lies_between_them(
    scripts: tuple[ModuleType, ModuleType],
) -> None:
    low, high = scripts[0].interval([1.0, 4.0, 2.0, 8.0, 16.0])
    assert 1.0 <= low < 14 / 3 < high <= 16.0


def test_the_page_is_what_its_records_say(scripts: tuple[ModuleType, ModuleType]) -> None:
    learning, page = scripts
    records = page.read_records(STUDY)
    assert records
    assert (STUDY / "README.md").read_text(encoding="utf-8") == page.page(records)
    for told in records:
        assert (STUDY / f"{told['robot']}.png").exists()
        assert told["goal"] == learning.BARS[told["algorithm"]][told["robot"]]
        assert told["interquartile_mean"] == learning.interquartile_mean(np.array(told["deterministic"]))
        assert tuple(told["interval"]) == learning.interval(told["deterministic"])
        assert len(told["seeds"]) == len(told["deterministic"]) == len(told["stochastic"])


def test_a_cell_is_bold_where_it_meets_its_goal(scripts: tuple[ModuleType, ModuleType]) -> None:
    _, page = scripts
    told = json.loads(json.dumps(page.read_records(STUDY)[0]))
    assert "**" in page.row(told | {"goal": told["interquartile_mean"]})
    assert "**" not in page.row(told | {"goal": told["interquartile_mean"] + 1})
