"""Terms that make actions likelier which were done already: all of them, or those that went better than expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.objectives.term import FixedWeight, PolicyAt
from pgrobot.ranges import above, at_least


@dataclass(frozen=True)
class Cloning(FixedWeight):
    """Behavioural cloning: the mean log-likelihood of the rollout's actions, which are a demonstrator's.

    The likelihood is the distribution's own, so its deviation is learnt as well: of a Gaussian it becomes what the mean
    leaves unexplained.

    See docs/derivations.md#demonstrations.
    """

    reads_advantage: ClassVar[bool] = False
    multiplies_ratio: ClassVar[bool] = False
    imitates: ClassVar[bool] = True
    clones: ClassVar[bool] = True
    weight: Annotated[float, above(0.0)]

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        likelihood = batch.mean(policy.here.log_prob(batch.action))
        return likelihood, {"clone/nll": -likelihood}


@dataclass(frozen=True)
class SelfImitation(FixedWeight):
    """Self-imitation (Oh et al. 2018, arXiv 1806.05635, eq. 2) on the rollout: ``E[log π(a|s) (A)₊]``.

    What went better than expected is imitated, and what went worse is not held against the policy. With
    ``algorithm/estimator=monte_carlo`` and ``algorithm.normalisation=raw`` the advantage is the paper's ``R − V``;
    otherwise it is the run's own, and the weight is in the unit of one that is standardised. It is no policy gradient
    and has no ratio: it may follow any number of steps.

    See docs/derivations.md#demonstrations.
    """

    reads_advantage: ClassVar[bool] = True
    multiplies_ratio: ClassVar[bool] = False
    imitates: ClassVar[bool] = True
    weight: Annotated[float, at_least(0.0)]

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        better = batch.advantage.clamp(min=0.0)
        return batch.mean(policy.here.log_prob(batch.action) * better), {}
