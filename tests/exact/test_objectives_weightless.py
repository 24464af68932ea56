"""A term without weight changes no bit of what the policy problem asks for."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor
from torch.func import grad
from toys import make_policy

from pgrobot.batch import Batch
from pgrobot.objectives import (
    AdaptiveKLPenalty,
    ClippedRatio,
    Entropy,
    EstimatedEntropy,
    KLPenalty,
    Objective,
)
from pgrobot.solvers import FlatParameters, PolicyProblem


def gradient(others: dict[str, Objective]) -> Tensor:
    """Of the problem's loss, somewhat away from the policy that acted."""
    policy, generator = make_policy(actions=2), torch.Generator().manual_seed(0)
    parameters = FlatParameters(policy)
    empty, start = torch.zeros(40, 0), torch.zeros(40, dtype=torch.bool)
    obs = {"policy": torch.randn(40, 2, generator=generator)}
    with torch.no_grad():
        acted, _ = policy(obs, empty, start)
        action = acted.sample(generator)
        read = {
            "obs": obs,
            "carry": empty,
            "episode_start": start,
            "action": action,
            "log_prob": acted.log_prob(action),
            "reference": dataclasses.replace(acted, mean=acted.mean.clone(), log_std=acted.log_std.clone()),
            "advantage": torch.randn(40, generator=generator),
        }
    batch = Batch(**{**dict.fromkeys((field.name for field in dataclasses.fields(Batch)), empty), **read})
    problem = PolicyProblem(policy, parameters, {"surrogate": ClippedRatio(1.0, 0.2), **others})
    away = parameters.vector + 0.1 * torch.randn(len(parameters), generator=generator)
    return grad(lambda vector: problem.loss(vector, batch)[0])(away)


@pytest.mark.parametrize(
    "kind",
    [
        Entropy,
        EstimatedEntropy,
        KLPenalty,
        lambda weight: AdaptiveKLPenalty(
            weight, target_kl=0.01, factor=2.0, tolerance=1.5, least=0.1, greatest=1.0
        ),
    ],
    ids=["entropy", "estimated_entropy", "kl", "adaptive_kl"],
)
def test_a_term_without_weight_is_bit_identical_to_its_absence(kind: type[Objective]) -> None:
    alone = gradient({})
    assert torch.equal(gradient({"other": kind(0.0)}), alone)
    assert not torch.equal(gradient({"other": kind(0.1)}), alone)
