"""What a memory is for: a clue that is seen once."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from toys import GAUSSIAN, TargetWorld, make, make_policy, numbers

from pgrobot.bodies import Gru, Lstm
from pgrobot.policies import NetworkPolicy
from pgrobot.randomness import stream
from pgrobot.run.evaluation import DETERMINISTIC, actor
from pgrobot.types import Observation, Step


class Corridor(TargetWorld):
    """A T-maze: a sign is seen in the first step, and the last one pays whoever turns to that side."""

    def __init__(self, num_envs: int, seed: int) -> None:
        super().__init__(num_envs, seed, length=6, costs=False)

    def _observe(self) -> Observation:
        first, progress = self._elapsed == 0, self._elapsed / self.spec.max_episode_steps
        return {"policy": np.stack((np.where(first, np.sign(self._target), 0.0), progress), 1)}

    def step(self, action: np.ndarray) -> Step:
        side, last = np.sign(self._target), self._elapsed == self.spec.max_episode_steps - 1
        reward = np.where(last, np.sign(action[:, 0]) * side, 0.0)
        step = super().step(action)
        self._target = np.where(last, self._target, side * np.abs(self._target))  # the same until the end
        obs = self._observe()
        return replace(step, obs=obs, next_obs=step.next_obs, reward=reward, terms=reward[:, None])


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "success"), [(Gru, 1.0), (Lstm, 1.0), (None, 0.5)])
def test_who_forgets_turns_to_the_wrong_side_half_of_the_time(kind: Any, success: float) -> None:
    body = functools.partial(kind, units=8, sequence=8, hidden=(16,), activation="tanh") if kind else None
    policy = (
        NetworkPolicy({"policy": 2}, numbers(1), ("policy",), body, GAUSSIAN, 10.0, stream(0, "policy"))
        if body
        else make_policy()
    )
    collector, learner = make(Corridor(64, 0), policy=policy, horizon=24, minibatch=384, passes=5, rate=1e-2)
    for _ in range(40):
        learner.update(collector.collect()["robot"])
    world = Corridor(1000, 1)
    act = actor(policy, world.spec, DETERMINISTIC, stream(0, "noise"))
    obs, start = world.reset(), np.ones(1000, bool)
    for _ in range(6):
        step = world.step(act(obs, start))
        obs, start = step.obs, step.terminated | step.truncated
    assert float((step.reward > 0).mean()) == pytest.approx(success, abs=0.06 if success < 1.0 else 0.01)
