"""Every world trains like any robot."""

from __future__ import annotations

import math

import pytest
import torch

from pgrobot.configure import build, compose, validated
from pgrobot.schemes import LEARNER

BINNED = {"softmax_bandit": 4, "mdp": 2}


@pytest.mark.parametrize("task", ["gaussian_bandit", "softmax_bandit", "mdp", "lqr", "lqg", "t_maze"])
def test_an_update_moves_the_policy(task: str) -> None:
    policy = [f"policy.bins={BINNED[task]}", "policy=binned"] if task in BINNED else ["policy=gaussian"]
    overrides = [f"task={task}", *policy, "tracker=none", "compile=false", "num_envs=8", "horizon=16"]
    assembly = build(validated(compose(overrides)), 1)
    before = torch.cat([p.flatten().clone() for p in assembly.policy.parameters()])
    metrics = assembly.learners[LEARNER].update(assembly.collector.collect()[LEARNER])
    after = torch.cat([p.flatten() for p in assembly.policy.parameters()])
    assert not torch.equal(before, after)
    assert all(map(math.isfinite, metrics.values()))
    assert assembly.diagnostics["episodes"](
        0, {LEARNER: None}, {LEARNER: assembly.collector.collect()[LEARNER]}
    )


def test_a_process_is_trained_under_its_own_cost() -> None:
    overrides = [
        "task=mdp",
        "constraint=cost",
        "policy=binned",
        "policy.bins=2",
        "compile=false",
        "horizon=64",
    ]
    assembly = build(validated(compose([*overrides, "num_envs=8"])), 1)
    metrics = assembly.learners[LEARNER].update(assembly.collector.collect()[LEARNER])
    assert metrics["cost/cost/mean"] > 0


def test_the_bandits_policy_goes_to_the_best_action() -> None:
    overrides = ["task=gaussian_bandit", "compile=false", "num_envs=64", "horizon=4", "policy.hidden=[]"]
    faster = ["algorithm.policy_solver.rate.initial=0.02", "algorithm.policy_solver.minibatch=256"]
    assembly = build(validated(compose([*overrides, *faster, "total_steps=10_240"])), 1)
    for _ in range(40):
        assembly.learners[LEARNER].update(assembly.collector.collect()[LEARNER])
    with torch.no_grad():
        start = torch.zeros(1, dtype=torch.bool)
        distribution, _ = assembly.policy({"policy": torch.zeros(1, 1)}, torch.zeros(1, 0), start)
    assert float(distribution.mean) == pytest.approx(0.7, abs=0.05)
