"""Checks of whole runs, built from the very configs that train: first ratios, units, identities of algorithms."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from pgrobot.assembly import Assembly, build
from pgrobot.batch import Batch
from pgrobot.configure import compose, validated
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.objectives import FixedWeight, PolicyAt
from pgrobot.schemes import LEARNER


@dataclass(frozen=True)
class RatioProbe(FixedWeight):
    """A term of no weight that reports the greatest ``|π(a|s) / μ(a|s) − 1|`` of its rows."""

    reads_advantage: ClassVar[bool] = False
    multiplies_ratio: ClassVar[bool] = False
    weight: float

    def __call__(self, policy: PolicyAt, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        distance = (torch.exp(policy.here.log_prob(batch.action) - batch.log_prob) - 1.0).abs().max()
        return torch.zeros_like(distance), {"ratio/distance": distance}


@dataclass(frozen=True)
class FirstRatio:
    """Where an update begins, the policy is the one that acted: every ratio is one, also once normalisers have moved.

    Attributes:
        overrides: a run whose update is one step on the whole rollout, with a ``RatioProbe`` among its terms.
        updates: how many.
        tolerance: of every ratio.
    """

    overrides: Sequence[str]
    updates: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        with opened(self.overrides) as assembly:
            metrics = [
                assembly.learners[LEARNER].update(assembly.collector.collect()[LEARNER])
                for _ in range(self.updates)
            ]
        return [
            compare(f"greatest |ratio − 1|, update {index}", m["ratio/distance"], 0.0, self.tolerance)
            for index, m in enumerate(metrics, start=1)
        ]


@dataclass(frozen=True)
class RewardUnit:
    """Rewards in another unit move the policy in the same way; a power of two, which rounds nothing, by the same bits.

    The price of its cost, in reward per cost, is that of the first run in the other unit.

    Attributes:
        overrides: a run with one constraint, which it violates.
        tens: units, as powers of ten.
        twos: units, as powers of two.
        updates: how many.
        tolerance: of every parameter, where the unit is a power of ten.
    """

    overrides: Sequence[str]
    tens: Sequence[int]
    twos: Sequence[int]
    updates: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        exact, price = self._learnt(1.0)
        rounded = {f"10^{k}": (10.0**k, self.tolerance) for k in self.tens}
        units = rounded | {f"2^{k}": (2.0**k, 0.0) for k in self.twos}
        outcomes = []
        for name, (unit, tolerance) in units.items():
            learnt, its_price = self._learnt(unit)
            outcomes += [
                compare(f"parameters, rewards × {name}", learnt, exact, tolerance),
                compare(f"price, rewards × {name}", its_price / unit, price, tolerance),
            ]
        return outcomes

    def _learnt(self, unit: float) -> tuple[Tensor, float]:
        """All parameters, and the price."""
        with opened(self.overrides) as assembly:
            for _ in range(self.updates):
                rollout = assembly.collector.collect()[LEARNER]
                scale = torch.ones(len(rollout.columns))
                scale[rollout.columns.index("reward")] = unit
                metrics = assembly.learners[LEARNER].update(
                    dataclasses.replace(rollout, reward=scale * rollout.reward)
                )
            (price,) = (value for name, value in metrics.items() if name.startswith("multiplier/"))
            return parameters(assembly), price


@dataclass(frozen=True)
class Identity:
    """Two ways to say the same.

    Attributes:
        first, second: overrides.
        tolerance: of every parameter; zero asks for the same bits.
    """

    first: Sequence[str]
    second: Sequence[str]
    tolerance: float


@dataclass(frozen=True)
class Identities:
    """Pairs of runs that have to learn the same policy, in double precision: rounding is far below all else.

    Attributes:
        overrides: what all have in common.
        pairs: by name.
        updates: how many.
    """

    overrides: Sequence[str]
    pairs: Mapping[str, Identity]
    updates: int

    def run(self) -> Sequence[Outcome]:
        return [
            compare(name, self._learnt(pair.first), self._learnt(pair.second), pair.tolerance)
            for name, pair in self.pairs.items()
        ]

    def _learnt(self, overrides: Sequence[str]) -> Tensor:
        with double_precision(), opened([*self.overrides, *overrides]) as assembly:
            for _ in range(self.updates):
                assembly.learners[LEARNER].update(assembly.collector.collect()[LEARNER])
            return parameters(assembly)


@contextmanager
def opened(overrides: Sequence[str]) -> Iterator[Assembly]:
    """A run as ``pgrobot train`` would build it, on one core and not started."""
    assembly = build(validated(compose(overrides)), 1)
    try:
        yield assembly
    finally:
        assembly.environment.close()


@contextmanager
def double_precision() -> Iterator[None]:
    """Networks and rollouts that are made meanwhile are of float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def parameters(assembly: Assembly) -> Tensor:
    """All parameters of the policy, ``[P]``."""
    return torch.cat([parameter.detach().flatten() for parameter in assembly.policy.parameters()])
