"""What is lifted is a fixed function of what is observed, beside noise, and nothing where nothing is asked for."""

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
from pgrobot.wrappers import History, Lifted


class Walk(TargetWorld):
    """Can begin single episodes anew."""

    def restart(self, ids: np.ndarray) -> Observation:
        self._elapsed[ids] = 0
        self._target[ids] = 0.5
        return self._observe()


def lifted(seed: int = 0, **settings: object) -> Environment:
    given = {"width": 6, "hidden": [5], "activation": "tanh", "noise": 2, "seed": 3} | settings
    return wrapped(Walk(3, 0, length=4), {"lifted": partial(Lifted, **given)}, seed)  # type: ignore[arg-type]


def played(environment: Environment, steps: int) -> list[Step]:
    return [environment.step(np.zeros((environment.spec.num_envs, 1))) for _ in range(steps)]


def test_what_is_shown_is_the_network_of_what_is_observed() -> None:
    shown, plain, random = lifted(), Walk(3, 0, length=4), np.random.default_rng(3)
    first, second = (random.standard_normal(s) / np.sqrt(s[0]) for s in ((2, 5), (5, 6)))
    network = lambda obs: np.tanh(np.tanh(obs @ first) @ second)
    assert shown.spec.observation["policy"].names == (
        *(f"lifted/{i}" for i in range(6)),
        "noise/0",
        "noise/1",
    )
    assert np.array_equal(shown.reset()["policy"][:, :6], network(plain.reset()["policy"]))
    noises = []
    for step, bare in zip(played(shown, 9), played(plain, 9), strict=True):
        for seen, observed in ((step.obs, bare.obs), (step.next_obs, bare.next_obs)):
            assert np.array_equal(seen["policy"][:, :6], network(observed["policy"]))
        ended = (bare.terminated | bare.truncated).any()
        assert np.array_equal(step.obs["policy"], step.next_obs["policy"]) != ended
        noises.append(step.next_obs["policy"][:, 6:].copy())
    assert len(np.unique(noises)) == 9 * 3 * 2


def test_the_network_is_that_of_its_seed_and_noise_that_of_the_run() -> None:
    one, same, other, run = (
        each.reset()["policy"] for each in (lifted(), lifted(), lifted(seed=4), lifted(9))
    )
    del other
    assert np.array_equal(one, same)
    assert np.array_equal(one[:, :6], run[:, :6])
    assert not np.array_equal(one[:, 6:], run[:, 6:])
    network = wrapped(
        Walk(3, 0), {"l": partial(Lifted, width=6, hidden=[5], activation="tanh", noise=2, seed=4)}, 0
    )
    assert not np.array_equal(network.reset()["policy"][:, :6], one[:, :6])


def test_nothing_is_lifted_to_the_last_bit() -> None:
    shown, plain = lifted(width=0, noise=0), Walk(3, 0, length=4)
    assert shown.spec.observation == plain.spec.observation
    assert np.array_equal(shown.reset()["policy"], plain.reset()["policy"])
    for step, bare in zip(played(shown, 9), played(plain, 9), strict=True):
        assert np.array_equal(step.obs["policy"], bare.obs["policy"])
        assert np.array_equal(step.next_obs["policy"], bare.next_obs["policy"])
    beside = lifted(width=0)
    assert np.array_equal(beside.reset()["policy"][:, :2], Walk(3, 0).reset()["policy"])


def test_noise_goes_on_to_the_last_bit() -> None:
    one, other = lifted(), lifted()
    one.reset()
    other.reset()
    played(one, 3)
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    for first, second in zip(played(one, 6), played(other, 6), strict=True):
        assert np.array_equal(first.obs["policy"], second.obs["policy"])
        assert np.array_equal(first.next_obs["policy"], second.next_obs["policy"])


def test_without_numbers_there_is_nothing_to_lift() -> None:
    world = Walk(1, 0)
    world.spec = replace(world.spec, observation={"state": world.spec.observation["policy"]})
    with pytest.raises(
        PgrobotError, match="the numbers of the observation group 'policy', and Target shows none"
    ):
        Lifted(world, [np.random.default_rng(0)], 4, [], "tanh", 0, 0)


class Film(Walk):
    """Shows its age as how bright an image of two channels is."""

    def __init__(self) -> None:
        super().__init__(2, 0, length=4)
        self.spec = replace(
            self.spec, observation={"policy": ObservationGroup.numbered("policy", (2, 1, 2), "uint8")}
        )

    def _observe(self) -> Observation:
        ages = self._elapsed.astype(np.uint8)
        channels = np.stack((ages, 100 + ages), -1)
        return {"policy": np.broadcast_to(channels[:, None, None], (len(ages), 2, 1, 2)).copy()}


def test_a_history_of_images_stacks_their_channels() -> None:
    film = wrapped(Film(), {"history": partial(History, steps=3)}, 0)
    group = film.spec.observation["policy"]
    assert (group.shape, group.dtype) == ((2, 1, 6), "uint8")
    assert group.names[:6] == ("policy/0", "policy/1", "policy/0@1", "policy/1@1", "policy/0@2", "policy/1@2")
    first = film.reset()["policy"]
    assert first.dtype == np.uint8
    assert first[0, 1, 0].tolist() == [0, 100, 0, 100, 0, 100]
    steps = played(film, 4)
    assert steps[1].obs["policy"][0, 0, 0].tolist() == [2, 102, 1, 101, 0, 100]
    assert steps[3].next_obs["policy"][0, 0, 0].tolist() == [4, 104, 3, 103, 2, 102]
    assert steps[3].obs["policy"][0, 0, 0].tolist() == [0, 100, 0, 100, 0, 100]
