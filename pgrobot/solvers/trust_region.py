"""Which point along a step to move to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Protocol

import torch
from torch import Tensor

from pgrobot.ranges import at_least, inside
from pgrobot.solvers.problem import Report


@dataclass(frozen=True)
class Trial:
    """A point and what the problem says there.

    Attributes:
        vector: the parameters ``[P]``.
        loss: a scalar.
        report: the problem's metrics; ``policy/kl`` is the mean KL from the reference policy.
    """

    vector: Tensor
    loss: Tensor
    report: Report


class Acceptance(Protocol):
    """Chooses the next parameters.

    Attributes:
        searches: whether the choice depends on the problem's KL from the reference policy; one that does not say so
            may.
    """

    searches: ClassVar[bool]

    def __call__(
        self, start: Trial, step: Tensor, evaluate: Callable[[Tensor], Trial], radius: float
    ) -> tuple[Trial, Report]:
        """Return the chosen point and metrics of the choice; nothing moves before that.

        Args:
            start: where the parameters are.
            step: the whole step ``[P]``.
            evaluate: asks the problem about any parameters ``[P]``.
            radius: the mean KL in nats that the step may reach.
        """
        ...


@dataclass(frozen=True)
class FullStep:
    """The whole step, whatever it brings.

    See docs/derivations.md#trust-region.
    """

    searches: ClassVar[bool] = False

    def __call__(
        self, start: Trial, step: Tensor, evaluate: Callable[[Tensor], Trial], radius: float
    ) -> tuple[Trial, Report]:
        del radius
        return evaluate(start.vector + step), {}


@dataclass(frozen=True)
class LineSearch:
    """The longest of ever shorter steps that improves the objective within the trust region, else none.

    TRPO's search (Schulman et al. 2015, appendix C): accepted is a point whose objective is higher *and* whose mean
    KL(reference ‖ point) is at most the radius. A point where either is not finite is not accepted. The candidates
    are vectors of their own, so a search that accepts none leaves the parameters as they are, bit for bit.

    See docs/derivations.md#trust-region.

    Attributes:
        backtracks: how often to shorten the step before giving up.
        shrink: factor of each shortening.
    """

    searches: ClassVar[bool] = True
    backtracks: Annotated[int, at_least(0)]
    shrink: Annotated[float, inside(0.0, 1.0)]

    def __call__(
        self, start: Trial, step: Tensor, evaluate: Callable[[Tensor], Trial], radius: float
    ) -> tuple[Trial, Report]:
        for index in range(self.backtracks + 1):
            trial = evaluate(start.vector + self.shrink**index * step)
            kl = trial.report["policy/kl"]
            finite = (trial.loss + kl).isfinite()
            if bool(finite & (trial.loss < start.loss) & (kl <= radius)):
                return trial, _report(1.0, index, kl / radius)
        return start, _report(0.0, self.backtracks + 1, start.report["policy/kl"] / radius)


def _report(accepted: float, backtracks: int, kl_ratio: Tensor) -> Report:
    return {
        "line_search/accepted": torch.tensor(accepted),
        "line_search/backtracks": torch.tensor(float(backtracks)),
        "line_search/kl_ratio": kl_ratio,
    }
