"""No episode hears of another: a world that shows the number of the episode, from the collector to the estimator."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from toys import make

from pgrobot.collectors import SimulationCollector
from pgrobot.estimators import gae, monte_carlo, n_step, td_lambda, vtrace
from pgrobot.learner import Learner
from pgrobot.types import Action, EnvironmentSpec, Observation, ObservationGroup, Rollout, State, Step
from pgrobot.variance.gradients import advantages

ENVS, HORIZON, GAMMA = 3, 12, 0.5
NUMBER, STEP = 0, 1  # columns of the observation
ESTIMATORS: dict[str, Callable[..., Any]] = {
    "gae": functools.partial(gae, lam=0.75),
    "n_step": functools.partial(n_step, n=3),
    "td_lambda": functools.partial(td_lambda, lam=0.5, target_lam=1.0),
    "return_to_go": functools.partial(monte_carlo, reward_to_go=True),
    "whole_return": functools.partial(monte_carlo, reward_to_go=False),
    "vtrace": functools.partial(
        vtrace, lam=0.75, rho_bar=1.0, c_bar=1.0, pg_rho_bar=1.0, objective_has_ratio=True
    ),
}


class NumberedEpisodes:
    """Every episode has a number of its own, which is all it shows, beside its step; lengths are 1 to 5.

    An episode with an odd number terminates, another is truncated. Each step pays ``(1 − γ)`` times the number, and a
    terminal one the number: then the number is the value of every state.
    """

    def __init__(self) -> None:
        self.spec = EnvironmentSpec(
            name="NumberedEpisodes",
            num_envs=ENVS,
            observation={"policy": ObservationGroup.numbered("policy", (2,))},
            action_low=np.array([-1.0]),
            action_high=np.array([1.0]),
            actions=Action.unitless("motor"),
            reward_terms=("number",),
            costs=(),
            violations={},
            highest_cost={},
            can_fall=False,
            max_episode_steps=5,
            control_dt=1.0,
        )
        self._counter = itertools.count(1)
        self._elapsed = np.zeros(ENVS, np.int64)
        self._number = np.array([next(self._counter) for _ in range(ENVS)])

    def reset(self) -> Observation:
        return self._observe()

    def _observe(self) -> Observation:
        return {"policy": np.stack((self._number, self._elapsed), axis=1).astype(float)}

    def step(self, action: np.ndarray) -> Step:
        self._elapsed += 1
        done = self._elapsed > self._number % 5
        terminated = done & (self._number % 2 == 1)
        reward = np.where(terminated, 1.0, 1.0 - GAMMA) * self._number
        next_obs = self._observe()
        self._elapsed[done] = 0
        self._number[done] = [next(self._counter) for _ in range(int(done.sum()))]
        return Step(
            obs=self._observe(),
            next_obs=next_obs,
            reward=reward,
            terms=reward[:, None],
            cost=np.zeros((ENVS, 0)),
            terminated=terminated,
            truncated=done & ~terminated,
            censored=np.zeros_like(done),
            telemetry={"torque": action},
            failures={},
        )

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        del state

    def close(self) -> None:
        pass


def numbered(estimator: str) -> tuple[SimulationCollector, Learner]:
    discounts = {"reward": GAMMA, "cost": GAMMA, "bonus": GAMMA}
    collector, learner = make(NumberedEpisodes(), horizon=HORIZON, discounts=discounts, minibatch=12)
    learner.poser.algorithm = dataclasses.replace(learner.poser.algorithm, estimator=ESTIMATORS[estimator])
    return collector, learner


def rollouts(estimator: str, count: int = 3) -> tuple[list[Rollout], Learner]:
    """Consecutive ones, and the learner after it has learnt from all of them: its critic predicts something."""
    collector, learner = numbered(estimator)
    collected = [collector.collect()["robot"] for _ in range(count)]
    for rollout in collected:
        learner.update(rollout)
    return collected, learner


def episodes(rollout: Rollout, env: int) -> list[Rollout]:
    """The rollout of one environment, cut where another number is shown."""
    number = rollout.obs["policy"][:, env, NUMBER]
    cuts = [0, *(torch.nonzero(number[1:] != number[:-1]).flatten() + 1).tolist(), len(number)]

    def part(columns: Any, first: int, last: int) -> Any:
        if isinstance(columns, Tensor):
            return columns[first:last, env : env + 1]
        return {name: part(column, first, last) for name, column in columns.items()}

    names = [field.name for field in dataclasses.fields(Rollout) if field.name not in ("columns", "episodic")]
    return [
        dataclasses.replace(rollout, **{name: part(getattr(rollout, name), *cut) for name in names})
        for cut in itertools.pairwise(cuts)
    ]


def test_the_world_shows_every_kind_of_end() -> None:
    collected, _ = rollouts("gae")
    kinds = {(bool(r.terminated[-1, n]), bool(r.truncated[-1, n])) for r in collected for n in range(ENVS)}
    assert (False, False) in kinds, "an episode runs on into the next rollout"
    assert all(r.terminated.any() and r.truncated.any() for r in collected)


def test_a_step_and_its_successor_are_of_one_episode() -> None:
    """In every row; and where an episode ends and where one starts, the number changes, also between rollouts."""
    collected, _ = rollouts("gae")
    obs, successor, done, start = (
        torch.cat(columns)
        for columns in zip(
            *((r.obs["policy"], r.next_obs["policy"], r.done, r.episode_start) for r in collected),
            strict=True,
        )
    )
    assert torch.equal(successor[..., NUMBER], obs[..., NUMBER])
    assert torch.equal(successor[..., STEP], obs[..., STEP] + 1.0)
    assert torch.equal(start, obs[..., STEP] == 0.0)
    assert torch.equal(obs[1:, :, NUMBER] != obs[:-1, :, NUMBER], done[:-1])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_critic_that_knows_the_number_leaves_no_advantage(
    estimator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each temporal difference is exactly zero, whatever its discounted future, unless it is another episode's."""
    collector, learner = numbered(estimator)
    monkeypatch.setattr(learner.critic, "forward", lambda obs, carry, start: (obs["policy"][..., :1], carry))
    monkeypatch.setattr(type(learner.critic), "scale", torch.ones(1))
    for _ in range(3):
        rollout = collector.collect()["robot"]
        assert torch.equal(advantages(learner, rollout), torch.zeros(HORIZON, ENVS))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_episodes_side_by_side_are_as_if_alone(estimator: str) -> None:
    """The advantages of a rollout are those of its episodes, each estimated by itself, one after the other."""
    collected, learner = rollouts(estimator)
    for rollout in collected:
        together = advantages(learner, rollout)
        assert float(together.std()) > 0.01
        for env in range(ENVS):
            parts = episodes(rollout, env)
            assert len(parts) > 2
            alone = torch.cat([advantages(learner, part) for part in parts])
            torch.testing.assert_close(together[:, env : env + 1], alone, rtol=1e-5, atol=1e-5)
