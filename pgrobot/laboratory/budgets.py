"""Checks of steps that keep to budgets by themselves: the conditions of an optimum, and a bandit's constrained one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.factories import PolicyFactory
from pgrobot.laboratory.apparatus import assemble, hermite
from pgrobot.laboratory.bandits import NODES
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.objectives import Objective
from pgrobot.randomness import stream
from pgrobot.simulation import Task
from pgrobot.solvers import Enforcement, SolverFactory
from pgrobot.solvers.enforcement import CASES, LocalProblem

Array = np.ndarray


class QuadraticModel:
    """A random model of a step in a few parameters: gain ``g·x``, costs ``A x ≤ room`` and ``½ xᵀFx ≤ δ``.

    Rooms lie between −1.2 and 0.8 of what the trust region can change of the cost, so that every case occurs.

    Args:
        seed: of its numbers; there are one, two or three costs in turn.
        damping: what the metric has on the diagonal beside F.
    """

    def __init__(self, seed: int, damping: float = 0.0) -> None:
        random = np.random.default_rng(seed)
        costs = 1 + seed % 3
        self.size = costs + 1 + seed // 3 % 3
        root = random.standard_normal((self.size, self.size))
        self.fisher = root @ root.T / self.size + 0.05 * np.eye(self.size)
        self.damped = self.fisher + damping * np.eye(self.size)
        self.gain = random.standard_normal(self.size)
        self.rows = random.standard_normal((costs, self.size)) * 10.0 ** random.uniform(-2, 2, (costs, 1))
        self.radius = 10.0 ** random.uniform(-3, -1)
        # from coordinates in which the trust region is the unit ball
        self.root = np.linalg.inv(np.linalg.cholesky(self.fisher)).T * math.sqrt(2.0 * self.radius)
        self.unit = np.linalg.norm(self.rows @ self.root, axis=1)
        self.room = self.unit * random.uniform(-1.2, 0.8, costs)

    def local(self, natural: bool) -> tuple[LocalProblem, Array]:
        """The model as a solver poses it, and its directions ``[J, P]``."""
        first = np.linalg.solve(self.damped, self.gain)
        corrections = np.linalg.solve(self.damped, self.rows.T).T if natural else self.rows
        span = np.vstack([first, corrections])
        local = LocalProblem(
            gain=span @ self.gain,
            rows=self.rows @ span.T,
            room=self.room,
            metric=span @ (self.damped if natural else np.eye(self.size)) @ span.T,
            kl=span @ self.fisher @ span.T,
            reach=math.sqrt(2.0 * self.radius / (first @ self.fisher @ first)) if first.any() else 0.0,
            radius=self.radius,
            resolution=1e-14,
        )
        return local, span

    def planned(self, enforcement: Enforcement) -> tuple[Array, str, Array]:
        """The step ``x`` ``[P]``, its case and its prices."""
        local, span = self.local(enforcement.natural)
        plan = enforcement(local)
        return plan.z @ span, plan.case, plan.price

    def spent(self, x: Array) -> float:
        """The KL that is predicted of a step."""
        return float(0.5 * x @ self.fisher @ x)


@dataclass(frozen=True)
class BudgetedStep:
    """A step meets the conditions of Karush, Kuhn and Tucker, which no other step does: its program is convex.

    Attributes:
        enforcement: one whose steps are optima within the trust region.
        problems: how many random ones.
        tolerance: of the conditions, in coordinates in which all is of size one.
    """

    enforcement: Enforcement
    problems: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        cases: Counter[str] = Counter()
        beyond, over, left = 0.0, 0.0, dict.fromkeys(CASES[1:], 0.0)
        for seed in range(self.problems):
            model = QuadraticModel(seed)
            x, case, _ = model.planned(self.enforcement)
            rows, room = model.rows @ model.root / model.unit[:, None], model.room / model.unit
            u = np.linalg.solve(model.root, x)
            excess = rows @ u - room
            beyond = max(beyond, model.spent(x) / model.radius - 1.0)
            if case == "recovery":
                # nothing that lies in the ball has all of those whose excess is the largest lower
                held, target = excess >= excess.max() - 1e-6, np.zeros(model.size)
                total = np.append(target, 1.0)
                columns = np.column_stack([u, *rows[held]])
                weights = np.append(0.0, np.ones(held.sum()))
                left[case] = max(left[case], nnls(np.vstack([columns, weights]), total)[1])
            else:
                over = max(over, float(excess.max()))
                gain = model.gain @ model.root
                held = excess >= -1e-6
                left[case] = max(
                    left[case], nnls(np.column_stack([u, *rows[held]]), gain / np.linalg.norm(gain))[1]
                )
            cases[case] += 1
        met = [compare(f"{case}: what no price explains", left[case], 0.0, self.tolerance) for case in left]
        return [
            *met,
            compare("KL beyond the radius, over it", max(beyond, 0.0), 0.0, self.tolerance),
            compare("cost beyond its limit", max(over, 0.0), 0.0, self.tolerance),
            compare("cases that occurred", float(len(cases)), 3.0, 0.0),
        ]


@dataclass(frozen=True)
class BudgetedBandit:
    """Maximise the mean μ of a Gaussian action whose square may be d on average: ``μ* = √(d − σ²)``.

    Attributes:
        world: a bandit, whose reward is not asked.
        policy: a Gaussian one, linear, whose deviation has bounds.
        objective: the surrogate.
        solvers: by name.
        begins: means to begin from, within the budget and beyond it.
        budget: d.
        steps: of the solver.
        seed: of the policy.
        tolerance: of the mean.
    """

    world: Task
    policy: PolicyFactory
    objective: Objective
    solvers: Mapping[str, Any]
    begins: Sequence[float]
    budget: float
    steps: int
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        outcomes = []
        for name, solver in self.solvers.items():
            for begin in self.begins:
                mean, std = self._ended(solver, begin)
                best = math.sqrt(self.budget - std**2)
                outcomes.append(compare(f"mean, {name} from {begin:g}", mean, best, self.tolerance))
        return outcomes

    def _ended(self, make: SolverFactory, begin: float) -> tuple[float, float]:
        """Mean and deviation of the policy after the steps; the deviation does not move."""
        apparatus = assemble(self.world, self.policy, {"surrogate": self.objective}, self.seed)
        parameters = apparatus.problem.parameters
        vector = parameters.vector
        vector.copy_(parameters.project(torch.zeros_like(vector)))
        bounded = parameters.lower > -math.inf
        parameters.lower[bounded] = parameters.upper[bounded] = vector[bounded]
        vector[-1] = begin  # the output's bias
        apparatus.problem.constraints = ("square",)
        solver = make(vector=vector, problem=apparatus.problem, generator=stream(self.seed, "solver"))
        nodes, weight = hermite(NODES)
        for _ in range(self.steps):
            solver.solve(self._batch(apparatus.batch, nodes, weight, vector))
        here = apparatus.distribution(vector, torch.zeros(1, 1, dtype=torch.float64))
        return float(here.mean), float(here.std)

    def _batch(self, rows: Any, nodes: Tensor, weight: Tensor, vector: Tensor) -> Batch:
        """Nodes whose weighted means are expectations: of the action as the reward, and of its square as the cost."""
        obs = torch.zeros(len(nodes), 1, dtype=torch.float64)
        here = rows(obs, obs, obs.squeeze(-1)).reference
        mean, std = float(here.mean[0]), float(here.std[0])
        action = mean + std * nodes.unsqueeze(-1)
        batch: Batch = rows(obs, action, action.squeeze(-1) - mean)
        spent = mean**2 + std**2
        return replace(
            batch,
            cost_advantage=action.square() - spent,
            slack=torch.full_like(action, self.budget - spent),
            weight=weight.unsqueeze(-1),
        )
