"""N Gymnasium environments stepped one after the other, as one environment of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import gymnasium
import mujoco
import numpy as np
import torch

from pgrobot.errors import PgrobotError
from pgrobot.simulation.adapters.info_cost import InfoReader
from pgrobot.simulation.costs import Cost
from pgrobot.simulation.model import actuator_names
from pgrobot.types import EnvironmentSpec, Observation, State, Step


class SerialEnvironment:
    """``N`` instances of one Gymnasium environment with same-step auto-reset and the true next observation kept.

    Every episode starts from a seed of its own, derived from the run's seed, the environment's index and the episode's
    number. A running episode is therefore its seed and the actions taken so far, and that is what a checkpoint holds:
    loading replays them, which is exact for every environment that its seed determines.

    Args:
        name: what users call the environment.
        environments: N instances with a flat or flattenable observation and a Box of actions.
        costs: the constraints' costs, read from ``info``.
        seed: of all episodes.
        max_episode_steps: after how many steps an instance truncates an episode by itself.
        control_dt: seconds per step.
        model: the MuJoCo model that names the actuators, or none that is known.

    Raises:
        PgrobotError: spaces that cannot be trained on, or a cost that cannot be read from ``info``.
    """

    def __init__(
        self,
        name: str,
        environments: Sequence[gymnasium.Env],
        costs: Mapping[str, Cost],
        seed: int,
        max_episode_steps: int,
        control_dt: float,
        model: mujoco.MjModel | None,
    ) -> None:
        self._environments = environments
        self._observation_space = environments[0].observation_space
        self._action_space = _box(name, environments[0].action_space)
        self._costs = InfoReader(name, costs)
        self._seed = seed
        self._episode = np.full(len(environments), -1, dtype=np.int64)  # number of the running episode
        self._actions: list[list[np.ndarray]] = [[] for _ in environments]  # those of the running episode
        low = self._action_space.low.astype(np.float64).ravel()
        self.spec = EnvironmentSpec(
            name=name,
            num_envs=len(environments),
            observation={"policy": _width(name, self._observation_space)},
            action_low=low,
            action_high=self._action_space.high.astype(np.float64).ravel(),
            actuators=_actuators(model, low.size),
            reward_terms=("reward",),
            costs=tuple(costs),
            violations={},
            highest_cost=self._costs.highest,
            max_episode_steps=max_episode_steps,
            control_dt=control_dt,
        )
        self._observation = np.zeros((len(environments), self.spec.observation["policy"]))

    def reset(self) -> Observation:
        """Start a new episode everywhere."""
        self._observation = np.stack([self._begin(i) for i in range(self.spec.num_envs)])
        return {"policy": self._observation}

    def restart(self, ids: np.ndarray) -> Observation:
        """Start a new episode in instances ``ids``."""
        self._observation = self._observation.copy()  # it may be what the last step returned
        for i in ids:
            self._observation[i] = self._begin(int(i))
        return {"policy": self._observation}

    def step(self, action: np.ndarray) -> Step:
        """Advance by one action ``[N, A]``, in the units of the action space.

        Raises:
            PgrobotError: an environment does not report a cost that is limited.
        """
        count = self.spec.num_envs
        next_obs = np.empty_like(self._observation)
        reward, cost = np.zeros((count, 1)), np.zeros((count, len(self.spec.costs)))
        terminated, truncated = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        censored = np.zeros(count, dtype=bool)
        failures = {}
        for i in range(count):
            next_obs[i], reward[i], terminated[i], truncated[i], cost[i] = self._advance(i, action[i])
            broken = _first_not_finite(observation=next_obs[i], reward=reward[i], cost=cost[i])
            if (
                broken
            ):  # as in our own simulations: the step earns nothing and its successor is the last finite one
                next_obs[i], reward[i], cost[i] = self._observation[i], 0.0, 0.0
                terminated[i], truncated[i], censored[i] = False, True, True
                failures[i] = (
                    f"environment {i} of {self.spec.name} broke in step {len(self._actions[i])} of its episode: "
                    f"its {broken} is not finite; the episode was truncated and a new one begun."
                )
        ended = np.flatnonzero(terminated | truncated)
        self._observation = next_obs
        if ended.size:
            self._observation = next_obs.copy()
            for index in ended:
                self._observation[index] = self._begin(int(index))
        return Step(
            obs={"policy": self._observation},
            next_obs={"policy": next_obs},
            reward=reward[:, 0],
            terms=reward,
            cost=cost,
            terminated=terminated,
            truncated=truncated,
            censored=censored,
            telemetry={},
            failures=failures,
        )

    def state_dict(self) -> State:
        """The running episodes: their numbers and the actions taken so far."""
        width = self.spec.action_low.size
        return {
            "episode": torch.from_numpy(self._episode.copy()),
            "actions": [torch.from_numpy(np.reshape(taken, (len(taken), width))) for taken in self._actions],
            "observation": torch.from_numpy(self._observation.copy()),
        }

    def load_state_dict(self, state: State) -> None:
        """Replay the running episodes of ``state_dict``.

        Raises:
            PgrobotError: the state is of another environment or number of them, or a replayed episode took another
                course, so the environment is not determined by its seed.
        """
        found, wanted = tuple(state["observation"].shape), self._observation.shape
        if found != wanted:
            raise PgrobotError(
                f"the saved environments do not fit {self.spec.name} with num_envs={self.spec.num_envs}: "
                f"their observations are {found} instead of {wanted}."
            )
        self._observation = state["observation"].numpy().copy()
        for i, taken in enumerate(state["actions"]):
            self._episode[i] = int(state["episode"][i]) - 1
            observation = self._begin(i)
            for action in taken.numpy():
                observation, *_ = self._advance(i, action)
            if not np.array_equal(observation, self._observation[i]):
                raise PgrobotError(
                    f"{self.spec.name} cannot be resumed: replaying the running episode of environment {i} from its "
                    "seed took another course, so something besides the seed and the actions decides what happens."
                )

    def close(self) -> None:
        """Close every instance."""
        for environment in self._environments:
            environment.close()

    def _begin(self, i: int) -> np.ndarray:
        """Start the next episode of instance ``i``."""
        self._episode[i] += 1
        self._actions[i] = []
        sequence = np.random.SeedSequence(self._seed, spawn_key=(i, int(self._episode[i])))
        observation, _ = self._environments[i].reset(seed=int(sequence.generate_state(1)[0]))
        return self._flat(observation)

    def _advance(self, i: int, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, np.ndarray]:
        """Step instance ``i``: observation, reward, terminated, truncated, costs."""
        self._actions[i].append(np.array(action, dtype=np.float64))
        space = self._action_space
        observation, reward, terminated, truncated, info = self._environments[i].step(
            action.reshape(space.shape).astype(space.dtype)
        )
        return self._flat(observation), float(reward), terminated, truncated, self._costs(info)

    def _flat(self, observation: object) -> np.ndarray:
        flat: np.ndarray = gymnasium.spaces.flatten(self._observation_space, observation)  # type: ignore[assignment]
        return flat.astype(np.float64)


def _box(name: str, space: gymnasium.Space) -> gymnasium.spaces.Box:
    if isinstance(space, gymnasium.spaces.Box):
        return space
    raise PgrobotError(
        f"{name} takes {type(space).__name__} actions; pgrobot trains continuous control, which needs a Box, "
        "e.g. task.id=Pendulum-v1."
    )


def _width(name: str, space: gymnasium.Space) -> int:
    if space.is_np_flattenable:
        return int(gymnasium.spaces.flatdim(space))
    raise PgrobotError(f"{name} observes a {type(space).__name__}, which has no flat form of a fixed width.")


def _actuators(model: mujoco.MjModel | None, size: int) -> tuple[str, ...]:
    if model is not None and model.nu == size:
        return actuator_names(model)
    return tuple(f"action{a}" for a in range(size))


def _first_not_finite(**quantities: np.ndarray) -> str:
    """Name of the first quantity that is not finite, or nothing."""
    return next((name for name, value in quantities.items() if not np.isfinite(value).all()), "")
