"""A budget is met whatever the unit of the reward, and whatever time limit an environment was registered with."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from pgrobot.configure import build, compose, validated
from pgrobot.schemes import LEARNER

STEPS = 100  # of every episode


class Paid(gymnasium.Env[np.ndarray, np.ndarray]):
    """Earns ``unit`` times the action in every step, and pays 1 where that is above 0."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, unit: float) -> None:
        self._unit = unit
        self._step = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._step = 0
        return np.zeros(1), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._step += 1
        cost = {"cost": float(action[0] > 0.0)}
        return np.zeros(1), self._unit * float(action[0]), self._step >= STEPS, False, cost


@pytest.mark.slow
@pytest.mark.parametrize(("unit", "limit"), [(1.0, STEPS), (100.0, STEPS), (1e4, STEPS), (1.0, 100 * STEPS)])
def test_a_budget_is_met_in_any_unit_and_under_any_limit(unit: float, limit: int) -> None:
    """Without a price every step costs: 100 per episode, of which 25 may be spent."""
    name = f"PaidFor{limit}-v0"
    if name not in gymnasium.registry:
        gymnasium.register(name, Paid, max_episode_steps=limit)
    typed = (
        "task=gymnasium", f"task.id={name}", f"+task.kwargs.unit={unit}", "constraint=cost", "tracker=none",
        "constraint.cost.budget=25", "total_steps=120000", "compile=false",
    )  # fmt: skip
    assembly = build(validated(compose(typed)), 1)
    spent = []
    for _ in range(assembly.iterations):
        rollout = assembly.collector.collect()[LEARNER]
        assembly.learners[LEARNER].update(rollout)
        spent.append(STEPS * float(rollout.reward[..., rollout.columns.index("cost/cost")].mean()))
    assembly.environment.close()
    assert 10.0 < np.mean(spent[-10:]) < 27.0, "a budget is there to be spent, and kept"
