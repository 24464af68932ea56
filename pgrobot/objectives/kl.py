"""Penalties on the distance from the policy that an update began with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.distributions import Distribution
from pgrobot.objectives.term import FixedWeight, PolicyAt
from pgrobot.ranges import Within, above, at_least


def nearness(distribution: Distribution, batch: Batch) -> Tensor:
    """Minus the mean KL(reference ‖ π), a scalar."""
    return -batch.mean(batch.reference.kl(distribution))


@dataclass(frozen=True)
class KLPenalty(FixedWeight):
    """Minus the mean KL(reference ‖ π) in nats (Schulman et al. 2017, eq. 8); the weight is its β.

    Flat at the reference: it bends the steps that follow and leaves the first one as it is.

    See docs/derivations.md#kl-penalties.
    """

    reads_advantage: ClassVar[bool] = False
    multiplies_ratio: ClassVar[bool] = False
    reads_reference: ClassVar[bool] = True
    weight: Annotated[float, at_least(0.0)]

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return nearness(policy.here, batch), {}


@dataclass(frozen=True)
class ReverseKLPenalty(FixedWeight):
    """Minus the mean KL(π ‖ reference) in nats, the other way round.

    Beside ``Ratio`` at the weight 1 its optimum is ``π ∝ reference · exp(A / weight)``.

    See docs/derivations.md#kl-penalties.
    """

    reads_advantage: ClassVar[bool] = False
    multiplies_ratio: ClassVar[bool] = False
    reads_reference: ClassVar[bool] = True
    weight: Annotated[float, at_least(0.0)]

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return -batch.mean(policy.here.kl(batch.reference)), {}


@dataclass(frozen=True)
class AdaptiveKLPenalty:
    """The same with a β that holds the KL near a target (Schulman et al. 2017, section 4).

    An update that moved the policy by more than ``tolerance`` times the target multiplies β by ``factor``; one by less
    than the target over ``tolerance`` divides it. The paper has 1.5 and 2.

    See docs/derivations.md#kl-penalties.

    Attributes:
        weight: the first β.
        target_kl: in nats.
        factor: above 1.
        tolerance: at least 1.
        least: β falls no lower; above zero, from where it could not rise again.
        greatest: β rises no higher.
    """

    reads_advantage: ClassVar[bool] = False
    multiplies_ratio: ClassVar[bool] = False
    reads_reference: ClassVar[bool] = True
    follows_kl: ClassVar[bool] = True
    adds_control_back: ClassVar[bool] = False
    weight: Annotated[float, Within("least", "greatest")]
    target_kl: Annotated[float, above(0.0)]
    factor: Annotated[float, above(1.0)]
    tolerance: Annotated[float, at_least(1.0)]
    least: Annotated[float, above(0.0)]
    greatest: Annotated[float, above(0.0)]

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return nearness(policy.here, batch), {}

    def adapt(self, weight: float, kl: float) -> float:
        if kl > self.target_kl * self.tolerance:
            weight *= self.factor
        elif kl < self.target_kl / self.tolerance:
            weight /= self.factor
        return min(max(weight, self.least), self.greatest)
