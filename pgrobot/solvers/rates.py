"""Learning rates: how far a step goes, as training proceeds or as the policy moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Rate(Protocol):
    """A learning rate and how it changes; ``rate`` itself is kept by the solver."""

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

    initial: float

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

    initial: float
    final: float

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

    initial: float
    target_kl: float
    factor: float
    least: float
    greatest: float

    def anneal(self, rate: float, progress: float) -> float:
        del progress
        return rate

    def adapt(self, rate: float, kl: float) -> float:
        if kl > 2.0 * self.target_kl:
            return max(rate / self.factor, self.least)
        if kl < 0.5 * self.target_kl:
            return min(rate * self.factor, self.greatest)
        return rate
