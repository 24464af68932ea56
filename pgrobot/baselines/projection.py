"""A baseline that depends on the action: what the policy's own noise explains of the advantages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from pgrobot.baselines.baseline import Controlled
from pgrobot.baselines.folds import folds
from pgrobot.batch import BaselineInput
from pgrobot.control_variates import features
from pgrobot.groups import numbers_in
from pgrobot.ranges import above, at_least

# A component that varies less than this, against the first, is taken for rounding.
_LEAST_VARIANCE = 1e-8


@dataclass(frozen=True)
class Projection:
    """``A = Ĝ − V(s) − b(s) − φ(s, a)``, with ``φ`` regressed on features of the noise ``z = (a − m) / s``.

    ``φ(s, a) = Σ_j c_j(s) f_j(z)``, where the ``f_j`` are ``z`` and perhaps ``z² − 1`` of every action dimension
    (``pgrobot.control_variates``) and the ``c_j`` are affine in the observation's principal components. ``b`` is one
    more such function, of the state alone. What is left is orthogonal, on the rows fitted to and but for the ridge, to
    every feature: to what the scores of a Gaussian policy consist of. The term ``ControlVariate`` adds ``E_π[φ]`` back.

    Fitted on other trajectories than it is applied to, so the gradient stays unbiased however bad the fit. Released
    implementations of such baselines are biased: fitted on the very batch, or with only one of the two halves divided
    by its deviation (Tucker et al. 2018, arXiv 1802.10031).

    See docs/derivations.md#control-variates.

    Attributes:
        polynomial: in the noise: ``linear`` (Q-Prop: Gu et al. 2017, arXiv 1611.02247), or ``quadratic`` without mixed
            terms (Stein control variates: Liu et al. 2018, arXiv 1710.11198).
        components: of the observation that the coefficients depend on; 0: they are the same in every state.
        ridge: penalty on the squared coefficients, against features of about unit variance; above zero.
        folds: at most so many, of whole trajectories; a single one is fitted on itself, and biased.
    """

    depends_on_action: ClassVar[bool] = True
    polynomial: Literal["linear", "quadratic"]
    components: Annotated[int, at_least(0)]
    ridge: Annotated[float, above(0.0)]
    folds: Annotated[int, at_least(1)]

    def __call__(self, given: BaselineInput) -> Controlled:
        noise = features(given.action, given.reference).double()
        if self.polynomial == "linear":
            noise = noise[..., : given.action.shape[-1]]
        basis = torch.cat((torch.ones_like(noise[..., :1]), noise), -1)
        obs, advantage = numbers_in(given.obs).double(), given.advantage.double()
        coefficients = torch.zeros_like(basis)
        for own, fitted_on in folds(given.done, given.counts, self.folds):
            state = principal_components(obs[fitted_on], self.components)
            fit = ridge_regression(basis[fitted_on], state(obs[fitted_on]), advantage[fitted_on], self.ridge)
            coefficients[own] = state(obs[own]) @ fit.T
        left = advantage - (coefficients * basis).sum(-1)
        like = given.advantage.dtype
        return Controlled(left.to(like), coefficients[..., 1:].to(like))


def ridge_regression(basis: Tensor, state: Tensor, target: Tensor, ridge: float) -> Tensor:
    """Coefficients ``C`` ``[W, R]`` that minimise ``mean (basis C stateᵀ − target)² + ridge ‖C‖²``.

    Args:
        basis: ``[B, W]``.
        state: ``[B, R]``.
        target: ``[B]``.
        ridge: above zero.
    """
    design = torch.einsum("bw,br->bwr", basis, state).flatten(1)
    gram = design.T @ design / len(design)
    gram.diagonal().add_(ridge)
    return torch.linalg.solve(gram, design.T @ target / len(design)).view(basis.shape[1], state.shape[1])


def principal_components(obs: Tensor, count: int) -> Callable[[Tensor], Tensor]:
    """A one and the first ``count`` components, of unit variance, of observations like ``obs`` ``[B, D]``.

    Components are those of the correlation matrix, so the units of the observations do not matter. Values beyond ±10
    are clipped.
    """
    mean, std = obs.mean(0), obs.std(0, correction=0)
    inverse = torch.where(std > 0.0, 1.0 / std, 0.0)
    standardised = (obs - mean) * inverse
    variance, direction = torch.linalg.eigh(standardised.T @ standardised / len(obs))
    first = slice(max(len(variance) - count, 0), len(variance))
    known = variance[first] > _LEAST_VARIANCE * variance[-1].clamp(min=_LEAST_VARIANCE)
    whiten = direction[:, first] * torch.where(known, variance[first].clamp(min=0.0).rsqrt(), 0.0)

    def state(rows: Tensor) -> Tensor:
        components = (((rows - mean) * inverse) @ whiten).clamp(-10.0, 10.0)
        return torch.cat((torch.ones_like(rows[..., :1]), components), -1)

    return state
