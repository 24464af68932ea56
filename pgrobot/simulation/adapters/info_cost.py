"""Costs that an environment reports by itself, in the ``info`` of its steps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgrobot.errors import PgrobotError
from pgrobot.simulation.adapters.instance import number
from pgrobot.simulation.costs import BoundCost, Cost
from pgrobot.simulation.simulation import Simulation


@dataclass(frozen=True)
class InfoCost:
    """A cost that the environment reports.

    For a constraint named ``k`` it is ``info["cost/k"]``, else ``info["cost_k"]``; a plain ``info["cost"]`` is that of
    the constraint named ``cost`` and of no other.

    Attributes:
        highest: the most that it can charge in a step; infinite where that is not known.
    """

    highest: float = math.inf

    def __post_init__(self) -> None:
        if not self.highest > 0.0:
            raise PgrobotError(
                f"the highest that a cost can charge in a step is {self.highest}: it has to be positive"
            )

    def bind(self, simulation: Simulation) -> BoundCost:
        """Refuse: a simulation of ours measures its costs, it is not told them.

        Raises:
            PgrobotError: always.
        """
        raise PgrobotError(
            "this constraint reads a cost from info, which only task=gymnasium and task=dm_control have: "
            "for a pgrobot robot choose e.g. constraint=[torque]."
        )


class InfoReader:
    """Finds the costs of one environment's constraints in its infos.

    Args:
        environment: its name, for messages.
        costs: the constraints' costs by name.

    Attributes:
        highest: the most that each can charge in a step.

    Raises:
        PgrobotError: a cost that has to be measured in a pgrobot simulation.
    """

    def __init__(self, environment: str, costs: Mapping[str, Cost]) -> None:
        measured = [name for name, cost in costs.items() if not isinstance(cost, InfoCost)]
        if measured:
            raise PgrobotError(
                f"constraint '{measured[0]}' is measured in a pgrobot robot, which {environment} is not: it can be "
                "limited only in a cost that it reports in its info (constraint=cost), or in none (constraint=[])."
            )
        self.highest = {name: cost.highest for name, cost in costs.items() if isinstance(cost, InfoCost)}
        self._environment = environment
        self._keys = {name: (f"cost/{name}", f"cost_{name}", *["cost"] * (name == "cost")) for name in costs}

    def __call__(self, info: Mapping[str, Any]) -> np.ndarray:
        """The costs ``[K]`` of one step.

        Raises:
            PgrobotError: the info lacks a cost.
        """
        return np.array([self._read(name, keys, info) for name, keys in self._keys.items()], dtype=np.float64)

    def _read(self, name: str, keys: Iterable[str], info: Mapping[str, Any]) -> float:
        for key in keys:
            if key in info:
                return number(f"info['{key}'] of {self._environment}", info[key])
        wanted, present = (
            " nor ".join(f"'{key}'" for key in keys),
            ", ".join(sorted(map(str, info))) or "nothing",
        )
        only = "; only the constraint called 'cost' is info['cost']" if "cost" in info else ""
        raise PgrobotError(
            f"constraint '{name}' needs a cost that {self._environment} does not report: "
            f"its info has neither {wanted}; it has {present}{only}."
        )
