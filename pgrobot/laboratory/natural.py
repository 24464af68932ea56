"""Checks of natural gradients: Fisher products, conjugate gradient, closed forms, compatible fits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import hessian, jacrev

from pgrobot.batch import Batch
from pgrobot.factories import PolicyFactory
from pgrobot.laboratory.apparatus import SIX_NODES, Apparatus, assemble, hermite
from pgrobot.laboratory.bandits import NODES, draw
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.laboratory.updates import drawn_batch, moved
from pgrobot.laboratory.worlds import Bandit
from pgrobot.objectives import Objective
from pgrobot.randomness import stream
from pgrobot.simulation import Task
from pgrobot.solvers import Fisher, SolverFactory, conjugate_gradient


@dataclass(frozen=True)
class FisherProduct:
    """Products with the Fisher information equal its matrix: the covariance of scores, and the Hessian of the KL.

    Attributes:
        world: with one action.
        policy: a Gaussian one, small.
        fisher: the product.
        rows: of the batch.
        seed: of policy and batch.
        tolerance: of every entry.
    """

    world: Task
    policy: PolicyFactory
    fisher: Fisher
    rows: int
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        apparatus = assemble(self.world, self.policy, {}, self.seed)
        batch = drawn_batch(apparatus, self.world, self.rows, self.seed)
        problem, vector = apparatus.problem, apparatus.vector
        product = self.fisher(problem, vector, batch, stream(self.seed, "rows"))
        found = torch.stack([product(unit) for unit in torch.eye(len(vector), dtype=vector.dtype)])
        return [
            compare("covariance of the scores", found, self._covariance(apparatus, batch), self.tolerance),
            compare(
                "Hessian of the KL", found, hessian(lambda v: problem.kl(v, batch))(vector), self.tolerance
            ),
        ]

    def _covariance(self, apparatus: Apparatus, batch: Batch) -> Tensor:
        nodes, weight = hermite(NODES)
        here = batch.reference
        action = here.mean + here.std * nodes[:, None, None]  # [nodes, B, 1]

        def log_prob(vector: Tensor) -> Tensor:
            distribution = apparatus.problem.distribution(vector, batch)
            return torch.stack([distribution.log_prob(a) for a in action])

        score = jacrev(log_prob)(apparatus.vector)  # [nodes, B, P]
        return torch.einsum("n,nbp,nbq->pq", weight, score, score) / self.rows


@dataclass(frozen=True)
class ConjugateGradient:
    """It solves in as many steps as there are dimensions, and the unit of the right-hand side does not matter.

    Attributes:
        size: dimensions.
        condition: of the matrix.
        decades: powers of ten by which the right-hand side is scaled.
        seed: of the matrix.
        residual: what has to be left of the right-hand side.
        tolerance: relative, of the solutions.
    """

    size: int
    condition: float
    decades: Sequence[int]
    seed: int
    residual: float
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        generator = stream(self.seed, "matrix")
        basis, _ = torch.linalg.qr(
            torch.randn(self.size, self.size, generator=generator, dtype=torch.float64)
        )
        spectrum = torch.logspace(0, math.log10(self.condition), self.size, dtype=torch.float64)
        matrix = basis @ torch.diag(spectrum) @ basis.T
        target = torch.randn(self.size, generator=generator, dtype=torch.float64)
        full = conjugate_gradient(lambda v: matrix @ v, target, 0.0, self.size)
        left = (matrix @ full.x - target).norm() / target.norm()
        outcomes = [compare(f"relative residual after {self.size} steps", left, 0.0, self.residual)]
        few = self.size // 5
        exact = conjugate_gradient(lambda v: matrix @ v, target, 0.0, few).x
        for decade in self.decades:
            unit = 10.0**decade
            found = conjugate_gradient(lambda v: matrix @ v, unit * target, 0.0, few).x / unit
            name = f"{few} steps, right-hand side × 1e{decade}"
            outcomes.append(compare(name, found / exact.norm(), exact / exact.norm(), self.tolerance))
        return outcomes


@dataclass(frozen=True)
class NaturalBandit:
    """The natural gradient of a Gaussian bandit is ``(−2dσ², −σ²)``.

    Attributes:
        world: the bandit.
        policy: a Gaussian one.
        objective: a surrogate.
        solvers: steps of one natural gradient, by name; their metric may be of the policy or of the actions taken.
        seed: of the policy.
        tolerance: of both numbers.
    """

    world: Bandit
    policy: PolicyFactory
    objective: Objective
    solvers: Mapping[str, SolverFactory]
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        outcomes = []
        for name, solver in self.solvers.items():
            drawn = draw(self.world, self.policy, {"surrogate": self.objective}, self.seed)
            exact = self.world.natural_gradient(drawn.mean, drawn.std)
            action = (drawn.mean + drawn.std * SIX_NODES).unsqueeze(-1)
            reward = torch.from_numpy(self.world.reward(action[:, 0].numpy()))
            batch = drawn.apparatus.batch(torch.zeros_like(action), action, reward - reward.mean())
            found = drawn.jacobian @ moved(drawn.apparatus, solver, batch, self.seed)
            outcomes += [
                compare(f"{name}, mean", found[0], exact[0], self.tolerance),
                compare(f"{name}, log-deviation", found[1], exact[1], self.tolerance),
            ]
        return outcomes


@dataclass(frozen=True)
class CompatibleFit:
    """The natural gradient in the metric of the actions taken is the least-squares fit of advantages by scores.

    Attributes:
        world: any.
        policy: one with fewer parameters than rows.
        objective: a surrogate.
        solver: a step of one undamped natural gradient in that metric.
        rows: of the batch.
        seed: of policy and batch.
        tolerance: of every weight.
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
        problem = apparatus.problem
        scores = jacrev(lambda v: problem.distribution(v, batch).log_prob(batch.action))(apparatus.vector)
        features = torch.cat((scores, torch.ones_like(scores[:, :1])), dim=-1)
        fit = torch.linalg.lstsq(features, batch.advantage.unsqueeze(-1)).solution[:-1, 0]
        found = moved(apparatus, self.solver, batch, self.seed)
        return [compare("weights", found, fit, self.tolerance)]
