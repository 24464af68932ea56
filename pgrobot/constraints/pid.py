"""Multipliers by a PID controller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from pgrobot.constraints.budgets import Constraint
from pgrobot.constraints.price import Ceiling, Pricing, check_fraction, check_gain, start
from pgrobot.errors import PgrobotError
from pgrobot.types import Metrics, State


class PID:
    """``λ/s = [k_p P + I + k_d D]`` kept in ``[0, maximum]`` (Stooke, Achiam, Abbeel 2020, arXiv 2007.03964).

    With Δ the excess as a rate and s the running size of the reward, as of ``Pricing``: ``P`` is Δ's moving
    average; ``I`` adds up ``k_i Δ`` and never goes below zero; ``D`` is the rise of Δ's moving average over
    ``derivative_delay`` iterations, zero where it falls and until that many have passed. The averages are free of
    start-up bias, so nothing kicks at the first step. While λ/s is at its maximum ``I`` does not grow further, so that
    λ comes down as soon as P or D does.

    See docs/derivations.md#pid.

    Args:
        constraints, columns: as of ``Pricing``.
        kp, ki, kd: gains, for a rate of 1: every step costs 1 too much.
        smoothing: share of the old average kept in ``P`` per iteration; 0 takes the last rollout alone.
        derivative_smoothing: the same for ``D``.
        derivative_delay: iterations that ``D`` looks back.
        initial: ``I`` at first.
        maximum: the largest λ/s.

    Raises:
        PgrobotError: a number outside its range.
    """

    prices: ClassVar[bool] = True

    def __init__(
        self,
        constraints: Sequence[Constraint],
        columns: Sequence[str],
        kp: float,
        ki: float,
        kd: float,
        smoothing: float,
        derivative_smoothing: float,
        derivative_delay: int,
        initial: float,
        maximum: float,
    ) -> None:
        if derivative_delay < 1:
            raise PgrobotError(f"multiplier.derivative_delay={derivative_delay} has to be at least 1")
        self._pricing = Pricing(constraints, columns)
        self._ceiling = Ceiling(constraints, maximum)
        for key, gain in (("kp", kp), ("ki", ki), ("kd", kd)):
            check_gain(key, gain)
        self._gains = kp, ki, kd
        check_fraction("smoothing", smoothing)
        check_fraction("derivative_smoothing", derivative_smoothing)
        self._keep = torch.tensor([[smoothing], [derivative_smoothing]], dtype=torch.float64)  # of P, of D
        self._maximum = maximum
        self._integral = start(initial, maximum, len(constraints))
        self._level = self._integral.clone()
        self._averages = torch.zeros(2, len(constraints), dtype=torch.float64)
        self._past = torch.zeros(derivative_delay, len(constraints), dtype=torch.float64)  # a ring
        self._count = 0

    def update(self, excess: Tensor, length: float, reward: Tensor) -> Metrics:
        kp, ki, kd = self._gains
        rate = self._pricing.rate(excess, length, reward)
        self._averages = self._keep * self._averages + (1.0 - self._keep) * rate
        self._count += 1
        proportional, smooth = self._averages / (1.0 - self._keep**self._count)
        slot = self._count % len(self._past)
        rise = (smooth - self._past[slot]).clamp(min=0.0)
        derivative = rise if self._count > len(self._past) else torch.zeros_like(rise)
        self._past[slot] = smooth
        fast = kp * proportional + kd * derivative
        grown = torch.minimum(self._integral + ki * rate, self._maximum - fast)
        integral = torch.where(rate > 0.0, torch.maximum(self._integral, grown), self._integral + ki * rate)
        self._integral = integral.clamp(0.0, self._maximum)
        self._level = (self._integral + fast).clamp(0.0, self._maximum)
        self._ceiling.watch(self._level)
        return self._pricing.metrics(self._level)

    def mix(self, advantage: Tensor) -> Tensor:
        return self._pricing.mix(advantage, self._level)

    def state_dict(self) -> State:
        return {
            "integral": self._integral.clone(),
            "level": self._level.clone(),
            "averages": self._averages.clone(),
            "past": self._past.clone(),
            "count": self._count,
            "pricing": self._pricing.state_dict(),
            "ceiling": self._ceiling.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        self._integral = state["integral"].clone()
        self._level = state["level"].clone()
        self._averages = state["averages"].clone()
        self._past = state["past"].clone()
        self._count = state["count"]
        self._pricing.load_state_dict(state["pricing"])
        self._ceiling.load_state_dict(state["ceiling"])
