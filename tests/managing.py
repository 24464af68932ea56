"""Small managers and workers, and worlds to put them into, for tests."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from toys import ABOVE, GAUSSIAN, TargetWorld, make_policy, numbers

from pgrobot.bodies import Mlp
from pgrobot.collectors import SimulationCollector
from pgrobot.collectors.decisions import DecisionRollout
from pgrobot.collectors.manager_worker import ManagerWorkerCollector
from pgrobot.constraints import CostColumns
from pgrobot.groups import Selection
from pgrobot.policies import NetworkPolicy, Policy
from pgrobot.policies.manager_worker import GOAL, TIME_LEFT, Manager, ManagerAndWorker
from pgrobot.randomness import stream
from pgrobot.types import Observation, Rollout, Step

EVERY = 4
COLUMNS = ("reward", "cost/above")
TARGET = Selection((("policy", 0),), 1)
SHOWN = {"policy": 2, GOAL: 1, TIME_LEFT: 1}


class Obedient(Policy):
    """Does what its goal says, for certain."""

    action_size = 1
    carry_size = 0

    def forward(
        self, obs: Mapping[str, Tensor], carry: Tensor, episode_start: Tensor
    ) -> tuple[Certain, Tensor]:
        return Certain(obs[GOAL]), carry

    def merge(self, obs: Mapping[str, Tensor]) -> None:
        pass


@dataclasses.dataclass(frozen=True)
class Certain:
    """Draws nothing, and has nothing to be differentiated."""

    mean: Tensor

    def sample(self, generator: torch.Generator) -> Tensor:
        return self.mean

    def log_prob(self, action: Tensor) -> Tensor:
        return torch.zeros_like(action[..., 0])

    entropy = kl = std = None
    deterministic = property(lambda self: self.mean)


def below_of(seed: int) -> Policy:
    """A worker that reads all that it is shown."""
    body = functools.partial(Mlp, hidden=(8,), activation="tanh")
    return NetworkPolicy(SHOWN, numbers(1), tuple(SHOWN), body, GAUSSIAN, 10.0, stream(seed, "policy"))


def collector(
    world: TargetWorld,
    every: int = EVERY,
    horizon: int = 16,
    below: Policy | None = None,
    above: Policy | None = None,
    rows: int = 1,
    **changes: object,
) -> tuple[ManagerWorkerCollector, ManagerAndWorker]:
    """The collector of two small policies; ``rows`` divides what the manager's rollout has of them."""
    manager = Manager(above or make_policy(), TARGET)
    below = below or below_of(1)
    below.origin = manager.origin
    policy = ManagerAndWorker(manager, below, every)
    costs = CostColumns((ABOVE,), world.spec.num_envs)
    simulation = SimulationCollector(world, policy, costs, horizon, stream(0, "noise"), "both")
    settings = {
        "discount": torch.tensor([0.9, 0.8], dtype=torch.float64),
        "pay": "progress",
        "task_share": 0.0,
        "reached": 0.5,
        "rows": lambda needed: -(-needed // rows) * rows,
        "entries": ("target",),
        "generator": stream(0, "following"),
        "manager": "manager",
        "worker": "worker",
    }
    return ManagerWorkerCollector(simulation, policy, **{**settings, **changes}), policy  # type: ignore[arg-type]


def uneven() -> TargetWorld:
    """Episodes of six steps, some of which terminate before: goals of four are cut short in every way."""
    return TargetWorld(5, 3, length=6, fatal=0.7)


def collected(**changes: object) -> tuple[DecisionRollout, Rollout, ManagerAndWorker]:
    gathered, policy = collector(uneven(), **changes)  # type: ignore[arg-type]
    gathered.collect()
    told = gathered.collect()
    manager = told["manager"]
    assert isinstance(manager, DecisionRollout)
    return manager, told["worker"], policy


class Line(TargetWorld):
    """A point that an action moves by at most a quarter; it is paid by its nearness to a place that it is shown."""

    def reset(self) -> Observation:
        self._elapsed[:] = 0
        self.at = np.zeros(self.spec.num_envs)
        self._target = self._random.uniform(-2.0, 2.0, self.spec.num_envs)
        return self._observe()

    def _observe(self) -> Observation:
        return {"policy": np.stack((self.at, self._target), 1)}

    def step(self, action: np.ndarray) -> Step:
        self.at = self.at + 0.25 * np.clip(action[:, 0], -1.0, 1.0)
        reward = -np.abs(self.at - self._target)
        self._elapsed += 1
        done = self._elapsed >= self.spec.max_episode_steps
        next_obs, never = self._observe(), np.zeros_like(done)
        self._elapsed[done], self.at[done] = 0, 0.0
        self._target[done] = self._random.uniform(-2.0, 2.0, int(done.sum()))
        nothing = np.zeros((len(reward), len(self.spec.costs)))
        told = {"torque": action}
        return Step(self._observe(), next_obs, reward, reward[:, None], nothing, never, done, never, told, {})
