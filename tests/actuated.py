"""Policies, problems and learners whose actuators are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from toys import TargetWorld, make

from pgrobot.batch import Batch
from pgrobot.diagnostics.actuators import Actuators
from pgrobot.learner import Learner
from pgrobot.objectives import Objective
from pgrobot.policies import Policy
from pgrobot.randomness import stream
from pgrobot.solvers import FlatParameters, PolicyProblem, PolicySnapshot
from pgrobot.types import Action, EnvironmentSpec, Rollout


def spec_of(*actions: Action, low: float = -1.0, high: float = 1.0) -> EnvironmentSpec:
    bounds = {"action_low": np.full(len(actions), low), "action_high": np.full(len(actions), high)}
    return replace(TargetWorld(1, 0).spec, actions=actions, **bounds)


def plain(count: int) -> Actuators:
    """Actuators whose policy unit is a unit of the world."""
    return Actuators.of(spec_of(*Action.unitless(*(f"motor{j}" for j in range(count)))), count)


def posed(
    policy: Policy,
    obs: Tensor,
    action: Tensor,
    advantage: Tensor,
    columns: Mapping[str, Tensor],
    weight: Tensor,
    terms: Mapping[str, Objective],
) -> PolicySnapshot:
    """A problem on rows that the policy acted on."""
    parameters = FlatParameters(policy)
    problem = PolicyProblem(policy, parameters, terms)
    rows = (obs, torch.zeros(len(obs), 0), torch.zeros(len(obs), dtype=torch.bool))
    with torch.no_grad():
        reference, _ = policy({"policy": obs}, *rows[1:])
    none = torch.zeros(len(obs), 0, dtype=obs.dtype)
    batch = Batch({"policy": obs}, *rows[1:], action, reference.log_prob(action), reference, advantage,
                  none, none, none, weight)  # fmt: skip
    terms_of = lambda vector: problem.contributions(vector, batch)
    return PolicySnapshot(parameters, terms_of, problem, batch, columns, policy, lambda: policy, False)


def stretched(policy: Any) -> Any:
    """A network policy that has seen something: its normaliser and its output are no special case."""
    generator = stream(5, "stretched")
    policy.merge({"policy": 3.0 + torch.tensor([0.5, 2.0]) * torch.randn(500, 2, generator=generator)})
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return policy.double()


def trained(multiplier: Any, **changes: Any) -> tuple[Learner, Rollout]:
    world = TargetWorld(8, 0)
    collector, learner = make(world, multiplier=multiplier, **changes)
    for _ in range(2):
        rollout = collector.collect()["robot"]
        learner.update(rollout)
    return learner, rollout
