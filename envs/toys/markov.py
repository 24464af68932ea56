"""A Markov decision process small enough to be solved: values, occupancies and gradients without sampling.

Everything is a float64 torch function of the policy ``π [S, A]``, so automatic differentiation gives exact gradients.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class MarkovModel:
    """``S`` states, ``A`` actions.

    Attributes:
        transition: ``P(s'|s, a)`` ``[S, A, S]``; what a row lacks to one is the probability that the episode ends.
        reward: expected reward ``[S, A]``.
        cost: expected costs ``[K, S, A]``.
        start: probability of the first state ``[S]``.
    """

    transition: Tensor
    reward: Tensor
    cost: Tensor
    start: Tensor

    def values(self, policy: Tensor, discount: float, amount: Tensor) -> tuple[Tensor, Tensor]:
        """Solve ``V = r_π + γ P_π V`` for an amount ``[S, A]`` per step, without a time limit.

        Returns:
            ``V`` ``[S]`` and ``Q`` ``[S, A]``.
        """
        step = discount * self._under(policy)
        value = torch.linalg.solve(torch.eye(len(step), dtype=step.dtype) - step, (policy * amount).sum(-1))
        return value, amount + discount * self.transition @ value

    def finite_values(
        self, policy: Tensor, discount: float, amount: Tensor, horizon: int
    ) -> tuple[Tensor, Tensor]:
        """The same where nothing follows step ``horizon``, by backward induction.

        Returns:
            ``V`` ``[horizon + 1, S]`` by the steps already taken, and ``Q`` ``[horizon, S, A]``.
        """
        values, scores = [torch.zeros_like(self.start)], []
        for _ in range(horizon):
            scores.append(amount + discount * self.transition @ values[-1])
            values.append((policy * scores[-1]).sum(-1))
        return torch.stack(values[::-1]), torch.stack(scores[::-1])

    def objective(self, policy: Tensor, discount: float) -> Tensor:
        """The expected discounted return ``J = startᵀ (I − γ P_π)⁻¹ r_π``, a scalar."""
        return self.start @ self.values(policy, discount, self.reward)[0]

    def finite_objective(self, policy: Tensor, discount: float, horizon: int) -> Tensor:
        """The expected discounted return of ``horizon`` steps, a scalar."""
        return self.start @ self.finite_values(policy, discount, self.reward, horizon)[0][0]

    def occupancy(self, policy: Tensor, discount: float) -> Tensor:
        """``Σ_t γ^t P(s_t = s)``, ``[S]``; it sums to less than ``1 / (1 − γ)`` where episodes end."""
        step = discount * self._under(policy)
        return torch.linalg.solve(torch.eye(len(step), dtype=step.dtype) - step.T, self.start)

    def _under(self, policy: Tensor) -> Tensor:
        """``P_π(s'|s)``, ``[S, S]``."""
        return torch.einsum("sa,sat->st", policy, self.transition)
