"""Constrained Markov decision processes solved exactly, as a linear program in the occupancy (Altman 1999)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from pgrobot.errors import PgrobotError

from .markov import MarkovModel


@dataclass(frozen=True, slots=True)
class ConstrainedOptimum:
    """The best policy within budgets.

    Attributes:
        value: its expected discounted return.
        costs: its expected discounted costs ``[K]``.
        multipliers: what a unit more of each budget would add to the value, ``[K]``, at least zero.
        policy: the probabilities ``[S, A]``, uniform where the policy never comes.
    """

    value: float
    costs: np.ndarray
    multipliers: np.ndarray
    policy: np.ndarray


def constrained_optimum(model: MarkovModel, discount: float, budgets: Sequence[float]) -> ConstrainedOptimum:
    """Maximise the discounted return subject to ``discounted cost_k ≤ budgets[k]``.

    The variables are ``x(s, a) = Σ_t γ^t P(s_t = s, a_t = a) ≥ 0``, which satisfy
    ``Σ_a x(s', a) − γ Σ_{s, a} P(s'|s, a) x(s, a) = start(s')``.

    Raises:
        PgrobotError: no policy keeps the budgets.
    """
    states, actions, _ = model.transition.shape
    flow = np.repeat(np.eye(states), actions, axis=1)
    flow -= discount * model.transition.numpy().reshape(states * actions, states).T
    cost = model.cost.numpy().reshape(len(model.cost), states * actions)
    found = linprog(
        -model.reward.numpy().ravel(),
        A_ub=cost if len(cost) else None,
        b_ub=np.asarray(budgets) if len(cost) else None,
        A_eq=flow,
        b_eq=model.start.numpy(),
        method="highs",
    )
    if not found.success:
        raise PgrobotError(f"no policy keeps the budgets {list(budgets)}: {found.message}")
    occupancy = found.x.reshape(states, actions)
    visits = occupancy.sum(axis=1, keepdims=True)
    policy = np.where(visits > 1e-12, occupancy / np.maximum(visits, 1e-12), 1.0 / actions)
    return ConstrainedOptimum(-float(found.fun), cost @ found.x, -found.ineqlin.marginals, policy)
