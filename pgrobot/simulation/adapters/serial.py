"""N Gymnasium environments stepped one after the other, as one environment of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

import gymnasium
import mujoco
import numpy as np
import torch

from pgrobot.errors import FailureError, PgrobotError
from pgrobot.simulation.adapters.actions import action_space, bounds, entries, form
from pgrobot.simulation.adapters.info_cost import InfoReader
from pgrobot.simulation.adapters.instance import Instance
from pgrobot.simulation.adapters.spaces import WHOLE, groups, parts
from pgrobot.simulation.adapters.wrappers import check_wrappers
from pgrobot.simulation.auto_reset import AutoReset
from pgrobot.simulation.costs import Cost
from pgrobot.types import EnvironmentSpec, Observation, State, Step


class SerialEnvironment(AutoReset):
    """``N`` instances of one Gymnasium environment with same-step auto-reset and the true next observation kept.

    Every episode starts from a seed of its own, derived from the run's seed, the environment's index and the episode's
    number. A running episode is therefore its seed and the actions taken so far, and that is what a checkpoint holds:
    the first step after loading replays them, which is exact for every environment that its seed determines. Whoever
    resets instead begins new episodes and replays nothing.

    Args:
        name: what users call the environment.
        environments: N instances with observations that are flat, can be made so or are images, and with actions that
            are a Box or choices.
        build: builds another one, for use after ``close``.
        costs: the constraints' costs, read from ``info``.
        seed: of all episodes.
        max_episode_steps: after how many steps an instance truncates an episode by itself.
        control_dt: seconds per step.
        model: the MuJoCo model that names the actuators, or none that is known.

    Raises:
        PgrobotError: spaces that cannot be trained on, a wrapper with statistics of its own, or a cost that cannot be
            read from ``info``.
    """

    def __init__(
        self,
        name: str,
        environments: Sequence[gymnasium.Env],
        build: Callable[[], gymnasium.Env],
        costs: Mapping[str, Cost],
        seed: int,
        max_episode_steps: int,
        control_dt: float,
        model: mujoco.MjModel | None,
    ) -> None:
        count = len(environments)
        self._build = build
        self._observation_space = environments[0].observation_space
        self._action_space = action_space(name, environments[0].action_space)
        check_wrappers(name, environments[0])
        self._costs = InfoReader(name, costs)
        self._seed = seed
        self._episode = np.full(count, -1, dtype=np.int64)  # number of the running episode
        self._actions: list[list[np.ndarray]] = [[] for _ in range(count)]  # those of the running episode
        low, high, choices = bounds(self._action_space)
        self.spec = EnvironmentSpec(
            name=name,
            num_envs=count,
            observation=groups(name, self._observation_space),
            action_low=low,
            action_high=high,
            actions=entries(model, low, high, choices),
            reward_terms=("reward",),
            costs=tuple(costs),
            violations={},
            highest_cost=self._costs.highest,
            can_fall=False,
            max_episode_steps=max_episode_steps,
            control_dt=control_dt,
            parts=parts(self._observation_space),
            action_form=form(self._action_space),
        )
        self._observation: dict[str, np.ndarray] = {
            name: np.zeros((count, *group.shape), group.dtype)
            for name, group in self.spec.observation.items()
        }
        self._replays = False  # whether the running episodes were loaded, and not taken up yet
        self._instances: list[Instance] = []
        self._hold(environments)

    def reset(self) -> Observation:
        """Start a new episode everywhere."""
        self._replays = False
        self._open()
        return super().reset()

    def restart(self, ids: np.ndarray) -> Observation:
        """Start a new episode in instances ``ids``."""
        if self._replays:
            self._replay()
        # in arrays of their own, for those that there are may be what the last step returned
        self._observation = {group: value.copy() for group, value in self._observation.items()}
        for i in ids:
            _put(self._observation, int(i), self._begin(int(i)))
        return self._observation

    def advance(self, action: np.ndarray) -> Step:
        """Advance by one action ``[N, A]``, in the units of the action space, and leave an ended episode as it ended.

        Raises:
            PgrobotError: the action has another shape, or an environment does not report a cost that is limited or does
                not keep to its interface.
            FailureError: a loaded episode took another course when it was replayed.
        """
        self.check_action(action)
        if self._replays:
            self._replay()
        count = self.spec.num_envs
        next_obs = {group: np.empty_like(value) for group, value in self._observation.items()}
        reward, cost = np.zeros((count, 1)), np.zeros((count, len(self.spec.costs)))
        terminated, truncated = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        censored = np.zeros(count, dtype=bool)
        failures = {}
        for i in range(count):
            observation, reward[i], terminated[i], truncated[i], cost[i] = self._told(i, action[i])
            _put(next_obs, i, observation)
            broken = _first_not_finite(observation, reward=reward[i], cost=cost[i])
            if broken:  # as in our own simulations: it earns nothing and its successor is the last finite one
                _put(next_obs, i, {group: value[i] for group, value in self._observation.items()})
                reward[i] = cost[i] = 0.0
                terminated[i], truncated[i], censored[i] = False, True, True
                failures[i] = (
                    f"environment {i} of {self.spec.name} broke in step {len(self._actions[i])} of its episode: "
                    f"its {broken} is not finite; the episode was truncated and a new one begun."
                )
        self._observation = next_obs
        return Step(
            obs=next_obs,
            next_obs=next_obs,
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
        size = self.spec.action_low.size
        return {
            "episode": torch.from_numpy(self._episode.copy()),
            "actions": [torch.from_numpy(np.reshape(taken, (len(taken), size))) for taken in self._actions],
            **{_key(group): torch.from_numpy(value.copy()) for group, value in self._observation.items()},
        }

    def load_state_dict(self, state: State) -> None:
        """Go on with the running episodes of ``state_dict``, which the next step replays.

        Raises:
            PgrobotError: the state is of another environment or number of them.
        """
        for group, own in self._observation.items():
            if _key(group) not in state:
                raise PgrobotError(
                    f"the saved environments show no {group!r}, which {self.spec.name} observes: they are of a version "
                    "that showed a Dict as one group. The run can be evaluated, and not gone on with."
                )
            self.check_saved("environments", "their observations are {}", state[_key(group)], own)
        self._observation = {group: state[_key(group)].numpy().copy() for group in self._observation}
        self._episode[:] = state["episode"].numpy()
        self._actions = [list(taken.numpy().copy()) for taken in state["actions"]]
        self._replays = True

    def instance(self, i: int) -> gymnasium.Env:
        """The environment ``i`` itself, to look at: it is not to be stepped."""
        self._open()
        return self._instances[i].environment

    def close(self) -> None:
        """Close every instance; what comes next builds new ones."""
        while self._instances:
            self._instances.pop().environment.close()

    def _replay(self) -> None:
        """Take up the running episodes where they were.

        Raises:
            FailureError: one took another course, so something besides its seed and the actions decides it.
        """
        self._open()
        for i, taken in enumerate(self._actions):
            self._episode[i] -= 1
            observation = self._begin(i)
            for action in taken:
                observation, *_ = self._told(i, action)
            if any(not np.array_equal(observation[k], seen[i]) for k, seen in self._observation.items()):
                raise FailureError(
                    f"{self.spec.name} cannot be taken up where it was: replaying the running episode of environment "
                    f"{i} from its seed took another course, so something besides the seed and the actions decides "
                    "what happens; resume_fresh=true begins new episodes instead."
                )
        self._replays = False

    def _open(self) -> None:
        """Build the instances anew where they were closed."""
        if not self._instances:
            self._hold(built(self._build, self.spec.num_envs))

    def _hold(self, environments: Sequence[gymnasium.Env]) -> None:
        self._instances = [
            Instance(self.spec.name, environment, self._observation_space, self._action_space)
            for environment in environments
        ]

    def _begin(self, i: int) -> dict[str, np.ndarray]:
        """Start the next episode of instance ``i``."""
        self._episode[i] += 1
        self._actions[i] = []
        sequence = np.random.SeedSequence(self._seed, spawn_key=(i, int(self._episode[i])))
        return self._instances[i].reset(int(sequence.generate_state(1)[0]))

    def _told(
        self, i: int, action: np.ndarray
    ) -> tuple[dict[str, np.ndarray], float, bool, bool, np.ndarray]:
        """Step instance ``i``: observation, reward, terminated, truncated, costs."""
        self._actions[i].append(np.array(action, dtype=np.float64))
        observation, reward, terminated, truncated, info = self._instances[i].step(action)
        return observation, reward, terminated, truncated, self._costs(info)


def built(build: Callable[[], gymnasium.Env], count: int) -> list[gymnasium.Env]:
    """Build instances; where one cannot be built, those before it are closed again."""
    with ExitStack() as stack:
        environments = []
        for _ in range(count):
            environments.append(build())
            stack.callback(environments[-1].close)
        stack.pop_all()
        return environments


def _put(rows: Mapping[str, np.ndarray], i: int, observation: Mapping[str, np.ndarray]) -> None:
    """Write one observation into row ``i`` of every group."""
    for group, value in observation.items():
        rows[group][i] = value


def _key(group: str) -> str:
    """What a group's observations are called in the state."""
    return "observation" if group == WHOLE else f"observation/{group}"


def _first_not_finite(observation: Mapping[str, np.ndarray], **quantities: np.ndarray) -> str:
    """Name of the first quantity that is not finite, or nothing."""
    if not all(np.isfinite(value).all() for value in observation.values()):
        return "observation"
    return next((name for name, value in quantities.items() if not np.isfinite(value).all()), "")
