"""V-trace (Espeholt et al. 2018, arXiv 1802.01561, section 4.1): learning from a policy other than one's own."""

from __future__ import annotations

import math
from typing import Annotated

from torch import Tensor

from pgrobot.estimators.estimator import Estimate, EstimatorInput, estimator
from pgrobot.estimators.scan import ahead, reverse_scan
from pgrobot.ranges import between, positive


@estimator(reads_log_ratio=True)
def vtrace(
    given: EstimatorInput,
    *,
    lam: Annotated[float, between(0.0, 1.0)],
    rho_bar: Annotated[float, positive],
    c_bar: Annotated[float, positive],
    pg_rho_bar: Annotated[float, positive],
    objective_has_ratio: bool,
) -> Estimate:
    r"""Estimate the advantage of every column from the actions of a behaviour policy μ.

    .. math::
        e_t &= \rho_t \delta_t + \gamma \lambda c_t (1 - done_t) e_{t+1}, \qquad v_t = V(s_t) + e_t \\
        \hat A_t &= r_t + \gamma q_t - V(s_t), \qquad
        q_t = \begin{cases} (1 - terminated_t) V(s'_t) & \text{at the end of a piece} \\
        \lambda v_{t+1} + (1 - \lambda) V(s_{t+1}) & \text{else} \end{cases}

    with ``ρ = min(ρ̄, π/μ)``, ``c = min(c̄, π/μ)`` and the TD error δ of ``gae``. At the end of a piece, be it in the
    middle of the rollout, q is the value of the true successor and never that of the next episode's first step.

    The target's fixed point is the value of the policy proportional to ``min(ρ̄ μ, π)``, which is π only where ρ̄ clips
    nothing. The ratio is that of the joint action: its logarithm's variance grows with the number of actuators.

    Where π = μ and ρ̄, c̄, ρ̄_pg ≥ 1, both the advantage and ``target − V`` are GAE's advantage at the same λ, and every
    weight is one.

    **Who multiplies by the ratio.** A sample's weight in the policy gradient is to be ``min(ρ̄_pg, π/μ)``, once.
    ``Ratio``, ``ClippedRatio`` and ``SimplePolicyOptimization`` multiply the advantage by π/μ themselves:
    with ``objective_has_ratio`` true the weight that they lack is ``min(1, ρ̄_pg μ/π)``, which takes from theirs only
    what is above ρ̄_pg. ``Likelihood`` multiplies by nothing: with false the weight is ``min(ρ̄_pg, π/μ)``. Both are the
    same gradient when an update begins; a mismatch weighs by (π/μ)², or not at all.

    The advantage itself is not weighed, as a baseline ``b`` has to be taken from it first: ``E_μ[π/μ ∇log π b]`` is
    zero, ``E_μ[∇log π b]`` is not.

    See docs/derivations.md#v-trace.

    Args:
        given: the rollout.
        lam: λ in [0, 1], of the trace and of q.
        rho_bar: ρ̄ > 0, which policy is evaluated; infinity is π itself.
        c_bar: c̄ > 0, how far corrections reach; it moves no fixed point.
        pg_rho_bar: ρ̄_pg > 0, the largest weight of a sample in the policy gradient.
        objective_has_ratio: whether the objective's term multiplies by π/μ.

    Returns:
        The advantage and the target v, ``[T, N, C]`` each, and the weight that the objective lacks, ``[T, N]``.
    """
    log_ratio = given.log_ratio
    ratio = log_ratio.exp().unsqueeze(-1)
    delta = given.reward + given.discount * ~given.terminated * given.next_value - given.value
    trace = given.discount * lam * ~given.done
    error = reverse_scan(ratio.clamp(max=rho_bar) * delta, trace * ratio.clamp(max=c_bar))
    advantage = delta + trace * ahead(error, 1)
    if objective_has_ratio:
        # in logarithms: an infinite bar over an infinite ratio is one, not NaN
        weight = (math.log(pg_rho_bar) - log_ratio).clamp(max=0.0).exp()
    else:
        weight = log_ratio.exp().clamp(max=pg_rho_bar)
    return Estimate(advantage, given.value + error, weight)


def effective_sample_share(log_ratio: Tensor, weight: Tensor) -> float:
    """``(Σ wρ)² / (B Σ (wρ)²)`` of the ratios of ``B`` steps: one where all are alike, ``1/B`` where one outweighs all.

    See docs/derivations.md#v-trace.

    Args:
        log_ratio: ``log ρ``, ``[…]``.
        weight: what each step counts, ``[…, 1]``, 0: it is none of them; of width 0: all the same.
    """
    flat = log_ratio.double().flatten()
    if weight.shape[-1]:
        counts = weight.flatten() > 0.0
        flat = flat[counts] + weight.double().flatten()[counts].log()
    log_share = 2.0 * flat.logsumexp(0) - (2.0 * flat).logsumexp(0) - math.log(len(flat))
    return float(log_share.exp())
