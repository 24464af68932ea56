"""Multipliers by the augmented Lagrangian."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from torch import Tensor

from pgrobot.constraints.budgets import Constraint
from pgrobot.constraints.price import Ceiling, Pricing, check_gain, start
from pgrobot.ranges import at_least
from pgrobot.types import Metrics, State


class AugmentedLagrangian:
    """``λ/s ← [λ/s + ρ g]₊`` every so often, and ``[λ/s + ρ g]₊`` is the price that acts (Rockafellar 1973).

    With g the rate of ``Pricing``, what is added to the loss is ``ψ(λ, g) = ([λ + ρ g]₊² − λ²) / 2ρ``, whose slope in g
    is the price that acts: λ, and ρ for every unit of violation. It follows each rollout, for g is that of the policy
    which is moved next. λ itself is held while the policy descends, and takes over what ρ g has found after
    ``every`` iterations: first λ moves on what the descent came to, then the price is made of the new λ and the same g.
    Were λ moved in each iteration to the price that acts, nothing of ρ would be left but a rate: a Lagrangian's.

    With ``every=1`` it is a PI controller with ``k_p = k_i = ρ``, with more about one with ``k_i = ρ / every``. ρ need
    not grow, as a mere penalty's weight would have to: where g settles at 0, λ alone is the price.

    See docs/derivations.md#augmented-lagrangian.

    Args:
        constraints, columns: as of ``Pricing``.
        penalty: ρ: the price per rate of 1, at once.
        every: iterations between steps of λ.
        initial: λ/s at first.
        maximum: the largest λ/s, and the largest price.

    Raises:
        PgrobotError: a number outside its range.
    """

    prices: ClassVar[bool] = True

    def __init__(
        self,
        constraints: Sequence[Constraint],
        columns: Sequence[str],
        penalty: float,
        every: Annotated[int, at_least(1)],
        initial: float,
        maximum: float,
    ) -> None:
        self._pricing = Pricing(constraints, columns)
        self._ceiling = Ceiling(constraints, maximum)
        check_gain("penalty", penalty)
        self._penalty = penalty
        self._every = every
        self._maximum = maximum
        self._held = start(initial, maximum, len(constraints))
        self._level = self._held.clone()
        self._count = 0

    def update(self, excess: Tensor, length: float, reward: Tensor) -> Metrics:
        push = self._penalty * self._pricing.rate(excess, length, reward)
        self._count += 1
        if self._count % self._every == 0:
            self._held = (self._held + push).clamp(0.0, self._maximum)
        self._level = (self._held + push).clamp(0.0, self._maximum)
        self._ceiling.watch(self._level)
        return self._pricing.metrics(self._level)

    def mix(self, advantage: Tensor) -> Tensor:
        return self._pricing.mix(advantage, self._level)

    def state_dict(self) -> State:
        return {
            "held": self._held.clone(),
            "level": self._level.clone(),
            "count": self._count,
            "pricing": self._pricing.state_dict(),
            "ceiling": self._ceiling.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        self._held = state["held"].clone()
        self._level = state["level"].clone()
        self._count = state["count"]
        self._pricing.load_state_dict(state["pricing"])
        self._ceiling.load_state_dict(state["ceiling"])
