"""A check of which steps depend on the parameters that a policy is written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.distributions import Distribution
from pgrobot.factories import PolicyFactory
from pgrobot.laboratory.apparatus import Apparatus, assemble
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.laboratory.updates import drawn_batch, first_order
from pgrobot.objectives import Objective
from pgrobot.randomness import stream
from pgrobot.simulation import Task
from pgrobot.solvers import SGD, PolicyProblem, Report, SolverFactory, Unbounded


class Reparameterised(Unbounded):
    """A policy problem in other parameters: ``θ = A φ``."""

    def __init__(self, problem: PolicyProblem, matrix: Tensor) -> None:
        self._problem = problem
        self._matrix = matrix

    def distribution(self, vector: Tensor, batch: Batch) -> Distribution:
        """The policy at ``φ``."""
        return self._problem.distribution(self._matrix @ vector, batch)

    def loss(self, vector: Tensor, batch: Batch) -> tuple[Tensor, Report]:
        """The loss at ``φ``."""
        return self._problem.loss(self._matrix @ vector, batch)

    def kl(self, vector: Tensor, batch: Batch) -> Tensor:
        """The divergence at ``φ``."""
        return self._problem.kl(self._matrix @ vector, batch)


@dataclass(frozen=True)
class Invariance:
    """A natural step leads to the same policy in other parameters, ``θ = A φ``; that of the plain gradient does not.

    The plain gradient is ``Aᵀ g`` in ``φ``, so its step is ``A Aᵀ g`` in ``θ``: ``(A Aᵀ − I) g`` apart from ``g``.

    Attributes:
        world: any.
        policy: a Gaussian one, small.
        objective: a surrogate.
        solver: undamped natural gradient, of any length.
        rows: of the batch.
        seed: of policy, batch and A.
        tolerance: of means and deviations on every row, and of how far apart the plain gradient's steps end.
    """

    world: Task
    policy: PolicyFactory
    objective: Objective
    solver: SolverFactory
    rows: int
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        apparatus = assemble(self.world, self.policy, {"surrogate": self.objective}, self.seed)
        batch = drawn_batch(apparatus, self.world, self.rows, self.seed)
        size = len(apparatus.vector)
        unit = torch.eye(size, dtype=torch.float64)
        noise = torch.randn(size, size, generator=stream(self.seed, "matrix"), dtype=torch.float64)
        matrix = unit + 0.3 * noise
        apart = (matrix @ matrix.T - unit) @ apparatus.gradient(batch)
        plain = first_order({"optimizer": SGD(momentum=0.0)}, self.rows)
        ends = self._ends(apparatus, batch, matrix, plain)
        here, there = (
            apparatus.distribution(end, batch.obs["policy"])
            for end in self._ends(apparatus, batch, matrix, self.solver)
        )
        return [
            compare("next mean", there.mean, here.mean, self.tolerance),
            compare("next deviation", there.std, here.std, self.tolerance),
            compare(
                "distance of plain gradient steps", (ends[1] - ends[0]).norm(), apart.norm(), self.tolerance
            ),
        ]

    def _ends(
        self, apparatus: Apparatus, batch: Batch, matrix: Tensor, solver: SolverFactory
    ) -> tuple[Tensor, Tensor]:
        """Where a solver leads in ``θ`` and, by way of ``φ``, in ``θ`` again, ``[P]`` each."""
        here, there = apparatus.vector.clone(), torch.linalg.solve(matrix, apparatus.vector)
        problem = Reparameterised(apparatus.problem, matrix)
        for vector, posed in ((here, apparatus.problem), (there, problem)):
            solver(vector=vector, problem=posed, generator=stream(self.seed, "solver")).solve(batch)
        return here, matrix @ there
