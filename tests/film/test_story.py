"""A run may film what it has learnt; what goes wrong then costs the films, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mujoco
import pytest

import pgrobot
from pgrobot.errors import PgrobotError
from pgrobot.pictures import Video
from pgrobot.run import Result
from pgrobot.tracking import Gallery, kept

TINY: dict[str, Any] = {
    "task": "hopper", "debug": "tiny", "num_envs": 4, "horizon": 16, "total_steps": 128, "threads": 1, "tracker": [],
    "algorithm.policy_solver.minibatch": 32, "evaluation.every": 128, "checkpoint.every": 64, "report": False,
}  # fmt: skip


def train(run: Path, film: float) -> Result:
    return pgrobot.train(quiet=True, film=film, **TINY, **{"hydra.run.dir": run})


@pytest.mark.usefixtures("graphics")
def test_a_run_films_its_early_middle_and_best_policy(tmp_path: Path) -> None:
    run = train(tmp_path / "run", 0.04).path
    films = kept(run, Video)
    assert [(film.name, film.step) for film in films] == [("play_stochastic", 64), ("play_stochastic", 128)]
    assert all(film.path.stat().st_size > 1000 for film in films)
    Gallery(run).rewind(64)
    assert [film.step for film in kept(run, Video)] == [64]


def test_a_film_that_fails_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no EGL")

    monkeypatch.setattr(mujoco, "Renderer", broken)
    result = train(tmp_path / "run", 0.04)
    (told,) = [line for line in (result.path / "run.log").read_text().splitlines() if "film" in line]
    assert "The run has no film: There is no film: this machine cannot draw 640 × 480 pictures" in told
    assert result.status == "finished"
    assert kept(result.path, Video) == []


@pytest.mark.parametrize("film", [-1, 0.01, 601, "long", ".nan"])
def test_a_film_of_no_length_is_refused_before_a_run_begins(film: Any) -> None:
    with pytest.raises(PgrobotError, match="film is a film of so many seconds, at most 600, or 0 for none"):
        pgrobot.compose(film=film)
