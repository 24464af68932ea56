"""Learning rates: how far a step goes, as training proceeds or as the policy moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Protocol

from pgrobot.ranges import Within, above, at_least


class Rate(Protocol):
    """A learning rate and how it changes; ``rate`` itself is kept by the solver.

    Attributes:
        initial: the first one.
        follows_kl: whether ``adapt`` reads the KL: a solver that moves no policy has none. One that does not say so
            is taken not to.
    """

    follows_kl: ClassVar[bool]
    initial: float

    def anneal(self, rate: float, progress: float) -> float:
        """The rate at ``progress`` in [0, 1) of training, given the present one; asked once per iteration."""
        ...

    def adapt(self, rate: float, kl: float) -> float:
        """The rate after a pass that moved the policy by ``kl`` nats."""
        ...


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
