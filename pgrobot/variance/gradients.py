"""The policy gradient of every rollout under every baseline, by the learner that trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.func import grad

from pgrobot.baselines import NORMALISATIONS, Baseline
from pgrobot.learner import Learner
from pgrobot.objectives import ControlVariate, Likelihood, Objective
from pgrobot.posing import Evidence
from pgrobot.retrospect import Values
from pgrobot.solvers import PolicyProblem
from pgrobot.types import Rollout

# The policy gradient itself: where the policy is the one that acted, every surrogate's first step climbs it.
OBJECTIVE: Mapping[str, Objective] = {"likelihood": Likelihood(1.0), "control": ControlVariate(1.0)}


@torch.no_grad()
def advantages(learner: Learner, rollout: Rollout) -> Tensor:
    """The estimator's advantages, with bonuses and priced costs mixed, as baselines see them: ``[T, N]``."""
    evidence, values = learner.seen(rollout)
    log_ratio = learner.poser.log_ratio(evidence.rollout)
    estimate = learner.poser.estimate(evidence.rollout, values, log_ratio)
    return learner.poser.mixed(estimate.advantage, evidence)


@torch.no_grad()
def gradient(
    learner: Learner, seen: tuple[Evidence, Values], baseline: Baseline, terms: Mapping[str, Objective]
) -> Tensor:
    """The gradient of other ``terms`` over another ``baseline``, of a rollout that the present policy collected.

    ``seen`` is the rollout as the learner sees it: ``learner.seen(rollout)``.

    It takes an update's own way up to its first step, with advantages as they are (``raw``) and distances measured from
    the policy itself. Nothing moves.

    Returns:
        ``[P]``, the direction of ascent, in the unit of the reward.
    """
    batch = learner.poser.posed_with(*seen, baseline, NORMALISATIONS["raw"]).policy
    problem = PolicyProblem(learner.policy, learner.policy_vector, terms)
    ascent: Tensor = -grad(lambda vector: problem.loss(vector, batch)[0])(learner.policy_vector.vector)
    return ascent


def gradients(
    learner: Learner,
    rollouts: Sequence[Rollout],
    baselines: Mapping[str, Sequence[Baseline]],
    progress: Callable[[int], None],
) -> dict[str, Tensor]:
    """A gradient per rollout and baseline; the learner stays as it is.

    Args:
        learner: of the policy that collected the rollouts.
        rollouts: ``K`` of them.
        baselines: by name one per rollout.
        progress: told the number of rollouts that are done.

    Returns:
        ``[K, P]`` by name, in the unit of the reward.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in baselines}
    for k, rollout in enumerate(rollouts):
        progress(k)
        seen = learner.seen(rollout)
        for name, own in baselines.items():
            found[name].append(gradient(learner, seen, own[k], OBJECTIVE))
    return {name: torch.stack(rows) for name, rows in found.items()}
