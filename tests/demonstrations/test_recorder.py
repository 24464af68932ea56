"""What is recorded are whole episodes as they happened, whatever an environment does with its arrays afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from demonstrated import make_spec

from pgrobot.demonstrations import Demonstrations, Recorder, check_demonstrations
from pgrobot.errors import FailureError
from pgrobot.types import Observation, Step

SPEC = replace(make_spec(costs=["speed"]), num_envs=2)
# of each environment: where its episodes end, by a fall, by the clock, by both at once
FALLS, CLOCK = {0: {2, 5}, 1: {3}}, {0: {5}, 1: {6}}


class Reusing:
    """Two environments that count steps, and hand out the same arrays at every one."""

    def __init__(self, broken: tuple[tuple[int, int], ...]) -> None:
        self._broken, self._time = broken, 0
        self.obs = {"policy": np.array([[0.0, 0.0], [100.0, 0.0]])}
        self._next = {"policy": np.zeros((2, 2))}
        self._reward, self._cost = np.zeros(2), np.zeros((2, 1))

    def step(self, action: np.ndarray) -> Step:
        t, envs = self._time, (0, 1)
        self._time += 1
        flags = [np.array([t in ends[env] for env in envs]) for ends in (FALLS, CLOCK)]
        broken = np.array([(env, t) in self._broken for env in envs])
        self._next["policy"][:] = self.obs["policy"] + 1.0
        self._reward[:], self._cost[:, 0] = action[:, 0], 2.0 * action[:, 0]
        self.obs["policy"][:] = np.where((flags[0] | flags[1])[:, None], -1.0, self._next["policy"])
        return Step(
            self.obs, self._next, self._reward, self._reward[:, None], self._cost, *flags, broken, {}, {}
        )


def recorded(*broken: tuple[int, int]) -> tuple[Demonstrations, int]:
    recorder, world = Recorder(), Reusing(broken)

    def acts(obs: Observation, start: np.ndarray) -> np.ndarray:
        del start
        return 0.01 * obs["policy"][:, :1]

    act = recorder.around(acts)
    for t in range(7):
        step = world.step(act(world.obs, np.zeros(2, bool)))
        recorder(step, np.array([t < 6, True]), np.zeros(2))  # the first one's last episode was not asked for
    return recorder.demonstrations(SPEC, "here", {})


def test_a_step_is_what_was_seen_before_it_and_after_it() -> None:
    shown, left_out = recorded()
    check_demonstrations(shown)
    assert left_out == 0
    assert [rows.stop - rows.start for rows in shown.episodes] == [3, 3, 4, 3]
    wanted = [0.0, 1.0, 2.0, -1.0, 0.0, 1.0, 100.0, 101.0, 102.0, 103.0, -1.0, 0.0, 1.0]
    assert shown.obs["policy"][:, 0].tolist() == wanted
    assert torch.equal(shown.next_obs["policy"], shown.obs["policy"] + 1.0)
    assert torch.equal(shown.action, 0.01 * shown.obs["policy"][:, :1])
    assert torch.equal(shown.reward, shown.action[:, 0])
    assert torch.equal(shown.cost, 2.0 * shown.action)
    assert shown.terminated.nonzero().flatten().tolist() == [2, 5, 9]
    assert shown.truncated.nonzero().flatten().tolist() == [12], "who falls as the time is up has no future"


def test_an_episode_that_broke_is_left_out_as_a_whole() -> None:
    whole, _ = recorded()
    shown, left_out = recorded((0, 5), (1, 3))
    assert left_out == 2
    check_demonstrations(shown)
    expected = whole.of([0, 3])
    for name in ("action", "reward", "terminated", "truncated", "episode_start"):
        assert torch.equal(getattr(shown, name), getattr(expected, name)), name
    with pytest.raises(FailureError, match="A simulation broke in every episode"):
        recorded((0, 2), (0, 5), (1, 3), (1, 6))
