"""A run of a second, trained once, and copies of it to do to what a test likes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import pgrobot


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of Hopper-v5, only to be looked at."""
    run = tmp_path_factory.mktemp("deploy") / "run"
    pgrobot.train(
        quiet=True, task="hopper", debug="tiny", num_envs=4, horizon=16, total_steps=256, threads=1, tracker=[],
        **{
            "algorithm.policy_solver.minibatch": 32, "evaluation.every": 128, "checkpoint.every": 128,
            "hydra.run.dir": run,
        },
    )  # fmt: skip
    return run


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(trained, tmp_path / "run"))
