"""Minibatch first-order descent on the flat vector, several steps per compiled call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import grad_and_value
from torch.utils import _pytree as pytree

from pgrobot.compilation import compiled
from pgrobot.errors import PgrobotError
from pgrobot.solvers.adam import Adam, Moments
from pgrobot.solvers.problem import Problem, Report
from pgrobot.solvers.rates import Rate
from pgrobot.types import State

# Steps per compiled call: amortises the call at minibatches of tens of rows; more only lengthens compilation.
_STEPS_PER_CALL = 8


class MinibatchSolver:
    """Shuffle the batch, cut it into minibatches and step down the gradient of each; whole passes at a time.

    Args:
        vector: the parameters ``[P]``, moved in place.
        problem: whose ``loss`` is descended.
        optimizer: the update rule.
        rate: the learning rate and its schedule.
        minibatch: rows per step; must divide the batch.
        epochs: passes over the batch per call.
        max_gradient_norm: bound on the norm of one step's gradient.
        target_kl: a pass whose steps met a larger mean KL is this iteration's last; infinity never stops.
        gradient_metric: name under which the norm of the gradient, before it is bounded, is reported.
        compile_steps: fuse the steps with ``torch.compile``; the eager path computes the same.
        generator: random stream of the shuffles.
    """

    def __init__(
        self,
        vector: Tensor,
        problem: Problem,
        optimizer: Adam,
        rate: Rate,
        minibatch: int,
        epochs: int,
        max_gradient_norm: float,
        target_kl: float,
        gradient_metric: str,
        compile_steps: bool,
        generator: torch.Generator,
    ) -> None:
        self._vector = vector
        self._moments = optimizer.initial(vector)
        self._schedule = rate
        self._rate = rate.initial
        self._minibatch = minibatch
        self._epochs = epochs
        self._target_kl = target_kl
        self._generator = generator
        self._steps = compiled(
            _steps(problem, optimizer, max_gradient_norm, gradient_metric), enabled=compile_steps
        )

    def anneal(self, progress: float) -> None:
        """Set the learning rate for ``progress`` in [0, 1) of training."""
        self._rate = self._schedule.anneal(self._rate, progress)

    @torch.no_grad()
    def solve(self, batch: Any) -> tuple[Report, bool]:
        """Move the parameters over ``epochs`` passes of ``batch``, a pytree whose rows are ``[B]``.

        Returns:
            Metrics averaged over the steps of the last pass, and whether the iteration should stop here.

        Raises:
            PgrobotError: the minibatch does not divide the batch.
        """
        rows = _length(batch)
        if rows % self._minibatch:
            raise PgrobotError(
                f"A minibatch of {self._minibatch} does not divide the batch of {rows} rows "
                f"(num_envs × horizon); the nearest that does is {_nearest_divisor(rows, self._minibatch)}"
            )
        report: Report = {}
        for _ in range(self._epochs):
            report = self._epoch(batch, rows)
            if "policy/kl" not in report:  # a problem that moves no policy
                continue
            kl = float(report["policy/kl"])
            self._rate = self._schedule.adapt(self._rate, kl)
            if kl > self._target_kl:
                return report, True
        return report, False

    def _epoch(self, batch: Any, rows: int) -> Report:
        count = rows // self._minibatch
        chunk = math.gcd(count, _STEPS_PER_CALL)
        order = torch.randperm(rows, generator=self._generator)
        shape = (count // chunk, chunk, self._minibatch)
        shuffled = pytree.tree_map(lambda x: x[order].view(*shape, *x.shape[1:]), batch)
        rate = torch.tensor(self._rate, dtype=self._vector.dtype)
        vector, moments = self._vector, self._moments
        reports = []
        for index in range(shape[0]):
            minibatches = pytree.tree_map(lambda x, i=index: x[i], shuffled)
            vector, moments, report = self._steps(vector, moments, rate, minibatches)
            reports.append(report)
        self._vector.copy_(vector)
        self._moments = moments
        return {name: torch.stack([report[name] for report in reports]).mean() for name in reports[0]}

    def state_dict(self) -> State:
        """Moments, learning rate and the state of the shuffles."""
        return {
            "moments": list(self._moments),
            "rate": self._rate,
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``."""
        first, second, count = (tensor.clone() for tensor in state["moments"])
        self._moments = (first, second, count)
        self._rate = state["rate"]
        self._generator.set_state(state["generator"])

    @property
    def rate(self) -> float:
        """The present learning rate."""
        return self._rate


Steps = Callable[[Tensor, Moments, Tensor, Any], tuple[Tensor, Moments, Report]]


def _steps(problem: Problem, optimizer: Adam, max_gradient_norm: float, gradient_metric: str) -> Steps:
    """Several consecutive steps as one pure function: the unit that is compiled."""
    gradient_of = grad_and_value(problem.loss, has_aux=True)

    def steps(
        vector: Tensor, moments: Moments, rate: Tensor, minibatches: Any
    ) -> tuple[Tensor, Moments, Report]:
        reports = []
        for index in range(_length(minibatches)):
            minibatch = pytree.tree_map(lambda x, i=index: x[i], minibatches)
            gradient, (_, report) = gradient_of(vector, minibatch)
            norm = torch.linalg.vector_norm(gradient)
            gradient = gradient * (max_gradient_norm / (norm + 1e-6)).clamp(max=1.0)
            vector, moments = optimizer.step(vector, moments, gradient, rate)
            reports.append(report | {gradient_metric: norm})
        mean = {name: torch.stack([report[name] for report in reports]).mean() for name in reports[0]}
        return vector, moments, mean

    return steps


def _length(batch: Any) -> int:
    leaf: Tensor = pytree.tree_leaves(batch)[0]
    return leaf.shape[0]


def _nearest_divisor(rows: int, wanted: int) -> int:
    return min((d for d in range(1, rows + 1) if rows % d == 0), key=lambda d: abs(d - wanted))
