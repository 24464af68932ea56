"""Generalised advantage estimation (Schulman et al. 2016, arXiv 1506.02438, eq. 16), and TD(λ) beside it."""

from __future__ import annotations

import torch
from torch import Tensor

from pgrobot.estimators.scan import reverse_scan


def gae(
    reward: Tensor,
    value: Tensor,
    next_value: Tensor,
    terminated: Tensor,
    done: Tensor,
    log_ratio: Tensor,
    *,
    discount: Tensor,
    lam: float,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Estimate the advantage of every column at once.

    .. math:: \hat A_t = \delta_t + \gamma\lambda (1 - done_t) \hat A_{t+1},
        \quad \delta_t = r_t + \gamma (1 - terminated_t) V(s'_t) - V(s_t)

    A truncated step cuts the trace but keeps the value of its true successor.

    See docs/derivations.md#gae.

    Args:
        reward: ``[T, N, C]``.
        value: ``V(s_t)``, ``[T, N, C]``.
        next_value: ``V(s'_t)`` of the true successor, before any auto-reset, ``[T, N, C]``.
        terminated: ``[T, N]`` bool.
        done: terminated or truncated, ``[T, N]`` bool.
        log_ratio: log π/μ of the actions taken, ``[T, N]``; an on-policy estimator does not read its values.
        discount: γ of each column, ``[C]``.
        lam: λ in [0, 1]: 0 is the one-step TD error, 1 the Monte-Carlo return minus the value.

    Returns:
        The advantage and the regression target ``advantage + value`` (TD(λ)), ``[T, N, C]`` each, and ones ``[T, N]``.
    """
    alive = (~terminated).unsqueeze(-1)
    running = (~done).unsqueeze(-1)
    delta = reward + discount * alive * next_value - value
    advantage = reverse_scan(delta, (discount * lam) * running)
    return advantage, advantage + value, torch.ones_like(log_ratio)


def td_lambda(
    reward: Tensor,
    value: Tensor,
    next_value: Tensor,
    terminated: Tensor,
    done: Tensor,
    log_ratio: Tensor,
    *,
    discount: Tensor,
    lam: float,
    target_lam: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """One λ for the actor and another for the critic: GAE's advantage at ``lam``, the TD(λ) target at ``target_lam``.

    The actor's λ weighs the bias of the critic against the variance of the rewards in a single gradient; the critic's
    only how fast its regression follows the policy, and there many samples average. With ``lam`` 0 this is
    the actor-critic that steps along its TD error while the critic learns from λ-returns (Sutton and Barto 2018,
    sections 12.1 and 13.5). Where both are equal it is ``gae``.

    See docs/derivations.md#lambda-returns.

    Args:
        reward: as the other arguments, see ``pgrobot.estimators``.
        value: ``[T, N, C]``.
        next_value: ``[T, N, C]``.
        terminated: ``[T, N]`` bool.
        done: ``[T, N]`` bool.
        log_ratio: ``[T, N]``, not read.
        discount: ``[C]``.
        lam: λ of the advantage in [0, 1]: 0 is the one-step TD error.
        target_lam: λ of the target in [0, 1]: 1 is the Monte-Carlo return.

    Returns:
        The advantage and the λ-return, ``[T, N, C]`` each, and ones ``[T, N]``.
    """
    columns = (reward, value, next_value, terminated, done, log_ratio)
    advantage, _, weight = gae(*columns, discount=discount, lam=lam)
    _, target, _ = gae(*columns, discount=discount, lam=target_lam)
    return advantage, target, weight
