"""Generalised advantage estimation (Schulman et al. 2016, arXiv 1506.02438, eq. 16)."""

from __future__ import annotations

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
) -> tuple[Tensor, Tensor]:
    r"""Estimate the advantage of every column at once.

    .. math:: \hat A_t = \delta_t + \gamma\lambda (1 - done_t) \hat A_{t+1},
        \quad \delta_t = r_t + \gamma (1 - terminated_t) V(s'_t) - V(s_t)

    A truncated step cuts the trace but keeps the value of its true successor.

    Args:
        reward: ``[T, N, C]``.
        value: ``V(s_t)``, ``[T, N, C]``.
        next_value: ``V(s'_t)`` of the true successor, before any auto-reset, ``[T, N, C]``.
        terminated: ``[T, N]`` bool.
        done: terminated or truncated, ``[T, N]`` bool.
        log_ratio: log π/μ of the actions taken, ``[T, N]``; an on-policy estimator does not read it.
        discount: γ of each column, ``[C]``.
        lam: λ in [0, 1]: 0 is the one-step TD error, 1 the Monte-Carlo return minus the value.

    Returns:
        The advantage and the regression target ``advantage + value`` (TD(λ)), ``[T, N, C]`` each.
    """
    del log_ratio
    alive = (~terminated).unsqueeze(-1)
    running = (~done).unsqueeze(-1)
    delta = reward + discount * alive * next_value - value
    advantage = reverse_scan(delta, (discount * lam) * running)
    return advantage, advantage + value
