"""How far a policy spends each budget, measured from the rollout just collected and from nothing else.

A rollout of ``T`` steps shows pieces of episodes: some enter it at an age, some are cut by its end. An
average over the episodes that happen to finish would see the short ones only. Instead the pieces are put
together by age: with ``h(a)`` the share of the steps at age ``a`` that ended an episode and ``c(a)`` their
mean cost,

    J = Σ_a γ^a S(a) c(a),        S(a) = Π_{b<a} (1 − h(b)),

where S is the product-limit estimate of Kaplan and Meier (1958) under late entry and censoring. J is unbiased
where every age is visited, and the plain mean over episodes where the rollout consists of whole ones. An age
that nobody visited takes ``h`` and ``c`` from the visited ages near it, else from all of them. A censored step,
in which a simulation broke or an episode was cut, tells neither its cost nor whether it would have been the last:
it is left out, and its episode is known up to the step before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pgrobot.constraints.budgets import Constraint

REACHES = (0.05, 1.0)  # of the longest episode: how far an unvisited age looks for visited ones, in turn


@dataclass(frozen=True, slots=True)
class Measurement:
    """What an episode of the acting policy is expected to be, float64."""

    cost: Tensor  # what it spends, in each budget's unit                    [K]
    steps: Tensor  # how many steps that amount is a sum over                [K]
    length: float  # how many steps it lasts


def measure(
    cost: Tensor,
    done: Tensor,
    censored: Tensor,
    age: Tensor,
    paid: Tensor,
    constraints: Sequence[Constraint],
    gamma: float,
    max_episode_steps: int,
) -> Measurement:
    """Estimate what an episode of the acting policy spends, and how long it lasts.

    The steps that a unit adds up are the episode's for ``episode`` and ``probability`` (whose column pays once), the
    same discounted for ``discounted``, and 1 for ``step``.

    See docs/derivations.md#budgets.

    Args:
        cost: the columns that ``CostColumns`` makes, ``[T, N, K]``.
        done: an episode ended with this step, for whatever reason, ``[T, N]`` bool.
        censored: this step tells nothing of its episode, ``[T, N]`` bool; where all are, no estimate is a number.
        age: steps that the running episodes had done before this one, ``[T, N]``.
        paid: ``CostColumns.paid`` before this step, ``[T, N, K]`` bool. Such an episode no longer tells when it
            exceeds its limit.
        constraints: name the unit of each column, ``K``.
        gamma: the discount of ``discounted``.
        max_episode_steps: the time limit, at which every episode ends.

    Returns:
        The estimates: finite for finite costs, also when no episode ended. A ``probability`` is 1 where all running
        episodes had exceeded before the rollout and none ended in it.
    """
    size = max(max_episode_steps, int(age.max()) + 1)
    ended = done & (age < max_episode_steps - 1)  # the time limit is certain: no hazard to extrapolate
    known = ~censored
    pay = cost.double()
    survival, mean = _by_age(age, known, ended, pay, size)
    fade = gamma ** torch.arange(size, dtype=torch.float64)
    length, discounted = survival.sum(), (survival * fade).sum()
    measured = []
    for k, constraint in enumerate(constraints):
        match constraint.unit:
            case "step":
                value, steps = pay[..., k][known].mean(), torch.ones_like(length)
            case "episode":
                value, steps = (survival * mean[k]).sum(), length
            case "discounted":
                value, steps = (survival * fade * mean[k]).sum(), discounted
            case _:
                # Whoever exceeds the limit or ends leaves those who still can exceed it.
                can = known & ~paid[..., k]
                still, share = _by_age(age, can, ended | (pay[..., k] > 0.0), pay[..., [k]], size)
                value, steps = torch.where(can.any(), (still * share[0]).sum(), 1.0), length
        measured.append(torch.stack([value, steps]))
    amounts = torch.stack(measured, dim=1) if measured else torch.zeros(2, 0, dtype=torch.float64)
    return Measurement(cost=amounts[0], steps=amounts[1], length=float(length))


def _by_age(age: Tensor, at_risk: Tensor, left: Tensor, pay: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Survival ``[size]`` and mean cost ``[K, size]`` by age, of those at risk, who leave with ``left``.

    The first three are ``[T, N]``, ``pay`` is ``[T, N, K]``.
    """
    risk = at_risk.double().flatten()
    amounts = (risk, risk * left.flatten(), *(risk * column for column in pay.flatten(0, 1).unbind(-1)))
    by_age = torch.stack(
        [torch.bincount(age.flatten(), weights=amount, minlength=size) for amount in amounts]
    )
    total = torch.nn.functional.pad(by_age.cumsum(dim=1), (1, 0))
    index = torch.arange(size)
    known = by_age
    for reach in REACHES:
        ages = round(reach * size)
        around = total[:, (index + ages + 1).clamp(max=size)] - total[:, (index - ages).clamp(min=0)]
        known = torch.where(known[0] > 0.0, known, around)
    hazard, *mean = known[1:] / known[0]
    survival = torch.cat([torch.ones(1, dtype=torch.float64), (1.0 - hazard[:-1]).cumprod(dim=0)])
    return survival, torch.stack(mean) if mean else torch.zeros(0, size, dtype=torch.float64)
