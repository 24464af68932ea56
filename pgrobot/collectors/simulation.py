"""Experience from simulation: one policy, N environments, T steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch.utils import _pytree as pytree

from pgrobot.action_map import ActionMap
from pgrobot.collectors.showing import with_shown
from pgrobot.distributions import Drawable
from pgrobot.groups import TIME
from pgrobot.policies import Acting
from pgrobot.simulation.contract import check_ends, check_observation, check_step
from pgrobot.types import Environment, Observation, Rollout, State


class CostColumns(Protocol):
    """Turns what the environment charges into the columns that are budgeted."""

    @property
    def paid(self) -> np.ndarray:
        """Which columns that pay once have paid in the running episode, ``[N, K]`` bool."""
        ...

    def __call__(self, cost: np.ndarray, done: np.ndarray) -> np.ndarray:
        """Map the step's costs ``[N, K]``, given which episodes ended ``[N]``, to columns ``[N, K]``."""
        ...

    def restart(self) -> None:
        """Forget the running episodes, for new ones begin."""
        ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


class SimulationCollector:
    """Runs the policy for ``horizon`` steps in every environment; episodes go on from one rollout to the next.

    Args:
        environment: where to act.
        policy: who acts; read, never moved, but that a new one's origin is fixed by the first observation.
        cost_columns: the budgeted columns.
        horizon: ``T``, steps per environment and rollout.
        generator: random stream of the action noise.
        learner: name of the learner that receives the rollouts.

    Attributes:
        columns: names of the reward tensor's columns.
        failures: sentences about simulations that broke during the last rollout.
        ended: episodes that ended in it, broken ones included and those that were only cut left out.
        carry: what the policy remembers before the next step, ``[N, H]``.
    """

    def __init__(
        self,
        environment: Environment,
        policy: Acting,
        cost_columns: CostColumns,
        horizon: int,
        generator: torch.Generator,
        learner: str,
    ) -> None:
        envs = environment.spec.num_envs
        self.columns = ("reward", *(f"cost/{name}" for name in environment.spec.costs))
        self.failures: tuple[str, ...] = ()
        self.ended = 0
        self._environment = environment
        self._policy = policy
        self._cost_columns = cost_columns
        self._horizon = horizon
        self._generator = generator
        self._learner = learner
        self._to_environment = ActionMap.of(environment.spec)
        self._obs = self._begun()
        policy.origin.fix(self._obs)
        self.carry = torch.zeros(envs, policy.carry_size)
        self._age = np.zeros(envs, np.int64)

    @torch.no_grad()
    def collect(self) -> dict[str, Rollout]:
        """Collect one rollout.

        Beside what the environment shows there is the observation group ``time``: the share of the time limit that
        has passed, ``[T, N, 1]``; for a value that knows how much is still to come (Pardo et al. 2018). And there is
        what the policy ``shows``.

        Its ``telemetry`` holds what the environment measures, and ``terms`` (the reward's named terms,
        ``[T, N, R]``).
        """
        spec = self._environment.spec
        shape = (self._horizon, spec.num_envs)
        read = self._policy.origin.reader()
        obs: dict[str, np.ndarray] = {
            name: np.empty((*shape, *group.shape), group.row_dtype)
            for name, group in spec.observation.items()
        }
        next_obs = {name: np.empty_like(value) for name, value in obs.items()}
        action = torch.empty(*shape, self._policy.action_size)
        distributions: list[Drawable] = []
        carry = torch.empty(*shape, self._policy.carry_size)
        reward = np.empty((*shape, len(self.columns)), np.float32)
        terminated, truncated, censored, start = (np.empty(shape, np.bool_) for _ in range(4))
        age = np.empty(shape, np.int64)
        paid = np.empty((*shape, len(spec.costs)), np.bool_)
        telemetry: dict[str, np.ndarray] = {}
        failures: list[str] = []
        for t in range(self._horizon):
            age[t] = self._age
            start[t] = self._age == 0
            paid[t] = self._cost_columns.paid
            carry[t] = self.carry
            for name, value in self._obs.items():
                read(name, value, obs[name][t])
            rows = {name: torch.from_numpy(value[t]) for name, value in obs.items()}
            distribution, following = self._policy(rows, self.carry, torch.from_numpy(start[t]))
            action[t] = distribution.sample(self._generator)
            self.carry = self._policy.remember(following, action[t])
            distributions.append(distribution)
            step = self._environment.step(self._to_environment(self._policy.command(action[t]).numpy()))
            if t == 0:
                check_step(spec, step)
            for name, value in step.next_obs.items():
                read(name, value, next_obs[name][t])
            done = step.terminated | step.truncated
            if done.any():
                check_ends(spec, step)
            reward[t, :, 0] = step.reward
            reward[t, :, 1:] = self._cost_columns(step.cost, done)
            terminated[t] = step.terminated
            truncated[t] = step.truncated
            censored[t] = step.censored
            for name, value in {**step.telemetry, "terms": step.terms}.items():
                if t == 0:
                    telemetry[name] = np.empty((self._horizon, *value.shape), np.float32)
                telemetry[name][t] = value
            failures.extend(step.failures.values())
            self._obs = step.obs
            self._age = np.where(done, 0, self._age + 1)
        following = {name: np.empty_like(value[:1]) for name, value in obs.items()}
        for name, value in self._obs.items():
            read(name, value, following[name][0])
        self._obs = _copied(self._obs)
        self.failures = tuple(failures)
        self.ended = int(np.count_nonzero((terminated | truncated) & ~censored)) + len(failures)
        elapsed = age[..., None].astype(np.float32)
        begun = self._age[None, :, None].astype(np.float32)
        obs[TIME], next_obs[TIME], following[TIME] = (
            steps / spec.max_episode_steps for steps in (elapsed, elapsed + 1.0, begun)
        )
        shown = {name: torch.from_numpy(value) for name, value in obs.items()}
        self._policy.check(shown)
        rollout = Rollout(
            obs=shown,
            next_obs={name: torch.from_numpy(value) for name, value in next_obs.items()},
            following_obs={name: torch.from_numpy(value) for name, value in following.items()},
            action=action,
            log_prob=_together(distributions).log_prob(action),
            reward=torch.from_numpy(reward),
            terminated=torch.from_numpy(terminated),
            truncated=torch.from_numpy(truncated),
            censored=torch.from_numpy(censored),
            episode_start=torch.from_numpy(start),
            age=torch.from_numpy(age),
            paid=torch.from_numpy(paid),
            carry=carry,
            weight=torch.ones(shape),
            duration=torch.ones(shape),
            episodic=torch.ones(len(self.columns), dtype=torch.bool),
            columns=self.columns,
            telemetry={name: torch.from_numpy(value) for name, value in telemetry.items()},
        )
        return {self._learner: with_shown(rollout, self._policy, torch.cat((carry[1:], self.carry[None])))}

    def _begun(self) -> Observation:
        """The first observations of new episodes everywhere."""
        obs = self._environment.reset()
        check_observation(self._environment.spec, "the first observation", obs)
        return _copied(obs)

    def restart(self) -> None:
        """Cut the running episodes, and begin new ones everywhere."""
        self._obs = self._begun()
        self.carry = torch.zeros_like(self.carry)
        self._age[:] = 0
        self._cost_columns.restart()

    def state_dict(self) -> State:
        """The environment, the running episodes and the action noise."""
        return {
            "environment": self._environment.state_dict(),
            "cost_columns": self._cost_columns.state_dict(),
            "obs": {name: torch.from_numpy(value).clone() for name, value in self._obs.items()},
            "carry": self.carry,
            "age": torch.from_numpy(self._age),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``."""
        self._environment.load_state_dict(state["environment"])
        self._cost_columns.load_state_dict(state["cost_columns"])
        self._obs = {name: value.numpy().copy() for name, value in state["obs"].items()}
        self.carry = state["carry"].clone()
        self._age = state["age"].numpy().copy()
        self._generator.set_state(state["generator"])


def _together(distributions: Sequence[Drawable]) -> Drawable:
    """The distributions of ``T`` steps ``[N]`` as one, ``[T, N]``."""
    together: Drawable = pytree.tree_map(lambda *steps: torch.stack(steps), *distributions)
    return together


def _copied(obs: Observation) -> Observation:
    return {name: value.copy() for name, value in obs.items()}
