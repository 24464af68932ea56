"""Multipliers by projected gradient ascent on the dual."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from pgrobot.constraints.budgets import Constraint
from pgrobot.constraints.price import Ceiling, Pricing, check_gain, start
from pgrobot.errors import PgrobotError, nearest
from pgrobot.ranges import above
from pgrobot.types import Metrics, State

OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
}


class Lagrangian:
    """``λ/s ← [λ/s + η · rate]`` kept in ``[0, maximum]`` (Altman 1999), with the step shaped by an optimiser.

    The rate and s, the running size of the reward, are those of ``Pricing``. ``sgd`` answers in proportion to the
    violation. ``adam`` and the others divide by its running size, so λ/s moves about ``learning_rate`` per iteration
    however small the violation is.

    See docs/derivations.md#multipliers.

    Args:
        constraints, columns: as of ``Pricing``.
        optimizer: ``sgd``, ``adam``, ``rmsprop`` or ``adagrad``.
        learning_rate: η; with ``sgd``, what λ/s gains per iteration while every step costs 1 too much.
        initial: λ/s at first.
        maximum: the largest λ/s; the projection is what keeps it from winding up at either end.

    Raises:
        PgrobotError: an unknown optimiser, or a number outside its range.
    """

    prices: ClassVar[bool] = True

    def __init__(
        self,
        constraints: Sequence[Constraint],
        columns: Sequence[str],
        optimizer: str,
        learning_rate: Annotated[float, above(0.0)],
        initial: float,
        maximum: float,
    ) -> None:
        if optimizer not in OPTIMIZERS:
            known = nearest(str(optimizer), OPTIMIZERS)
            raise PgrobotError(f"multiplier.optimizer={optimizer} is unknown: {known}")
        self._pricing = Pricing(constraints, columns)
        self._ceiling = Ceiling(constraints, maximum)
        self._level = start(initial, maximum, len(constraints))
        self._maximum = maximum
        check_gain("learning_rate", learning_rate)
        self._optimizer: torch.optim.Optimizer = OPTIMIZERS[optimizer](
            [self._level], lr=learning_rate, maximize=True
        )

    def update(self, excess: Tensor, length: float, reward: Tensor) -> Metrics:
        self._level.grad = self._pricing.rate(excess, length, reward)
        self._optimizer.step()
        self._level.clamp_(0.0, self._maximum)
        self._ceiling.watch(self._level)
        return self._pricing.metrics(self._level)

    def mix(self, advantage: Tensor) -> Tensor:
        return self._pricing.mix(advantage, self._level)

    def state_dict(self) -> State:
        return {
            "level": self._level.clone(),
            "optimizer": deepcopy(self._optimizer.state_dict()["state"]),
            "pricing": self._pricing.state_dict(),
            "ceiling": self._ceiling.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        self._level.copy_(state["level"])
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": deepcopy(state["optimizer"]), "param_groups": groups})
        self._pricing.load_state_dict(state["pricing"])
        self._ceiling.load_state_dict(state["ceiling"])
