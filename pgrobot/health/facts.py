"""What findings have to know of a run beside its metrics: a few numbers of its config, its environment and its end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Facts:
    """NaN stands for what is not known, as in runs of other versions: a check that needs it says nothing.

    Attributes:
        std_low, std_high: bounds of the policy's standard deviation, policy units.
        maximum_level: ``multiplier.maximum``.
        total_steps: environment steps that the run will take.
        num_envs: environments stepped together.
        max_episode_steps: where an episode is cut.
        episodes: that the final evaluation had; NaN until it was.
        needed: of a budget that it left undecided: how many would decide; infinite where no number is known.
        unused: entries of the observation that no actuator answers to, where a closer look named them.
    """

    std_low: float
    std_high: float
    maximum_level: float
    total_steps: float
    num_envs: float
    max_episode_steps: float
    episodes: float
    needed: Mapping[str, float]
    unused: tuple[str, ...]

    @classmethod
    def of(cls, config: Mapping[str, Any], spec: Mapping[str, Any], result: Mapping[str, Any]) -> Self:
        """What the files of a run say, each of which may be empty or of an older version.

        Args:
            config: of ``config.yaml``.
            spec: of ``spec.json``, or at least its ``max_episode_steps``.
            result: of ``result.json``; empty before the end.
        """
        policy = _part(config, "policy")
        bounds = _part(policy, "head").get("log_std_bounds", policy.get("log_std_bounds"))
        pair = isinstance(bounds, list | tuple) and len(bounds) == 2
        low, high = (_number(bounds[0]), _number(bounds[1])) if pair else (math.nan, math.nan)
        costs = _part(result, "costs")
        undecided = {
            name: cost
            for name, cost in costs.items()
            if isinstance(cost, Mapping) and cost.get("verdict") == "undecided"
        }
        return cls(
            std_low=_exp(low),
            std_high=_exp(high),
            maximum_level=_number(_part(config, "multiplier").get("maximum")),
            total_steps=_number(config.get("total_steps")),
            num_envs=_number(config.get("num_envs")),
            max_episode_steps=_number(spec.get("max_episode_steps")),
            episodes=_number(_part(result, "return").get("episodes")),
            needed={name: _number(cost.get("episodes_needed")) for name, cost in undecided.items()},
            unused=(),
        )


def _part(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    return found if isinstance(found, Mapping) else {}


def _number(value: Any) -> float:
    """A float; NaN for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value)


def _exp(value: float) -> float:
    """The exponential, infinite where it is too large for a float."""
    return math.exp(value) if not value > 700.0 else math.inf
