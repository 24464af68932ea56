"""Masks hide what they name and nothing else; a history shows the last observations, and goes on exactly."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from toys import TargetWorld

from pgrobot.errors import PgrobotError
from pgrobot.simulation.wrappers import wrapped
from pgrobot.types import Environment, Observation, ObservationGroup, Step
from pgrobot.wrappers import History, Mask

NAMES = ("qpos/hip", "qvel/hip", "qvel/knee")


class Walk(TargetWorld):
    """Shows where it is, and how fast, in three entries; and a command. Episodes last four steps."""

    def __init__(self, num_envs: int = 3, named: bool = True) -> None:
        super().__init__(num_envs, 0, length=4)
        observation = {
            "policy" if named else "state": ObservationGroup(NAMES, (3,), "float64"),
            "command": ObservationGroup(("command/speed",), (1,), "float64"),
        }
        self.spec = replace(self.spec, observation=observation)

    def restart(self, ids: np.ndarray) -> Observation:
        self._elapsed[ids] = 0
        self._target[ids] = 0.5
        return self._observe()

    def _observe(self) -> Observation:
        first, *_ = self.spec.observation
        rows = np.stack((self._target, 2 * self._target, self._elapsed.astype(float)), 1)
        return {first: rows, "command": self._target[:, None].copy()}


def played(environment: Environment, steps: int) -> list[Step]:
    return [environment.step(np.zeros((environment.spec.num_envs, 1))) for _ in range(steps)]


@pytest.mark.parametrize("hide", [["qvel/*"], ["policy/qvel/*"], ["qvel/hip", "qvel/knee"]])
def test_what_is_named_is_hidden_and_nothing_else(hide: list[str]) -> None:
    masked, plain = wrapped(Walk(), {"mask": partial(Mask, hide=hide)}, 0), Walk()
    assert masked.spec.observation["policy"] == ObservationGroup(NAMES[:1], (1,), "float64")
    assert masked.spec.observation["command"] == plain.spec.observation["command"]
    assert masked.spec.left_behind == ("mask",)
    for shown, all_of_it in ((masked.reset(), plain.reset()), *_steps(played(masked, 6), played(plain, 6))):
        assert np.array_equal(shown["policy"], all_of_it["policy"][:, :1])
        assert np.array_equal(shown["command"], all_of_it["command"])


def _steps(ones: list[Step], others: list[Step]) -> list[tuple[Observation, Observation]]:
    pairs = list(zip(ones, others, strict=True))
    return [(a.obs, b.obs) for a, b in pairs] + [(a.next_obs, b.next_obs) for a, b in pairs]


def test_a_critic_may_be_shown_what_is_hidden() -> None:
    masked = wrapped(Walk(), {"mask": partial(Mask, hide=["qvel/*", "command/speed"], keep="hidden")}, 0)
    assert list(masked.spec.observation) == ["policy", "hidden"], "a group that is hidden as a whole is none"
    assert masked.spec.observation["hidden"].names == (*NAMES[1:], "command/speed")
    masked.reset()
    (step,) = played(masked, 1)
    assert np.array_equal(step.obs["hidden"][:, 2], step.obs["policy"][:, 0])


@pytest.mark.parametrize(
    ("named", "settings", "sentence"),
    [
        (
            True,
            {"hide": ["qvel/hips"]},
            "hide names 'qvel/hips', which is not observed; did you mean 'qvel/hip'",
        ),
        (True, {"hide": ["*"]}, r"wrapper.mask.hide=\['\*'\] hides all that Target observes"),
        (True, {"hide": ["qvel/*"], "keep": "command"}, "keep=command is an observation group already"),
        (False, {"hide": ["qvel/*"], "keep": "hidden"}, "would show the policy what is hidden"),
    ],
)
def test_what_cannot_be_hidden_is_refused(named: bool, settings: dict, sentence: str) -> None:
    with pytest.raises(PgrobotError, match=sentence):
        wrapped(Walk(named=named), {"mask": partial(Mask, **settings)}, 0)


def test_a_mask_around_a_history_is_refused() -> None:
    """A loaded policy would need what is hidden to make its history of."""
    history, mask = partial(History, steps=2), partial(Mask, hide=["qvel/*"])
    assert wrapped(Walk(), {"mask": mask, "history": history}, 0).spec.observation["policy"].width == 2
    with pytest.raises(PgrobotError, match="name the mask first"):
        wrapped(Walk(), {"history": history, "mask": mask}, 0)


def test_a_history_shows_the_last_observations_of_the_episode() -> None:
    """By the definition: at age t those of t, t − 1, … and the first one where there is no older one."""
    stacked, plain = wrapped(Walk(), {"history": partial(History, steps=3)}, 0), Walk()
    group = stacked.spec.observation["policy"]
    assert group.names == (*NAMES, *(f"{name}@{age}" for age in (1, 2) for name in NAMES))
    shown, past = stacked.reset()["policy"], [plain.reset()["policy"]]
    for step, bare in zip(played(stacked, 9), played(plain, 9), strict=True):
        assert np.array_equal(shown, np.concatenate([past[max(len(past) - 1 - k, 0)] for k in range(3)], -1))
        ended = bool((bare.terminated | bare.truncated).all())
        following = [*past, bare.next_obs["policy"]]
        expected = np.concatenate([following[max(len(following) - 1 - k, 0)] for k in range(3)], -1)
        assert np.array_equal(step.next_obs["policy"], expected)
        past = [bare.obs["policy"]] if ended else [*past, bare.obs["policy"]]
        shown = step.obs["policy"].copy()


def test_a_history_begins_anew_where_an_environment_does() -> None:
    stacked = wrapped(Walk(), {"history": partial(History, steps=2)}, 0)
    stacked.reset()
    played(stacked, 2)
    shown = stacked.restart(np.array([1]))["policy"]
    assert shown[1].tolist() == [0.5, 1.0, 0.0, 0.5, 1.0, 0.0]
    assert shown[0, 2] == 2.0
    assert shown[0, 5] == 1.0


def test_a_history_of_one_is_none() -> None:
    one, none = wrapped(Walk(), {"history": partial(History, steps=1)}, 0), Walk()
    assert one.spec.observation == none.spec.observation
    for shown, plain in ((one.reset(), none.reset()), *_steps(played(one, 6), played(none, 6))):
        assert all(np.array_equal(shown[name], plain[name]) for name in plain)


def test_a_history_goes_on_to_the_last_bit() -> None:
    wrappers = {"mask": partial(Mask, hide=["qvel/knee"]), "history": partial(History, steps=3)}
    one, other = wrapped(Walk(), wrappers, 0), wrapped(Walk(), wrappers, 0)
    one.reset()
    other.reset()
    played(one, 3)
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    for first, second in zip(played(one, 6), played(other, 6), strict=True):
        assert np.array_equal(first.obs["policy"], second.obs["policy"])
        assert np.array_equal(first.next_obs["command"], second.next_obs["command"])
