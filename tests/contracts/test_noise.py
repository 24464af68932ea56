"""Noise is what was asked for, on what was named and nothing else, and each observation has it once."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from logged import Logged, actions, assert_goes_on, assert_same, played

from pgrobot.errors import PgrobotError
from pgrobot.simulation.wrappers import wrapped
from pgrobot.types import Environment
from pgrobot.wrappers import Noise


def noisy(num_envs: int = 3, seed: int = 0, **settings: Any) -> Environment:
    given = {"deviation": {}, "bias": {}, "distribution": "gaussian"} | settings
    return wrapped(Logged(num_envs), {"noise": partial(Noise, **given)}, seed)


def bare(num_envs: int = 3) -> Environment:
    return wrapped(Logged(num_envs), {}, 0)


def errors(environment: Environment, steps: int, shown: str = "obs") -> np.ndarray:
    """What is added to each observation after a reset, ``[T, N, D]``."""
    count = environment.spec.num_envs
    plain = bare(count)
    environment.reset(), plain.reset()
    both = zip(*(played(each, actions(steps, count)) for each in (environment, plain)), strict=True)
    return np.array([getattr(a, shown)["policy"] - getattr(b, shown)["policy"] for a, b in both])


@pytest.mark.parametrize("distribution", ["gaussian", "uniform"])
def test_no_deviation_is_no_noise_to_the_last_bit(distribution: str) -> None:
    none, plain = noisy(deviation={"policy/*": 0.0}, bias={"*": 0.0}, distribution=distribution), bare()
    assert none.spec.left_behind == ("noise",)
    assert none.spec.observation == plain.spec.observation
    assert np.array_equal(none.reset()["policy"], plain.reset()["policy"])
    for one, other in zip(played(none, actions(12)), played(plain, actions(12)), strict=True):
        assert_same(one, other)


@pytest.mark.parametrize(("distribution", "kurtosis"), [("gaussian", 3.0), ("uniform", 1.8)])
def test_noise_has_the_deviation_and_the_shape_that_was_asked_for(distribution: str, kurtosis: float) -> None:
    """By its moments; errors of steps and environments are independent."""
    found = errors(
        noisy(20, deviation={"policy/*": 0.5, "qvel/*": 2.0, "qvel/knee": 0.0}, distribution=distribution),
        400,
    )
    assert not found[..., 2].any(), "the last that names an entry counts"
    for entry, deviation in ((0, 0.5), (1, 2.0)):
        z = found[..., entry] / deviation
        assert abs(z.mean()) < 0.05
        assert abs((z**2).mean() - 1.0) < 0.05
        assert abs((z**4).mean() - kurtosis) < 0.3
        assert abs((z[1:] * z[:-1]).mean()) < 0.05
        assert abs((z[:, 1:] * z[:, :-1]).mean()) < 0.05
    assert abs((found[..., 0] * found[..., 1]).mean()) < 0.05
    if distribution == "uniform":
        assert np.abs(found[..., 0]).max() <= 0.5 * 3.0**0.5


def test_a_bias_lasts_an_episode() -> None:
    biased, plain = noisy(bias={"qpos/hip": 1.0}), bare()
    first = biased.reset()["policy"] - plain.reset()["policy"]
    seen: list[set[float]] = [{first[i, 0]} for i in range(3)]
    biases: list[list[float]] = [[], [], []]
    for one, other in zip(played(biased, actions(40)), played(plain, actions(40)), strict=True):
        assert np.array_equal(one.obs["policy"][:, 1:], other.obs["policy"][:, 1:])
        for i, ended in enumerate(one.terminated | one.truncated):
            seen[i].add(round(one.next_obs["policy"][i, 0] - i, 12))
            if ended:
                assert max(seen[i]) - min(seen[i]) < 1e-9
                biases[i].append(seen[i].pop())
                seen[i] = {one.obs["policy"][i, 0] - i}
    drawn = [b for each in biases for b in each]
    assert len(np.unique(np.round(drawn, 9))) == len(drawn) > 20
    assert 0.5 < np.std(drawn) < 1.5


def test_what_is_observed_once_is_noisy_once() -> None:
    environment = noisy(deviation={"policy/*": 1.0}, bias={"policy/*": 1.0})
    environment.reset()
    for step in played(environment, actions(12)):
        ended = step.terminated | step.truncated
        assert np.array_equal(step.obs["policy"][~ended], step.next_obs["policy"][~ended])
        assert (step.obs["policy"][ended] != step.next_obs["policy"][ended]).all()


def test_only_what_began_anew_is_measured_anew() -> None:
    environment = noisy(deviation={"policy/*": 1.0}, bias={"policy/*": 1.0})
    environment.reset()
    *_, last = played(environment, actions(2))
    shown = environment.restart(np.array([1]))["policy"]
    assert np.array_equal(shown[[0, 2]], last.obs["policy"][[0, 2]])
    assert (shown[1] != last.obs["policy"][1]).all()


def test_neither_more_environments_nor_other_entries_change_the_noise_of_one() -> None:
    few, many = (noisy(n, deviation={"policy/*": 1.0}, bias={"qvel/*": 1.0}) for n in (2, 4))
    assert np.array_equal(few.reset()["policy"], many.reset()["policy"][:2])
    for one, other in zip(played(few, actions(12, 2)), played(many, actions(12, 4)), strict=True):
        assert_same(one, other, slice(2))
    alone = errors(noisy(deviation={"qvel/knee": 1.0}), 12)
    among = errors(noisy(deviation={"policy/*": 1.0}), 12)
    assert np.array_equal(alone[..., 2], among[..., 2])
    assert not alone[..., :2].any()


def test_it_goes_on_to_the_last_bit() -> None:
    assert_goes_on(
        {"noise": partial(Noise, deviation={"policy/*": 1.0}, bias={"*": 1.0}, distribution="gaussian")}
    )


@pytest.mark.parametrize("key", ["deviation", "bias"])
def test_what_is_not_observed_is_refused(key: str) -> None:
    with pytest.raises(PgrobotError, match=f"^wrapper.noise.{key} names 'qvel/hips', .*mean 'qvel/hip'"):
        noisy(**{key: {"qvel/hips": 1.0}})
