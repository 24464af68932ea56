"""Terms that keep a policy to the one that its run began as, by what it does or by its parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.objectives.term import FixedWeight, PolicyAt
from pgrobot.ranges import at_least, described, is_number, is_whole

updates_or_forever = described(
    lambda value: is_number(value) and value >= 1 and (is_whole(value) or math.isinf(value)),
    float,
    "a whole number of updates of at least 1, or .inf",
)


@dataclass(frozen=True)
class _Fading(FixedWeight):
    """A weight that falls by the same amount with every update, and is 0 after ``updates`` of them.

    Attributes:
        weight: the first one.
        updates: infinity keeps it.
    """

    reads_advantage: ClassVar[bool] = False
    multiplies_ratio: ClassVar[bool] = False
    reads_prior: ClassVar[bool] = True
    scheduled: ClassVar[bool] = True
    weight: Annotated[float, at_least(0.0)]
    updates: Annotated[float, updates_or_forever]

    def adapt(self, weight: float, kl: float) -> float:
        del kl
        if math.isinf(self.updates) or weight == 0.0:
            return weight
        done = round((1.0 - weight / self.weight) * self.updates) + 1  # counted, so that nothing adds up
        return self.weight * (1.0 - done / self.updates)


@dataclass(frozen=True)
class KLToPrior(_Fading):
    """Minus the mean KL(prior ‖ π) in nats, on the states that the policy meets (kickstarting: Schmitt et al. 2018).

    The prior is the policy that ``initialise`` made, with its normaliser, frozen. The term is 0 there, and flat.

    See docs/derivations.md#keeping-to-a-prior.
    """

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return -batch.mean(policy.prior.here().kl(policy.here)), {}


@dataclass(frozen=True)
class L2ToPrior(_Fading):
    """L2-SP: minus half the squared distance of the parameters from the prior's (Li, Grandvalet and Davoine 2018).

    All parameters that learn count alike; its gradient is ``θ₀ − θ``.

    See docs/derivations.md#keeping-to-a-prior.
    """

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        del batch
        return -0.5 * policy.prior.moved().square().sum(), {}
