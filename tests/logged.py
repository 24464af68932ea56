"""A small world that keeps a log, for wrappers: what it was told, and what it showed at every age of every episode."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from toys import TargetWorld

from pgrobot.simulation.wrappers import wrapped
from pgrobot.types import Action, Environment, Observation, ObservationGroup, State, Step

NAMES = ("qpos/hip", "qvel/hip", "qvel/knee")


class Logged(TargetWorld):
    """Shows in ``policy`` its own number, the episode and the age, and in ``image`` the age; what it is told it keeps.

    Episodes of environment ``i`` last ``4 + i`` steps; odd ones are truncated, even ones terminate. Nothing depends on
    ``N``. A reward is the action that was carried out.

    Args:
        choices: of the action; 0: it is a real number within ± 2.
    """

    def __init__(self, num_envs: int = 3, choices: int = 0) -> None:
        super().__init__(num_envs, 0, length=40)
        self.spec = replace(
            self.spec,
            observation={
                "policy": ObservationGroup(NAMES, (3,), "float64"),
                "image": ObservationGroup.numbered("image", (1, 2, 1), "uint8"),
            },
            actions=(Action("motor", "", choices),),
            control_dt=0.02,
        )
        self.told: list[np.ndarray] = []
        self._age, self._episode = (np.zeros(num_envs, np.int64) for _ in range(2))

    def reset(self) -> Observation:
        return self.restart(np.arange(self.spec.num_envs))

    def restart(self, ids: np.ndarray) -> Observation:
        self._age[ids] = 0
        self._episode[ids] += 1
        return self._observe()

    def _observe(self) -> Observation:
        number = np.arange(self.spec.num_envs)
        rows = np.stack((number, self._episode, self._age), 1).astype(float)
        return {
            "policy": rows,
            "image": np.tile(self._age.astype(np.uint8)[:, None, None, None], (1, 1, 2, 1)),
        }

    def step(self, action: np.ndarray) -> Step:
        self.told.append(action.copy())
        self._age += 1
        step, number = super().step(action), np.arange(self.spec.num_envs)
        ended, odd, next_obs = self._age >= 4 + number, number % 2 == 1, self._observe()
        self._age[ended] = 0
        self._episode[ended] += 1
        return replace(
            step, obs=self._observe(), next_obs=next_obs, reward=action[:, 0].copy(), terms=action.copy(),
            terminated=ended & ~odd, truncated=ended & odd,
        )  # fmt: skip

    def state_dict(self) -> State:
        return {name: torch.from_numpy(getattr(self, f"_{name}").copy()) for name in ("age", "episode")}

    def load_state_dict(self, state: State) -> None:
        self._age, self._episode = (state[name].numpy().copy() for name in ("age", "episode"))


def actions(steps: int, num_envs: int = 3) -> np.ndarray:
    """Actions ``[T, N, 1]`` within ± 1, each another; those of environment ``i`` do not depend on ``N``."""
    rows = [np.random.default_rng(i).uniform(-1, 1, (steps, 1)) for i in range(num_envs)]
    return np.stack(rows, 1)


def played(environment: Environment, told: np.ndarray) -> list[Step]:
    """The steps that follow actions ``[T, N, A]``, in arrays of their own."""
    return [copied(environment.step(action)) for action in told]


def copied(step: Step) -> Step:
    obs, next_obs = ({k: v.copy() for k, v in shown.items()} for shown in (step.obs, step.next_obs))
    return replace(step, obs=obs, next_obs=next_obs, reward=step.reward.copy())


def assert_same(one: Step, other: Step, rows: slice = slice(None)) -> None:
    """Every bit of what is shown, paid and ended."""
    for name in ("obs", "next_obs"):
        for group, value in getattr(one, name).items():
            found = getattr(other, name)[group][rows]
            assert (value[rows].tobytes(), value.dtype) == (found.tobytes(), found.dtype), (name, group)
    for name in ("reward", "terminated", "truncated"):
        assert np.array_equal(getattr(one, name)[rows], getattr(other, name)[rows]), name


def assert_goes_on(wrappers: Mapping[str, Any]) -> None:
    """Saved in mid-episode, and gone on with to the last bit by one that was made with another seed."""
    one, other = wrapped(Logged(), wrappers, 0), wrapped(Logged(), wrappers, 1)
    one.reset()
    other.reset()
    played(one, actions(7))
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    again = np.array([1])
    for first, second in zip(one.restart(again).values(), other.restart(again).values(), strict=True):
        assert first.tobytes() == second.tobytes()
    for mine, its in zip(played(one, actions(20)), played(other, actions(20)), strict=True):
        assert_same(mine, its)
