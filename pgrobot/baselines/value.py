"""The critic's value as a baseline."""

from __future__ import annotations

from dataclasses import dataclass

from pgrobot.baselines.baseline import Controlled
from pgrobot.batch import Sample


@dataclass(frozen=True)
class Value:
    """``A = Ĝ − V(s)``: the advantage as the estimator gave it."""

    def __call__(self, sample: Sample) -> Controlled:
        return Controlled(sample.advantage, sample.advantage.new_zeros(*sample.advantage.shape, 0))
