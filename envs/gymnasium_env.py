"""Robots for other libraries: Gymnasium's interface on our simulations, one at a time or N together."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from pgrobot.errors import PgrobotError, nearest
from pgrobot.simulation import BatchEnvironment
from pgrobot.simulation.camera import Camera
from pgrobot.types import Step

from .configured import Costs, build

Info = dict[str, Any]
BUILT = ("_environment", "_pictures", "model")  # attributes that a constructor builds and that are not copied


class _Copied:
    """Copies and pickles of an environment go on from where it is: built anew, and put into its state."""

    _arguments: dict[str, Any]  # of the constructor
    _environment: BatchEnvironment

    def __getstate__(self) -> dict[str, Any]:
        kept = {key: value for key, value in vars(self).items() if key not in BUILT}
        return {"attributes": kept, "state": self._environment.state_dict()}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        type(self).__init__(self, **saved["attributes"]["_arguments"])
        vars(self).update(saved["attributes"])
        self._environment.load_state_dict(saved["state"])


class RobotEnv(_Copied, gymnasium.Env[np.ndarray, np.ndarray]):
    """One robot. Its costs are ``info["cost/<name>"]``, its reward terms ``info["reward/<term>"]``.

    ``reset(options={"qpos": …, "qvel": …})`` sets the start; what is not given is drawn as usual.

    Args:
        robot: name of its configuration, e.g. ``"hopper"``.
        costs: the costs to report, by constraint, each with the options to change:
            ``{"speed": {"threshold": 0.5}, "power": {}}``.
        render_mode: ``"rgb_array"`` to draw.
        width, height: of a picture, pixels.
        options: of the robot, e.g. ``version="v4"`` or ``healthy_reward=2.0``.

    Raises:
        PgrobotError: no such robot, cost or option.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"]}  # type: ignore[misc]

    def __init__(
        self,
        robot: str,
        costs: Costs,
        render_mode: str | None = None,
        width: int = 480,
        height: int = 480,
        **options: Any,
    ) -> None:
        size = {"width": width, "height": height}
        self._arguments = {"robot": robot, "costs": costs, "render_mode": render_mode, **size, **options}
        # Gymnasium's own wrapper keeps the time limit
        self._environment = build(robot, costs, 1, 1, {**options, "max_episode_steps": sys.maxsize})
        self.model, self.dt = self._environment.model, self._environment.spec.control_dt
        self.observation_space, self.action_space = _spaces(self._environment)
        self.render_mode = render_mode
        self.metadata = self.metadata | {"render_fps": round(1 / self.dt)}  # type: ignore[misc]
        self._pictures = _Pictures(self._environment, width, height)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, Info]:
        """Start a new episode.

        Raises:
            PgrobotError: an option other than ``qpos`` and ``qvel``, or one of a wrong shape.
        """
        super().reset(seed=seed)
        self._environment.randoms[0] = self.np_random
        return _begin(self._environment, options or {})[0], {}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        super().__setstate__(saved)
        if self._np_random is not None:  # one stream, as after a reset
            self._environment.randoms[0] = self._np_random

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, Info]:
        """Advance by one action ``[A]``."""
        step = self._environment.advance(np.asarray(action)[None])
        info: Info = {name: float(value[0]) for name, value in _measured(self._environment, step).items()}
        if step.failures:
            info["failure"] = step.failures[0]
        terminated, truncated = bool(step.terminated[0]), bool(step.truncated[0])
        return step.next_obs["policy"][0], float(step.reward[0]), terminated, truncated, info

    def render(self) -> np.ndarray | None:
        """The robot as it stands ``[height, width, 3]``, uint8."""
        return self._pictures.of(0) if self.render_mode else None

    def close(self) -> None:
        """Release what drawing took."""
        self._pictures.close()


class RobotVectorEnv(_Copied, gymnasium.vector.VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """N robots on native threads, with same-step auto-reset.

    ``info["cost/<name>"]`` and ``info["reward/<term>"]`` are ``[N]``, of the step just taken in every environment.
    Where an episode ended, ``info["final_obs"]`` and ``info["final_info"]`` hold its end, as in Gymnasium's own
    vector environments. Environment ``i`` seeded with ``s`` is the single environment seeded with ``s + i``.

    Args:
        robot: name of its configuration, e.g. ``"hopper"``.
        costs: the costs to report, by constraint, each with the options to change.
        num_envs: N.
        render_mode: ``"rgb_array"`` to draw.
        width, height: of a picture, pixels.
        threads: native threads; 0 takes one per physical core.
        options: of the robot, e.g. ``version="v4"`` or ``max_episode_steps=200``.

    Raises:
        PgrobotError: no such robot, cost or option.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": ["rgb_array"],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        robot: str,
        costs: Costs,
        num_envs: int,
        render_mode: str | None = None,
        width: int = 480,
        height: int = 480,
        threads: int = 0,
        **options: Any,
    ) -> None:
        size = {"width": width, "height": height}
        self._arguments = {"robot": robot, "costs": costs, "num_envs": num_envs, "threads": threads}
        self._arguments |= {"render_mode": render_mode, **size, **options}
        self._environment = build(robot, costs, num_envs, threads, options)
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = _spaces(self._environment)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.render_mode = render_mode
        self.metadata = self.metadata | {"render_fps": round(1 / self._environment.spec.control_dt)}  # type: ignore[misc]
        self._pictures = _Pictures(self._environment, width, height)
        self._everywhere = np.ones(num_envs, dtype=bool)
        self._seed(None)

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, Info]:
        """Start a new episode everywhere; ``qpos`` and ``qvel`` in the options are for all or for each, ``[N, …]``.

        Raises:
            PgrobotError: as many seeds as environments are needed; a wrong option.
        """
        if seed is not None:
            self._seed(seed)
        return _begin(self._environment, options or {}), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Info]:
        """Advance by one action per environment ``[N, A]``."""
        step = self._environment.step(np.asarray(actions))
        measured = _measured(self._environment, step)
        info = self._masked(measured, self._everywhere)
        ended = step.terminated | step.truncated
        if ended.any():
            final = np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(ended):
                final[i] = step.next_obs["policy"][i]
            last = {name: np.where(ended, value, 0.0) for name, value in measured.items()}
            info |= {"final_obs": final, "final_info": self._masked(last, ended)}
            info |= {"_final_obs": ended, "_final_info": ended.copy()}
        return step.obs["policy"], step.reward, step.terminated, step.truncated, info

    def render(self) -> tuple[np.ndarray, ...] | None:
        """Every robot as it stands, N pictures ``[height, width, 3]``, uint8."""
        return tuple(map(self._pictures.of, range(self.num_envs))) if self.render_mode else None

    def close_extras(self, **kwargs: Any) -> None:
        """Release what drawing took."""
        self._pictures.close()

    def _seed(self, seed: int | Sequence[int] | None) -> None:
        """Give every environment the random stream that Gymnasium gives a single one of its seed."""
        if seed is None:
            seeds: Sequence[int | None] = [None] * self.num_envs
        else:
            seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
        if len(seeds) != self.num_envs:
            raise PgrobotError(f"{self.num_envs} environments need as many seeds, got {len(seeds)}.")
        self._environment.randoms[:] = [seeding.np_random(one)[0] for one in seeds]

    @staticmethod
    def _masked(measured: Mapping[str, np.ndarray], where: np.ndarray) -> Info:
        """Gymnasium's form: every value with the mask of the environments it is of."""
        return {**measured, **{f"_{name}": where.copy() for name in measured}}


class _Pictures:
    """Draws on demand, so that an environment that is never drawn needs no graphics."""

    def __init__(self, environment: BatchEnvironment, width: int, height: int) -> None:
        self._environment, self._size = environment, (width, height)
        self._cameras: list[Camera] = []

    def of(self, i: int) -> np.ndarray:
        if not self._cameras:
            self._cameras.append(Camera(self._environment.model, *self._size))
        return self._cameras[0].picture(self._environment.simulation.batch.get_data(i))

    def close(self) -> None:
        while self._cameras:
            self._cameras.pop().close()


def _spaces(environment: BatchEnvironment) -> tuple[gymnasium.spaces.Box, gymnasium.spaces.Box]:
    """Spaces of one environment: observations float64 and actions float32, as in Gymnasium's own robots."""
    spec = environment.spec
    observation = gymnasium.spaces.Box(-np.inf, np.inf, (spec.widths["policy"],), np.float64)
    low, high = spec.action_low.astype(np.float32), spec.action_high.astype(np.float32)
    return observation, gymnasium.spaces.Box(low, high, dtype=np.float32)


def _begin(environment: BatchEnvironment, options: Mapping[str, Any]) -> np.ndarray:
    """Start new episodes everywhere, from the states given or drawn: ``[N, D]``."""
    for option in options:
        if option not in ("qpos", "qvel"):
            raise PgrobotError(f"reset has no option '{option}': {nearest(option, ('qpos', 'qvel'))}")
    if not options:
        return environment.reset()["policy"]
    everywhere = np.arange(environment.spec.num_envs)
    starts = environment.draw(everywhere)
    state = {"qpos": starts.qpos, "qvel": starts.qvel}
    for name, value in options.items():
        shape = state[name].shape
        try:
            given = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise PgrobotError(f"{name} has to be numbers, not {value!r}") from error
        if given.shape not in (shape[1:], shape):
            raise PgrobotError(
                f"{name} of {environment.spec.name} has the shape {shape[1:]}, not {given.shape}"
            )
        state[name] = np.broadcast_to(given, shape)
    starts = replace(starts, qpos=state["qpos"], qvel=state["qvel"])
    return environment.start(everywhere, starts)["policy"]


def _measured(environment: BatchEnvironment, step: Step) -> dict[str, np.ndarray]:
    """What a step reports besides its reward, by name: ``[N]`` each."""
    spec = environment.spec
    terms = {f"reward/{name}": step.terms[:, r] for r, name in enumerate(spec.reward_terms)}
    return terms | {f"cost/{name}": step.cost[:, k] for k, name in enumerate(spec.costs)}
