"""Baselines that are one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from pgrobot.baselines.baseline import Controlled, uncontrolled
from pgrobot.baselines.folds import fitted_mean
from pgrobot.batch import BaselineInput
from pgrobot.ranges import at_least


@dataclass(frozen=True)
class NoBaseline:
    """``A = Ĝ``: the returns themselves.

    See docs/derivations.md#baselines.
    """

    depends_on_action: ClassVar[bool] = False

    def __call__(self, given: BaselineInput) -> Controlled:
        return uncontrolled(given.returns)


@dataclass(frozen=True)
class Constant:
    """``A = Ĝ − E[Ĝ]``: the mean return of the other folds.

    See docs/derivations.md#cross-fitting.

    Attributes:
        folds: at most so many, of whole trajectories. With one the mean is the batch's own, and the expected gradient
            of ``n`` independent rows is short of the true one by the factor ``1 − 1/n``.
    """

    depends_on_action: ClassVar[bool] = False
    folds: Annotated[int, at_least(1)]

    def __call__(self, given: BaselineInput) -> Controlled:
        mean = fitted_mean(
            given.returns, torch.ones_like(given.returns), given.done, given.counts, self.folds
        )
        return uncontrolled(given.returns - mean)


@dataclass(frozen=True)
class Optimal:
    """``A = Ĝ − b*`` with ``b* = E[w² ‖s‖² Ĝ] / E[w² ‖s‖²]``, ``s = ∇log π(a|s)``, and ``w`` the weight of the row.

    The one number that minimises the variance of a row's gradient, summed over the parameters (Weaver and Tao 2001;
    Greensmith et al. 2004). It leaves aside that rows of one trajectory covary, and the ratio that a surrogate itself
    multiplies by, which is 1 on the first pass. It costs a gradient per row.

    See docs/derivations.md#optimal-baseline.

    Attributes:
        folds: see ``Constant``.
    """

    depends_on_action: ClassVar[bool] = False
    folds: Annotated[int, at_least(1)]

    def __call__(self, given: BaselineInput) -> Controlled:
        weight = given.weight.square() * given.score_norm()
        best = fitted_mean(given.returns, weight, given.done, given.counts, self.folds)
        return uncontrolled(given.returns - best)
