"""Any task of the dm_control suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import gymnasium
import mujoco
import numpy as np

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation.adapters.serial import SerialEnvironment
from pgrobot.simulation.costs import Cost

UNLIMITED = 1e10  # MuJoCo's mjMAXVAL, which dm_control gives as the bound of a control that has none


@dataclass(frozen=True, kw_only=True)
class DmControlTask:
    """A task of the dm_control suite: its observations are flattened in the order the task lists them.

    Attributes:
        domain: e.g. ``"cheetah"``.
        name: of the task in the domain, e.g. ``"run"``.
        max_episode_steps: where episodes are truncated; the suite does so at 1,000.
        model_seed: of what the suite draws when it builds the task, such as the dynamics of ``lqr``: the same for every
            environment of a run, for its evaluations and for whoever resumes it.
    """

    domain: str
    name: str
    max_episode_steps: int
    model_seed: int

    def make(self, num_envs: int, costs: Mapping[str, Cost], seed: int, threads: int) -> SerialEnvironment:
        """Build ``num_envs`` instances; they are stepped in turn, so ``threads`` is of no consequence.

        Raises:
            PgrobotError: dm_control is not installed, or the suite has no such task.
        """
        if num_envs < 1 or self.max_episode_steps < 1:
            raise PgrobotError(
                f"num_envs={num_envs} and task.max_episode_steps={self.max_episode_steps} have to be at least 1."
            )
        suite = _suite()
        tasks: dict[str, list[str]] = {}
        for domain, name in suite.ALL_TASKS:
            tasks.setdefault(domain, []).append(name)
        if self.domain not in tasks:
            raise PgrobotError(
                f"dm_control has no domain task.domain={self.domain}: {nearest(self.domain, tasks)}"
            )
        if self.name not in tasks[self.domain]:
            raise PgrobotError(
                f"{self.domain} of dm_control has no task.name={self.name}: {nearest(self.name, tasks[self.domain])}"
            )
        given = {"time_limit": float("inf"), "random": self.model_seed}  # the limit is ours

        def build() -> SuiteEnvironment:
            return SuiteEnvironment(suite.load(self.domain, self.name, given), self.max_episode_steps)

        instances = [build() for _ in range(num_envs)]
        return SerialEnvironment(
            name=f"{self.domain}-{self.name}",
            environments=instances,
            build=build,
            costs=costs,
            seed=seed,
            max_episode_steps=self.max_episode_steps,
            control_dt=instances[0].task.control_timestep(),
            model=instances[0].task.physics.model.ptr,
        )


class SuiteEnvironment(gymnasium.Env[np.ndarray, np.ndarray]):
    """One dm_control environment with Gymnasium's interface: discount 0 terminates."""

    def __init__(self, task: Any, max_episode_steps: int) -> None:
        self.task = task
        self._max_episode_steps = max_episode_steps
        action = task.action_spec()
        low, high = (np.broadcast_to(bound, action.shape) for bound in (action.minimum, action.maximum))
        self.action_space = gymnasium.spaces.Box(
            np.where(low <= -UNLIMITED, -np.inf, low),
            np.where(high >= UNLIMITED, np.inf, high),
            dtype=np.float64,
        )
        self._width = sum(int(np.prod(part.shape)) for part in task.observation_spec().values())
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (self._width,), np.float64)
        self._elapsed = 0

    @property
    def model(self) -> mujoco.MjModel:
        """MuJoCo's own model."""
        return self.task.physics.model.ptr

    @property
    def data(self) -> mujoco.MjData:
        """MuJoCo's own state."""
        return self.task.physics.data.ptr

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start a new episode, from ``seed`` where one is given."""
        super().reset(seed=seed)
        if seed is not None:
            self.task.task.random.seed(seed)
        self._elapsed = 0
        return _flat(self.task.reset().observation), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Advance by one action ``[A]``; an observation that is not a number says that the physics diverged."""
        from dm_control.rl.control import PhysicsError

        self._elapsed += 1
        try:
            time_step = self.task.step(action)
        except PhysicsError:
            return np.full(self._width, np.nan), 0.0, False, True, {}
        terminated = time_step.last() and time_step.discount == 0.0
        cut = time_step.last() or self._elapsed >= self._max_episode_steps
        truncated = cut and not terminated
        return _flat(time_step.observation), float(time_step.reward), terminated, truncated, {}


def _flat(observation: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([np.ravel(part) for part in observation.values()])


def _suite() -> ModuleType:
    """dm_control's suite, imported only where it is used.

    Its import takes MuJoCo's warnings to itself and writes every one to stderr, among them one for each instance of a
    model of the suite's that is written in an older way. They go on to go where they went.
    """
    warn = mujoco.get_mju_user_warning()
    try:
        from dm_control import suite
    except ImportError as error:
        raise PgrobotError(
            "task=dm_control needs the package dm_control, which installs on Python 3.11 and 3.12 only."
        ) from error
    finally:
        mujoco.set_mju_user_warning(warn)
    return suite
