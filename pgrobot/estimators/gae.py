"""Generalised advantage estimation (Schulman et al. 2016, arXiv 1506.02438, eq. 16), and TD(λ) beside it."""

from __future__ import annotations

from typing import Annotated

import torch

from pgrobot.estimators.estimator import Estimate, EstimatorInput, estimator
from pgrobot.estimators.scan import reverse_scan
from pgrobot.ranges import between


@estimator(reads_log_ratio=False)
def gae(
    given: EstimatorInput,
    *,
    lam: Annotated[float, between(0.0, 1.0)],
) -> Estimate:
    r"""Estimate the advantage of every column at once.

    .. math:: \hat A_t = \delta_t + \gamma\lambda (1 - done_t) \hat A_{t+1},
        \quad \delta_t = r_t + \gamma (1 - terminated_t) V(s'_t) - V(s_t)

    A truncated step cuts the trace but keeps the value of its true successor.

    See docs/derivations.md#gae.

    Args:
        given: the rollout.
        lam: λ in [0, 1]: 0 is the one-step TD error, 1 the Monte-Carlo return minus the value.

    Returns:
        The advantage and the regression target ``advantage + value`` (TD(λ)), ``[T, N, C]`` each, and ones ``[T, N]``.
    """
    delta = given.reward + given.discount * ~given.terminated * given.next_value - given.value
    advantage = reverse_scan(delta, (given.discount * lam) * ~given.done)
    return Estimate(advantage, advantage + given.value, torch.ones_like(given.log_ratio))


@estimator(reads_log_ratio=False)
def td_lambda(
    given: EstimatorInput,
    *,
    lam: Annotated[float, between(0.0, 1.0)],
    target_lam: Annotated[float, between(0.0, 1.0)],
) -> Estimate:
    """One λ for the actor and another for the critic: GAE's advantage at ``lam``, the TD(λ) target at ``target_lam``.

    The actor's λ weighs the bias of the critic against the variance of the rewards in a single gradient; the critic's
    only how fast its regression follows the policy, and there many samples average. With ``lam`` 0 this is
    the actor-critic that steps along its TD error while the critic learns from λ-returns (Sutton and Barto 2018,
    sections 12.1 and 13.5). Where both are equal it is ``gae``.

    See docs/derivations.md#lambda-returns.

    Args:
        given: the rollout.
        lam: λ of the advantage in [0, 1]: 0 is the one-step TD error.
        target_lam: λ of the target in [0, 1]: 1 is the Monte-Carlo return.

    Returns:
        The advantage and the λ-return, ``[T, N, C]`` each, and ones ``[T, N]``.
    """
    actor, critic = gae(given, lam=lam), gae(given, lam=target_lam)
    return actor._replace(target=critic.target)
