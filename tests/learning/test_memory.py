"""What a memory is for, where the optimum is known: the state of a regulator that is only seen in part."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from remembering import LinearMemory
from torch.func import jacrev
from toys import GAUSSIAN, make, make_critic, make_policy, numbers

from pgrobot.bodies import Gru, Lstm
from pgrobot.configure import compose, validated
from pgrobot.envs.toys import LQR, TMaze
from pgrobot.envs.toys.linear_quadratic import LinearQuadratic
from pgrobot.estimators import gae
from pgrobot.groups import critic_widths
from pgrobot.policies import NetworkPolicy
from pgrobot.policies.heads.gaussian import GaussianHead
from pgrobot.randomness import stream
from pgrobot.run.evaluation import DETERMINISTIC, actor
from pgrobot.simulation.wrappers import wrapped
from pgrobot.solvers.rates import Linear
from pgrobot.targets import construct
from pgrobot.wrappers import Mask

STEPS = 50
SEEN = np.array([[1.0, 0.0]])  # the position, without noise


def least_cost(world: LinearQuadratic) -> float:
    """Expected cost of an episode under LQR∘Kalman, both of them time-varying: by the separation principle.

    ``tr P₀S₀ + Σ tr P_{t+1}W + Σ tr M_t Σ_t`` with ``M = Kᵀ(R + BᵀPB)K`` and the filter's covariance ``Σ``
    (Bertsekas 2017, section 4.3).
    """
    cost, values, excess = np.zeros((2, 2)), [], []
    for _ in range(STEPS):
        curvature = world.action_cost + world.control.T @ cost @ world.control
        gain = np.linalg.solve(curvature, world.control.T @ cost @ world.dynamics)
        values.insert(0, cost)
        excess.insert(0, gain.T @ curvature @ gain)
        cost = world.state_cost + world.dynamics.T @ cost @ world.dynamics - excess[0]
    total, prior = float(np.trace(cost @ world.start)), world.start
    for value, weight in zip(values, excess, strict=True):
        known = prior @ SEEN.T @ np.linalg.inv(SEEN @ prior @ SEEN.T) @ SEEN @ prior
        total += float(np.trace(value @ world.noise) + np.trace(weight @ (prior - known)))
        prior = world.dynamics @ (prior - known) @ world.dynamics.T + world.noise
    return total


def cost_of(policy: NetworkPolicy, world: LinearQuadratic) -> float:
    """The same of a linear policy without noise, from the moments of state, memory and one."""
    size = policy.carry_size

    def step(seen: torch.Tensor) -> torch.Tensor:
        distribution, carry = policy({"policy": seen[:1]}, seen[1:], torch.zeros((), dtype=torch.bool))
        return torch.cat((distribution.mean, policy.remember(carry, distribution.mean)))

    nothing = torch.zeros(1 + size)
    slope = jacrev(step)(nothing).numpy().astype(float)  # of action and memory
    constant = step(nothing).detach().numpy().astype(float)
    reads = np.zeros((1 + size, 3 + size))  # of state, memory and one
    reads[0, 0] = 1.0
    reads[1:, 2 : 2 + size] = np.eye(size)
    does = slope @ reads
    does[:, -1] += constant
    moments = np.zeros((3 + size, 3 + size))
    moments[:2, :2], moments[-1, -1] = world.start, 1.0
    following = np.zeros_like(moments)
    following[:2, :2], following[-1, -1] = world.dynamics, 1.0
    following[:2] += world.control @ does[:1]
    following[2 : 2 + size] = does[1:]
    total = 0.0
    for _ in range(STEPS):
        total += float(np.trace(world.state_cost @ moments[:2, :2]))
        total += float(world.action_cost[0, 0] * (does[0] @ moments @ does[0]))
        moments = following @ moments @ following.T
        moments[:2, :2] += world.noise
    return total


@pytest.mark.slow
def test_a_linear_memory_comes_within_three_percent_of_the_kalman_filter() -> None:
    """Of what can be known. The best linear policy that forgets costs 2.7 times as much."""
    cfg = validated(compose(["task=lqg", "task.start=[0.05,0.1]"]))
    task: LQR = construct(cfg, "task")
    environment = wrapped(
        task.make(256, {}, 0, 1), {"mask": functools.partial(Mask, hide=["policy/1"], keep="hidden")}, 0
    )
    spec, world = environment.spec, task.model(1.0)
    policy = NetworkPolicy(
        spec.widths,
        spec.actions,
        ("policy",),
        functools.partial(LinearMemory, units=4),
        functools.partial(GaussianHead, log_std=-0.7, log_std_bounds=(-1.6, 1.0)),
        math.inf,
        stream(0, "policy"),
        previous_action=True,
    )
    critic = make_critic(("reward",), critic_widths(spec, {}), ("policy", "hidden", "time"), (32, 32))
    iterations = 150
    collector, learner = make(
        environment,  # type: ignore[arg-type]
        horizon=STEPS,
        minibatch=1600,
        passes=5,
        rate=Linear(initial=2e-2, final=0.0),
        iterations=iterations,
        policy=policy,
        critic=critic,
        discounts={"reward": 0.99, "cost": 0.99, "bonus": 0.99},
    )
    # The critic does not see the policy's memory: bootstrapping from it would bias what is remembered.
    whole = functools.partial(gae, lam=1.0)
    learner.poser.algorithm = replace(learner.poser.algorithm, estimator=whole)
    for _ in range(iterations):
        learner.update(collector.collect()["robot"])
    assert cost_of(policy, world) < 1.03 * least_cost(world)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "success"), [(Gru, 1.0), (Lstm, 1.0), (None, 0.5)])
def test_who_forgets_turns_to_the_wrong_side_half_of_the_time(kind: Any, success: float) -> None:
    body = functools.partial(kind, units=8, sequence=8, hidden=(16,), activation="tanh") if kind else None
    policy = (
        NetworkPolicy({"policy": 2}, numbers(1), ("policy",), body, GAUSSIAN, 10.0, stream(0, "policy"))
        if body
        else make_policy()
    )
    maze = TMaze(name="t_maze", length=6)
    environment = maze.make(64, {}, 0, 1)
    collector, learner = make(environment, policy=policy, horizon=24, minibatch=384, passes=5, rate=1e-2)  # type: ignore[arg-type]
    for _ in range(40):
        learner.update(collector.collect()["robot"])
    world = maze.make(1000, {}, 1, 1)
    act = actor(policy, world.spec, DETERMINISTIC, stream(0, "noise"))
    obs, start = world.reset(), np.ones(1000, bool)
    for _ in range(6):
        step = world.step(act(obs, start))
        obs, start = step.obs, step.terminated | step.truncated
    assert float(step.reward.mean()) == pytest.approx(success, abs=0.06 if success < 1.0 else 0.01)
