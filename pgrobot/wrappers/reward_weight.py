"""Weighing what the task pays, for whoever learns from something else."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np

from pgrobot.ranges import finite
from pgrobot.simulation.wrappers import WrappedEnvironment
from pgrobot.types import Environment, Step


class RewardWeight(WrappedEnvironment):
    """Multiplies the task's reward and its terms by ``weight``: 0 leaves intrinsic rewards alone, 1 all as it is.

    A policy is judged on the bare task.

    Args:
        environment: what is wrapped.
        training: whether the environment is trained in; else nothing is changed.
        weight: of the reward.
    """

    def __init__(self, environment: Environment, training: bool, weight: Annotated[float, finite]) -> None:
        super().__init__(environment)
        self._weight = weight if training else 1.0

    def step(self, action: np.ndarray) -> Step:
        step = super().step(action)
        return replace(step, reward=self._weight * step.reward, terms=self._weight * step.terms)
