"""The state discount that the policy gradient theorem asks for and that practice leaves out."""

from __future__ import annotations

import torch
from torch import Tensor


def discount_from_start(age: Tensor, discount: float) -> Tensor:
    """Return γ^t, what a step weighs in the gradient of the *discounted* return of an episode.

    ``∇J = E[Σ_t γ^t ∇log π(a_t|s_t) A(s_t, a_t)]`` (Sutton et al. 2000, theorem 1 with the discounted state weighting).
    Without the factor the direction is not the gradient of any objective (Nota and Thomas 2020, arXiv 1906.07073), yet
    it learns from late states too, where the factor leaves nothing to learn from.

    A Monte-Carlo estimate that is not reward-to-go carries such a factor already: see ``monte_carlo``.

    See docs/derivations.md#state-discount.

    Args:
        age: steps already taken in the running episode, ``[…]``, whole numbers of any type.
        discount: γ of the reward.

    Returns:
        ``[…]``, in the type of ``age`` where it is a floating one, else in the default type; 1 at an episode's first
        step.
    """
    return torch.pow(discount, age)
