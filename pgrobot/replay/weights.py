"""What the steps of the last policies count in an update (Queeney et al. 2021, arXiv 2111.00072, section 5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pgrobot.errors import PgrobotError
from pgrobot.ranges import at_least, between
from pgrobot.targets import locate


class SampleWeights(Protocol):
    """The weights ν of the last policies: of the present one first, then of the one before."""

    def __call__(self, memory: int) -> tuple[float, ...]:
        """Of ``memory`` policies: as many numbers that do not rise and add up to one.

        Raises:
            PgrobotError: so many policies cannot be weighed; says how many can.
        """
        ...


def staleness(weights: Sequence[float]) -> float:
    """``Σ ν_i i``, i = 1 for the present policy: the updates from a sample's policy to the one that is sought."""
    return math.fsum(weight * updates for updates, weight in enumerate(weights, 1))


@dataclass(frozen=True)
class UniformWeights:
    """Every step counts the same, whichever of the policies took it."""

    def __call__(self, memory: int) -> tuple[float, ...]:
        return (1.0 / memory,) * memory


@dataclass(frozen=True)
class OptimalWeights:
    r"""GePPO's weights: the most samples, or the least staleness, that keep what an algorithm on policy has of both.

    An algorithm on policy would learn from B rollouts at once. With weights ν the effective number of samples is
    ``1 / Σ ν_i²`` rollouts, and a bound on the distance from the policies that acted allows each update ``1 / s`` of
    the way that it allows on policy, ``s = Σ i ν_i``. In the time of B rollouts there are B updates, so

    .. math:: \min_ν\; t \frac{\sum ν_i^2}{1/B - q_{min}} + (1 - t) \frac{s}{B - s_{min}}, \quad
        \sum ν_i = 1, \; s \le B, \; \sum ν_i^2 \le 1/B, \; ν \ge 0

    ``s_min`` and ``q_min`` are the least values of either. Among all weights with one s, those with the least
    ``Σ ν_i²`` fall linearly in i until they are zero, so the program is one in s alone, a convex one; and they fall to
    zero at the m-th policy where ``(m + 1)/3 ≤ s ≤ (m + 2)/3``.

    See docs/derivations.md#past-experience.

    Attributes:
        rollouts: B.
        tradeoff: t in [0, 1]: 1 asks for samples alone, 0 for new ones alone.
    """

    rollouts: Annotated[float, at_least(1.0)]
    tradeoff: Annotated[float, between(0.0, 1.0)]

    def __call__(self, memory: int) -> tuple[float, ...]:
        if memory < self.rollouts:
            raise PgrobotError(
                f"algorithm.memory={memory} holds fewer samples than the {self.rollouts:g} rollouts of "
                f"algorithm.sample_weights.rollouts, which they are to replace: use algorithm.memory="
                f"{math.ceil(self.rollouts)} or more, or algorithm.sample_weights.rollouts={memory}"
            )
        weights = _falling(self._staleness(memory), memory)
        used = sum(weight > 1e-9 for weight in weights)
        if used < memory:
            raise PgrobotError(
                f"algorithm.memory={memory} keeps rollouts to which algorithm.sample_weights gives no weight: the "
                f"newest {used} have all of it; use algorithm.memory={used}, or more algorithm.sample_weights.rollouts"
            )
        return weights

    def _staleness(self, memory: int) -> float:
        """The best s. ``Σ ν_i²`` falls with it, ever more slowly."""
        most, square = min(self.rollouts, (memory + 1) / 2), 1.0 / self.rollouts
        least = _bisected(lambda s: _squares(s, memory) <= square, 1.0, most)
        spread = square - _squares(most, memory)
        if self.tradeoff == 1.0 or spread <= 1e-12:
            return most
        if self.tradeoff == 0.0:
            return least
        slope = (1.0 - self.tradeoff) / (self.rollouts - least) * spread / self.tradeoff
        return _bisected(lambda s: 2.0 * _fall(s, memory) <= slope, least, most)


def shared_bound(bound: Any, memory: Any, sample_weights: Any, modules: Any) -> Any:
    """What one update may use of a bound on the distance from the policies that acted: ``ε / s``, as a config has it.

    What is wrong with one of them is refused by whoever checks the config.
    """
    try:
        given = {key: value for key, value in dict(sample_weights).items() if key != "_target_"}
        weights = locate("algorithm.sample_weights", sample_weights["_target_"], list(modules))(**given)
        return round(bound / staleness(weights(memory)), 12)
    except Exception:  # noqa: BLE001 - the user's code may raise anything, and will again
        return bound


def _support(s: float, memory: int) -> int:
    """How many policies have weight where the least squares have the staleness s."""
    return min(memory, max(1, math.ceil(round(3.0 * s - 2.0, 9))))


def _fall(s: float, memory: int) -> float:
    """By how much a policy has less weight than the next newer one."""
    m = _support(s, memory)
    return 0.0 if m == 1 else ((m + 1) / 2 - s) * 12.0 / (m * (m * m - 1))


def _falling(s: float, memory: int) -> tuple[float, ...]:
    """The weights with the staleness s that have the least squares."""
    m, fall = _support(s, memory), _fall(s, memory)
    falling = tuple(1.0 / m - fall * (i - (m + 1) / 2) for i in range(1, m + 1))
    return falling + (0.0,) * (memory - m)


def _squares(s: float, memory: int) -> float:
    return math.fsum(weight * weight for weight in _falling(s, memory))


def _bisected(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The least number of an interval from which on something holds; its end where it never does."""
    if holds(low):
        return low
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
