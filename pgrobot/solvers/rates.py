"""Learning rates: how far a step goes, as training proceeds or as the policy moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Protocol

from pgrobot.errors import PgrobotError
from pgrobot.ranges import Within, above, at_least


class Rate(Protocol):
    """A learning rate and how it changes; ``rate`` itself is kept by the solver.

    Attributes:
        initial: the first one.
        follows_kl: whether it goes by the KL by which a policy moved, or by another distance: a solver that moves no
            policy has none. One that does not say so is taken not to.
    """

    follows_kl: ClassVar[bool]
    initial: float

    def anneal(self, rate: float, progress: float) -> float:
        """The rate at ``progress`` in [0, 1) of training, given the present one; asked once per iteration."""
        ...

    def adapt(self, rate: float, kl: float) -> float:
        """The rate after a pass that moved the policy by ``kl`` nats."""
        ...


def metric_followed(rate: Rate, problem: object) -> str:
    """The metric that a rate follows, of those that the problem ``reports``; empty: none.

    Raises:
        PgrobotError: the problem does not report it.
    """
    metric: str = getattr(rate, "follows", "")
    if metric and metric not in getattr(problem, "reports", ()):
        raise PgrobotError(
            f"the rate {type(rate).__name__} follows {metric}, which nothing reports to this solver: use it as "
            "algorithm.policy_solver.rate with pgrobot.objectives.GeneralizedClippedRatio, or another rate"
        )
    return metric


@dataclass(frozen=True)
class Constant:
    """The same rate throughout.

    See docs/derivations.md#step-sizes.
    """

    follows_kl: ClassVar[bool] = False
    initial: Annotated[float, above(0.0)]

    def anneal(self, rate: float, progress: float) -> float:
        del rate, progress
        return self.initial

    def adapt(self, rate: float, kl: float) -> float:
        del kl
        return rate


@dataclass(frozen=True)
class Linear:
    """From ``initial`` at the start of training to ``final`` at its end.

    See docs/derivations.md#step-sizes.
    """

    follows_kl: ClassVar[bool] = False
    initial: Annotated[float, above(0.0)]
    final: Annotated[float, at_least(0.0)]

    def anneal(self, rate: float, progress: float) -> float:
        del rate
        return self.initial + (self.final - self.initial) * progress

    def adapt(self, rate: float, kl: float) -> float:
        del kl
        return rate


class FollowingRate(Rate, Protocol):
    """A learning rate that follows how far a whole update went, by a metric that a term of the objective reports.

    Attributes:
        follows: the metric's name, as a term has it in its ``reports``; a rate that does not say so follows none.
    """

    follows: ClassVar[str]

    def follow(self, rate: float, moved: float) -> float:
        """The rate of an update, after one whose last pass reported ``moved``."""
        ...

    def ends(self, moved: float) -> bool:
        """Whether a pass that reports ``moved`` is the rollout's last."""
        ...


@dataclass(frozen=True)
class TotalVariationAdaptive:
    """Divide the rate by ``factor`` after an update that went farther than ``clip / 2`` in total variation.

    GePPO's (Queeney et al. 2021, section 6): where no ratio leaves its interval the distance is at most ``clip / 2``.
    The rate never rises again.

    See docs/derivations.md#step-sizes.

    Attributes:
        initial: the first rate.
        clip: ε of the interval.
        factor: above 1.
        stops: whether a pass beyond the distance is the rollout's last.
    """

    follows_kl: ClassVar[bool] = True
    follows: ClassVar[str] = "policy/total_variation"
    initial: Annotated[float, above(0.0)]
    clip: Annotated[float, above(0.0)]
    factor: Annotated[float, above(1.0)]
    stops: bool

    def anneal(self, rate: float, progress: float) -> float:
        del progress
        return rate

    def adapt(self, rate: float, kl: float) -> float:
        del kl
        return rate

    def follow(self, rate: float, moved: float) -> float:
        return rate / self.factor if moved > 0.5 * self.clip else rate

    def ends(self, moved: float) -> bool:
        return self.stops and moved > 0.5 * self.clip


@dataclass(frozen=True)
class KLAdaptive:
    """Divide the rate by ``factor`` when a pass moves the policy too far, multiply it when it hardly moves.

    Too far is more than twice ``target_kl``, hardly less than half of it (Schulman et al. 2017, section 4, applied
    to the step size as in legged-robot practice).

    See docs/derivations.md#step-sizes.
    """

    follows_kl: ClassVar[bool] = True
    initial: Annotated[float, above(0.0), Within("least", "greatest")]
    target_kl: Annotated[float, above(0.0)]
    factor: Annotated[float, above(1.0)]
    least: Annotated[float, above(0.0)]
    greatest: Annotated[float, above(0.0)]

    def anneal(self, rate: float, progress: float) -> float:
        del progress
        return rate

    def adapt(self, rate: float, kl: float) -> float:
        if kl > 2.0 * self.target_kl:
            return max(rate / self.factor, self.least)
        if kl < 0.5 * self.target_kl:
            return min(rate * self.factor, self.greatest)
        return rate
