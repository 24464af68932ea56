"""What a memory holds: planted, it is found; noise, it is not."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from remembering import LinearMemory
from torch import Tensor
from toys import GAUSSIAN, TargetWorld, make, make_policy, numbers

from pgrobot.bodies import Gru
from pgrobot.configure import compose, validated
from pgrobot.diagnostics import Memory
from pgrobot.diagnostics.memory import time_scale
from pgrobot.diagnostics.probe import RIDGE, held_out, ridge
from pgrobot.policies import NetworkPolicy
from pgrobot.policies.heads.smooth import SmoothHead
from pgrobot.randomness import stream
from pgrobot.types import EnvironmentSpec, ObservationGroup, Rollout

ENTRIES = ("qvel/a", "qvel/b")


def normal(name: str, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=stream(0, name))


def folds(rows: int) -> Tensor:
    return torch.arange(rows) % 2 == 0


# ---- probes --------------------------------------------------------------------------------------------------------


def test_it_is_ridge_regression() -> None:
    """Against a least-squares solution with the penalty as rows of its own."""
    x, y, at = (
        normal("x", 40, 3).double() * torch.tensor([1.0, 5.0, 0.1]) + 7.0,
        normal("y", 40, 2).double(),
        normal("at", 9, 3).double(),
    )
    middle, deviation = x.mean(0), x.std(0, correction=0)
    penalty = math.sqrt(RIDGE * 40) * torch.eye(3, dtype=torch.float64)
    rows = torch.cat(((x - middle) / deviation, penalty))
    targets = torch.cat((y - y.mean(0), torch.zeros(3, 2, dtype=torch.float64)))
    weights = torch.linalg.lstsq(rows, targets).solution
    torch.testing.assert_close(ridge(x, y, at), y.mean(0) + (at - middle) / deviation @ weights)


def test_what_is_there_is_read_and_noise_is_not() -> None:
    x = normal("x", 2000, 30)
    planted = x @ normal("w", 30, 2) + 100.0
    told = held_out(x, planted, folds(2000))
    assert (told > 0.99999).all()
    noise = held_out(x, normal("noise", 2000, 50), folds(2000))
    assert float(noise.max()) < 0.02
    assert -0.1 < float(noise.mean()) < 0.0  # fitted to half of the rows, it costs on the other half


def test_each_row_is_predicted_from_the_other_fold_alone() -> None:
    """Two rows that say the opposite: each half's line is wrong about the other one."""
    x, y, fold = (
        torch.tensor([[0.0], [1.0], [0.0], [1.0]]),
        torch.tensor([[0.0], [1.0], [1.0], [0.0]]),
        torch.tensor([True, True, False, False]),
    )
    slope = 1.0 / (1.0 + RIDGE)
    ends = 0.5 - 0.5 * slope, 0.5 + 0.5 * slope
    error = 2 * ((0.0 - ends[1]) ** 2 + (1.0 - ends[0]) ** 2)
    torch.testing.assert_close(held_out(x, y, fold), torch.tensor([1.0 - error]).double(), rtol=1e-6, atol=0)


def test_what_never_changes_is_not_told_of_and_an_input_that_does_not_is_no_use() -> None:
    x = torch.cat((normal("x", 100, 1), torch.full((100, 1), 3.0)), -1)
    y = torch.cat((2.0 * x[:, :1], torch.full((100, 1), 0.1)), -1)
    told = held_out(x, y, folds(100))
    assert float(told[0]) > 0.99999
    assert math.isnan(float(told[1]))


# ---- the diagnostic ------------------------------------------------------------------------------------------------


def spec() -> EnvironmentSpec:
    world = TargetWorld(6, 0).spec
    return replace(
        world, observation={**world.observation, "hidden": ObservationGroup(ENTRIES, (2,), "float64")}
    )


class Learner:
    def __init__(self, policy: Any) -> None:
        self.structure = policy

    def copied(self) -> Any:
        return self.structure

    def snapshot(self, rollout: Rollout) -> Mapping[str, Any]:
        del rollout
        return {"policy": self}


def collected(policy: Any, hidden: Tensor | None = None) -> Rollout:
    collector, _ = make(TargetWorld(6, 0, length=5, fatal=0.9), policy=policy, minibatch=6 * policy.sequence)
    collector.collect()  # nobody remembers anything before the first step
    rollout = collector.collect()["robot"]
    return replace(
        rollout,
        obs={
            **rollout.obs,
            "hidden": normal("hidden", *rollout.log_prob.shape, 2) if hidden is None else hidden,
        },
    )


def gru(units: int = 4, previous: bool = False) -> NetworkPolicy:
    body = functools.partial(Gru, units=units, hidden=(5,), activation="tanh", sequence=4)
    return NetworkPolicy(
        {"policy": 2}, numbers(1), ("policy",), body, GAUSSIAN, 10.0, stream(0, "policy"), math.inf, previous
    )


def told(policy: Any, rollout: Rollout, every: int = 1, iteration: int = 0) -> Mapping[str, float]:
    return Memory(every, spec=spec(), iterations=9)(iteration, {"robot": Learner(policy)}, {"robot": rollout})


def test_a_memory_that_holds_the_truth_is_read_and_one_of_noise_is_not() -> None:
    """The memory of a step has seen the step's observation, and is of its own episode."""
    policy = gru()
    rollout = collected(policy)
    carry = normal("carry", *rollout.carry.shape)
    held = carry @ normal("w", 4, 1)
    truth = torch.cat((held, normal("noise", *held.shape)), -1).roll(-1, 0)
    start = torch.cat((rollout.episode_start[1:], torch.ones_like(rollout.episode_start[:1])))
    truth[start] = 100.0 * normal("unrelated", *truth[start].shape)  # of a memory that is of the next episode
    rollout = replace(rollout, carry=carry, obs={**rollout.obs, "hidden": truth})
    metrics = told(policy, rollout)
    assert start[:-1].any()
    assert set(metrics) == {f"memory/{key}/{name}" for key in ("r2", "r2_observed") for name in ENTRIES} | {
        "memory/time_scale"
    }
    assert metrics["memory/r2/qvel/a"] > 0.9999
    assert metrics["memory/r2/qvel/b"] < 0.1
    assert metrics["memory/r2_observed/qvel/a"] < 0.1


def test_what_is_observed_is_read_off_the_observation() -> None:
    policy = gru()
    rollout = collected(policy)
    shown = torch.cat(
        (rollout.obs["policy"].sum(-1, keepdim=True), normal("noise", *rollout.log_prob.shape, 1)), -1
    )
    assert (
        told(policy, replace(rollout, obs={**rollout.obs, "hidden": shown}))["memory/r2_observed/qvel/a"]
        > 0.999
    )


def test_padding_is_left_out() -> None:
    policy = gru()
    rollout = collected(policy)
    weight = rollout.weight.clone()
    weight[-5:] = 0.0
    obs = {name: x.clone() for name, x in rollout.obs.items()}
    obs["hidden"][-5:] = 1e6
    before = told(policy, replace(rollout, weight=weight))
    assert (
        told(policy, replace(rollout, weight=weight, obs=obs))["memory/r2/qvel/a"]
        == before["memory/r2/qvel/a"]
    )


def test_what_the_policy_reads_is_not_hidden_and_what_remembers_nothing_is_not_asked() -> None:
    policy = gru()
    rollout = collected(policy)
    alone = replace(rollout, obs={"policy": rollout.obs["policy"]})
    assert set(told(policy, alone)) == {"memory/time_scale"}
    perceptron = make_policy()
    assert told(perceptron, collected(perceptron)) == {}
    noisy = make_policy(
        head=functools.partial(
            SmoothHead, log_std=-0.5, log_std_bounds=(-4.0, 1.0), share=0.5, correlation=0.9
        )
    )
    assert noisy.carry_size > 0
    assert told(noisy, collected(noisy)) == {}  # noise is no memory
    assert gru(previous=True).memory_size == 4 < gru(previous=True).carry_size


def test_it_looks_when_it_is_due() -> None:
    policy = gru()
    rollout = collected(policy)
    assert [bool(told(policy, rollout, 3, iteration)) for iteration in range(5)] == [
        True,
        False,
        False,
        True,
        False,
    ]
    assert told(policy, rollout, 0) == {}


@pytest.mark.parametrize("decay", [0.5, 0.8])
def test_a_linear_memory_has_the_time_scale_of_its_decay(decay: float) -> None:
    policy = NetworkPolicy(
        {"policy": 2}, numbers(1), ("policy",), LinearMemory, GAUSSIAN, 10.0, stream(0, "policy")
    )
    with torch.no_grad():
        policy.body.layer.weight[:, -1] = decay
    rollout = replace(collected(policy), episode_start=torch.zeros(16, 6, dtype=torch.bool))
    rollout = replace(rollout, carry=normal("carry", *rollout.carry.shape))
    assert time_scale(policy, rollout) == math.ceil(-1.0 / math.log(decay))
    begun = rollout.episode_start.clone()
    begun[1, :3] = True  # whoever forgets because an episode begins is not compared any more
    assert time_scale(policy, replace(rollout, episode_start=begun)) == math.ceil(-1.0 / math.log(decay))
    with torch.no_grad():
        policy.body.layer.weight[:, -1] = 1.0
    assert time_scale(policy, rollout) == 16.0
    assert math.isnan(time_scale(policy, replace(rollout, carry=torch.zeros_like(rollout.carry))))


def test_it_is_on_by_composition_and_bad_values_are_refused() -> None:
    cfg = validated(compose(["task=lqr", "policy=recurrent"]))
    assert cfg.diagnostics.memory.every == 10
    with pytest.raises(
        Exception, match=r"diagnostics.memory.every must be a whole number of at least 0, not -1"
    ):
        validated(compose(["task=lqr", "diagnostics.memory.every=-1"]))
