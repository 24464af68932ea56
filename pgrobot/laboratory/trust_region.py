"""Checks of trust regions: how far a step goes, and what a search does not accept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.factories import PolicyFactory
from pgrobot.laboratory.apparatus import Apparatus, assemble
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.laboratory.updates import drawn_batch, moved
from pgrobot.objectives import Objective
from pgrobot.randomness import stream
from pgrobot.simulation import Task
from pgrobot.solvers import Constant, KLRadius, PolicyProblem, Report, Solver, SolverFactory


@dataclass(frozen=True)
class TrustRegion:
    """The KL that a step brings approaches its radius as that falls; a search keeps within it or leaves every bit.

    Attributes:
        world: any.
        policy: a Gaussian one.
        objective: a surrogate.
        full: the step without a search, but for its length.
        search: the step with a line search, but for its length.
        radius: of the search, in nats; large enough for the whole step to leave it.
        radii: pairs of a radius in nats and the tolerance of KL / radius.
        rows: of the batch.
        seed: of policy and batch.
    """

    world: Task
    policy: PolicyFactory
    objective: Objective
    full: Callable[..., Solver]
    search: Callable[..., Solver]
    radius: float
    radii: Sequence[tuple[float, float]]
    rows: int
    seed: int

    def run(self) -> Sequence[Outcome]:
        outcomes = []
        for radius, tolerance in self.radii:
            apparatus, batch = self._prepared()
            moved(apparatus, _within(self.full, radius), batch, self.seed)
            kl = apparatus.problem.kl(apparatus.vector, batch)
            outcomes.append(compare(f"KL / radius {radius:g}", kl / radius, 1.0, tolerance))
        return [*outcomes, *self._rejected(), *self._accepted()]

    def _rejected(self) -> Sequence[Outcome]:
        apparatus, batch = self._prepared()
        before = apparatus.vector.clone()
        worse = Worse(apparatus.problem, before)
        search = _within(self.search, self.radius)
        solver = search(vector=apparatus.vector, problem=worse, generator=stream(self.seed, "solver"))
        report, _ = solver.solve(batch)
        changed = (apparatus.vector.view(torch.int64) != before.view(torch.int64)).sum()
        return [
            compare("steps accepted where every step is worse", report["line_search/accepted"], 0.0, 0.0),
            compare("parameters changed by it", float(changed), 0.0, 0.0),
        ]

    def _accepted(self) -> Sequence[Outcome]:
        apparatus, batch = self._prepared()
        start, _ = apparatus.problem.loss(apparatus.vector, batch)
        moved(apparatus, _within(self.search, self.radius), batch, self.seed)
        end, _ = apparatus.problem.loss(apparatus.vector, batch)
        beyond = (apparatus.problem.kl(apparatus.vector, batch) - self.radius).clamp(min=0.0)
        return [
            compare("steps accepted where one is better", float(end < start), 1.0, 0.0),
            compare("KL of it beyond the radius", beyond, 0.0, 0.0),
        ]

    def _prepared(self) -> tuple[Apparatus, Batch]:
        apparatus = assemble(self.world, self.policy, {"surrogate": self.objective}, self.seed)
        return apparatus, drawn_batch(apparatus, self.world, self.rows, self.seed)


class Worse:
    """A policy problem whose loss is higher by one anywhere but at a point."""

    def __init__(self, problem: PolicyProblem, point: Tensor) -> None:
        self._problem = problem
        self._point = point
        self.sequence = problem.sequence
        self.reduce = problem.reduce
        self.layout = problem.layout
        self.distribution = problem.distribution
        self.kl = problem.kl
        self.project = problem.project
        self.free = problem.free

    def loss(self, vector: Tensor, batch: Batch) -> tuple[Tensor, Report]:
        """The loss, with the same gradient."""
        loss, report = self._problem.loss(vector, batch)
        return loss + (vector != self._point).any(), report


def _within(solver: Callable[..., Solver], radius: float) -> SolverFactory:
    schedule: Any = Constant(radius)
    return partial(solver, step=KLRadius(schedule))
