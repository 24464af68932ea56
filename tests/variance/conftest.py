"""Trained runs to measure."""

from __future__ import annotations

from pathlib import Path

import pytest

import pgrobot


@pytest.fixture(scope="session")
def bandit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Gaussian bandit whose critic has learnt something, with two parameters that matter."""
    path = tmp_path_factory.mktemp("bandit") / "run"
    pgrobot.train(
        quiet=True,
        debug="tiny",
        task="gaussian_bandit",
        num_envs=32,
        horizon=4,
        total_steps=2560,
        **{
            "policy.hidden": [],
            "critic.hidden": [],
            "algorithm.critic_solver.rate.initial": 0.03,
            "hydra.run.dir": path,
        },
    )
    return path


@pytest.fixture(scope="session")
def hopper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run under two budgets, with priced costs."""
    path = tmp_path_factory.mktemp("hopper") / "run"
    pgrobot.train(quiet=True, debug="tiny", task="hopper", **{"hydra.run.dir": path})
    return path


@pytest.fixture(scope="session")
def biased(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bandit whose own control variate is fitted to the very batch that it is applied to."""
    path = tmp_path_factory.mktemp("biased") / "run"
    pgrobot.train(
        quiet=True,
        debug="tiny",
        task="gaussian_bandit",
        num_envs=8,
        horizon=1,
        total_steps=64,
        checkpoint={"every": 64},
        evaluation={"every": 64},
        **{
            "algorithm/baseline": "linear",
            "algorithm.baseline.folds": 1,
            "algorithm.policy_solver.minibatch": 8,
            "policy.hidden": [],
            "hydra.run.dir": path,
        },
    )
    return path
