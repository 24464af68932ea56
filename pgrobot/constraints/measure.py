"""How far a policy spends each budget, measured from the rollout just collected and from nothing else.

A rollout of ``T`` steps shows pieces of episodes: some enter it at an age, some are cut by its end. An
average over the episodes that happen to finish would see the short ones only. Instead the pieces are put
together by age: with ``h(a)`` the share of the steps at age ``a`` that ended an episode and ``c(a)`` their
mean cost,

    J = Σ_a γ^a S(a) c(a),        S(a) = Π_{b<a} (1 − h(b)),

where S is the product-limit estimate of Kaplan and Meier (1958) under late entry and censoring. J is unbiased
where every age is visited, and the plain mean over episodes where the rollout consists of whole ones. An age
that nobody visited takes ``h`` and ``c`` from the visited ages near it, else from all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pgrobot.constraints.budgets import Constraint

REACHES = (0.05, 1.0)  # of the longest episode: how far an unvisited age looks for visited ones, in turn


def measure(
    cost: Tensor,
    done: Tensor,
    age_at_start: Tensor,
    paid_at_start: Tensor,
    constraints: Sequence[Constraint],
    gamma: float,
    max_episode_steps: int,
) -> Tensor:
    """Estimate what an episode of the acting policy spends.

    See docs/derivations.md#budgets.

    Args:
        cost: the columns that ``CostColumns`` makes, ``[T, N, K]``.
        done: an episode ended with this step, for whatever reason, ``[T, N]`` bool.
        age_at_start: steps that the running episodes had done before the rollout, ``[N]``.
        paid_at_start: ``CostColumns.paid`` before the rollout, ``[N, K]`` bool. Such an episode no
            longer tells when it exceeds its limit.
        constraints: name the unit of each column, ``K``.
        gamma: the discount of ``discounted``.
        max_episode_steps: the time limit, at which every episode ends.

    Returns:
        ``[K]`` float64, each in its budget's unit. Finite for finite costs, also when no episode ended. A
        ``probability`` is 1 where all running episodes had exceeded before the rollout and none ended in it.
    """
    age = _ages(done, age_at_start)
    size = max(max_episode_steps, int(age.max()) + 1)
    ended = done & (age < max_episode_steps - 1)  # the time limit is certain: no hazard to extrapolate
    everyone = torch.ones_like(done)
    weight = torch.ones(size, dtype=torch.float64)
    measured = []
    for k, constraint in enumerate(constraints):
        pay = cost[..., k].double()
        match constraint.unit:
            case "step":
                value = pay.mean()
            case "episode":
                value = _expected_sum(age, everyone, ended, pay, weight)
            case "discounted":
                value = _expected_sum(age, everyone, ended, pay, gamma ** torch.arange(size).double())
            case _:
                # Whoever exceeds the limit or ends leaves those who still can exceed it.
                pays = pay > 0.0
                can = ~_paid(pays, age, paid_at_start[:, k])
                share = _expected_sum(age, can, ended | pays, pay, weight)
                value = torch.where(can.any(), share, 1.0)
        measured.append(value)
    return torch.stack(measured) if measured else torch.zeros(0, dtype=torch.float64)


def _ages(done: Tensor, age_at_start: Tensor) -> Tensor:
    """Steps that the running episode has done before each step, ``[T, N]`` long, from ``done [T, N]``."""
    time = torch.arange(len(done)).unsqueeze(1)
    start = torch.cat([-age_at_start.unsqueeze(0), torch.where(done[:-1], time[1:], -age_at_start)])
    return time - start.cummax(dim=0).values


def _paid(pays: Tensor, age: Tensor, at_start: Tensor) -> Tensor:
    """Whether the running episode paid before each step ``[T, N]``; ``at_start [N]``: before the rollout."""
    before = pays.cumsum(dim=0) - pays.long()
    start = torch.arange(len(pays)).unsqueeze(1) - age  # negative for an episode that entered the rollout
    since_start = before - before.gather(0, start.clamp(min=0))
    return (since_start > 0) | ((start < 0) & at_start)


def _expected_sum(age: Tensor, at_risk: Tensor, left: Tensor, pay: Tensor, weight: Tensor) -> Tensor:
    """``Σ_a weight(a) S(a) c(a)`` of those at risk, who leave with ``left``; all ``[T, N]``, weight by age."""
    size = len(weight)
    risk = at_risk.double().flatten()
    by_age = torch.stack(
        [
            torch.bincount(age.flatten(), weights=amount, minlength=size)
            for amount in (risk, risk * left.flatten(), risk * pay.flatten())
        ]
    )
    total = torch.nn.functional.pad(by_age.cumsum(dim=1), (1, 0))
    index = torch.arange(size)
    known = by_age
    for reach in REACHES:
        ages = round(reach * size)
        around = total[:, (index + ages + 1).clamp(max=size)] - total[:, (index - ages).clamp(min=0)]
        known = torch.where(known[0] > 0.0, known, around)
    hazard, mean = known[1:] / known[0].clamp(min=1.0)
    survival = torch.cat([torch.ones(1, dtype=torch.float64), (1.0 - hazard[:-1]).cumprod(dim=0)])
    return (weight * survival * mean).sum()
