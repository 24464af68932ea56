"""The script that compares policies in mazes with who knows the way."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pgrobot.configure import build_environment, compose, validated
from pgrobot.envs.maze_map import MazeMap
from pgrobot.envs.maze_oracle import Oracle, oracle_steps
from pgrobot.episodes import Act
from pgrobot.errors import PgrobotError
from pgrobot.film import Shot


@pytest.fixture(scope="module")
def mazes() -> ModuleType:
    """The script."""
    path = Path(__file__).parents[2] / "scripts" / "mazes.py"
    spec = importlib.util.spec_from_file_location("maze_script", path)
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def shot(act: Act, *overrides: str) -> Shot:
    environment = build_environment(validated(compose(["tracker=none", *overrides])), 1, 0, 1)
    return Shot("what acts", "", environment, act, (), 0.99)


@pytest.mark.parametrize("reward", ["sparse", "dense"])
def test_the_oracle_in_a_policys_place_is_as_fast_as_itself(reward: str, mazes: ModuleType) -> None:
    """One that waits reaches nothing."""
    oracle, maze = Oracle(MazeMap.of("u")), ["task=point_maze", f"task.reward={reward}"]
    task, starts, steps = mazes.journeys(shot(lambda obs, start: oracle(obs["policy"]), *maze), 5)
    np.testing.assert_array_equal(steps, oracle_steps(task, starts))
    assert len(np.unique(starts)) == 20, "every episode has a start and a goal of its own"
    assert mazes.row(steps, steps)["ratio"] == "1.00"
    _, _, never = mazes.journeys(shot(lambda obs, start: np.zeros((1, 2)), *maze), 2)
    assert mazes.row(never, steps[:2])["reached"] == "0.000"


def test_a_share_has_wilson_s_interval(mazes: ModuleType) -> None:
    """Against its definition: the shares that lie 1.96 of their own deviations from what was found."""
    steps = np.array([3.0, 5.0, 7.0, np.inf])
    told = mazes.row(steps, np.full(4, 2.5))
    assert [told[key] for key in ("goals", "reached", "steps to them", "the oracle's", "ratio")] == [
        "4", "0.750", "5.0", "2.5", "2.00",
    ]  # fmt: skip
    for end in map(float, told["95 %"].split(" to ")):
        assert abs(end - 0.75) == pytest.approx(1.96 * np.sqrt(end * (1 - end) / 4), abs=2e-3)


def test_what_is_no_maze_is_refused(mazes: ModuleType) -> None:
    with pytest.raises(PgrobotError, match="what acts is no maze"):
        mazes.journeys(shot(lambda obs, start: np.zeros((1, 2)), "task=reacher"), 1)
