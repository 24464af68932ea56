"""Which part violates which constraint, how much, in how many environments and when in its episode."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from torch import Tensor

from pgrobot.ranges import at_least
from pgrobot.types import EnvironmentSpec, Metrics, Rollout, State

NAMES = ("environments", "phase", "size", "largest")


class Violations:
    """Four figures for every part of every constraint; a part violates in a step in which it adds to the cost.

    ``violation/<constraint>/<part>/environments`` is the share of environments in which it did so in the rollout at
    all. Of the steps in which it did: ``…/size``, the mean of what it added, ``…/largest``, the most, and ``…/phase``,
    the mean place in the episode, 0 at its beginning and 1 at the time limit; absent where there were none. Of a cost
    whose parts add 1 or nothing there is no size and no largest: it does not say how large a violation is. An amount
    that is no number counts as no violation. With several learners, each one's names begin with ``<learner>/``.

    Args:
        every: iterations between measurements; 0 never measures.
        parts: of each constraint, the first so many are told of.
        spec: of the environments.
        iterations: of the run; of no consequence.
    """

    def __init__(
        self,
        every: Annotated[int, at_least(0)],
        parts: Annotated[int, at_least(1)],
        *,
        spec: EnvironmentSpec,
        iterations: int,
    ) -> None:
        del iterations
        self._every = every
        self._first = parts
        self._costs = tuple(spec.violations)
        self._parts = [
            (f"violation/{cost}/{part}", NAMES[:2] if cost in spec.counted else NAMES)
            for cost, known in spec.violations.items()
            for part in known[:parts]
        ]
        self._limit = spec.max_episode_steps

    def __call__(
        self, iteration: int, learners: Mapping[str, Any], experience: Mapping[str, Rollout]
    ) -> Metrics:
        if self._every == 0 or iteration % self._every or not self._parts:
            return {}
        metrics: Metrics = {}
        for name, rollout in experience.items():
            if f"violation/{self._costs[0]}" not in rollout.by_step.telemetry:  # nobody has measured it
                continue
            prefix = f"{name}/" if len(learners) > 1 else ""
            for (part, names), row in zip(self._parts, self._figures(rollout.by_step).tolist(), strict=True):
                found = zip(names, row, strict=False)
                metrics |= {f"{prefix}{part}/{key}": value for key, value in found if math.isfinite(value)}
        return metrics

    def state_dict(self) -> State:
        """Nothing is remembered."""
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing was remembered."""

    def _figures(self, rollout: Rollout) -> Tensor:
        """The four figures of all parts, ``[J, 4]`` float64; NaN or infinite where there is none."""
        amount = torch.cat(
            [rollout.telemetry[f"violation/{cost}"][..., : self._first] for cost in self._costs], -1
        )  # [T, N, J]
        violated = (amount > 0.0) & (rollout.weight > 0.0).unsqueeze(-1)
        amount = torch.where(violated, amount, 0.0).flatten(0, 1)
        each = violated.flatten(0, 1).double()
        phase = (rollout.age / self._limit).flatten().double()
        steps = each.sum(0)
        return torch.stack(
            (
                violated.any(0).double().mean(0),
                phase @ each / steps,
                amount.sum(0, dtype=torch.float64) / steps,
                amount.amax(0).double() / steps.clamp(max=1.0),
            ),
            -1,
        )
