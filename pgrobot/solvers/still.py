"""A solver's stand-in while nothing shall move."""

from __future__ import annotations

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.solvers.problem import PolicyProblem, Report


class Still:
    """Says what the problem reports where the parameters are, and leaves them there.

    Args:
        vector: the parameters ``[P]``.
        problem: what would be solved.
    """

    def __init__(self, vector: Tensor, problem: PolicyProblem) -> None:
        self._vector = vector
        self._problem = problem

    @torch.no_grad()
    def solve(self, batch: Batch) -> tuple[Report, bool]:
        """The metrics of the batch, whose rows are ``[B]``; never asks to stop."""
        _, report = self._problem.loss(self._vector, batch)
        return {name: self._problem.reduce.mean(value) for name, value in report.items()}, False
