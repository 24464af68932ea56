"""Checks of single updates: clipping, first-order rules, minibatches."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.factories import PolicyFactory
from pgrobot.laboratory.apparatus import Apparatus, assemble
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.objectives import Objective
from pgrobot.randomness import stream
from pgrobot.simulation import Task
from pgrobot.solvers import (
    SGD,
    ClipByGlobalNorm,
    Constant,
    FirstOrderSolver,
    Link,
    Moments,
    Place,
    SolverFactory,
    Uniform,
)


def drawn_batch(apparatus: Apparatus, world: Task, rows: int, seed: int) -> Batch:
    """Rows with observations and centred advantages drawn from normal distributions, and the policy's own actions."""
    generator = stream(seed, "batch")
    width = world.make(1, {}, seed, 1).spec.widths["policy"]
    obs = torch.randn(rows, width, generator=generator, dtype=torch.float64)
    action = apparatus.distribution(apparatus.vector, obs).sample(generator)
    advantage = torch.randn(rows, generator=generator, dtype=torch.float64)
    return apparatus.batch(obs, action, advantage - advantage.mean())


@dataclass(frozen=True)
class ClippedSamples:
    """A sample whose ratio has left the interval as its advantage asks has a gradient of exactly zero, no other has.

    Attributes:
        world: any.
        policy: a continuous one.
        objective: the clipped surrogate.
        clip: its ε.
        rows: of the batch.
        seed: of policy and batch.
    """

    world: Task
    policy: PolicyFactory
    objective: Objective
    clip: float
    rows: int
    seed: int

    def run(self) -> Sequence[Outcome]:
        apparatus = assemble(self.world, self.policy, {"surrogate": self.objective}, self.seed)
        batch = drawn_batch(apparatus, self.world, self.rows, self.seed)
        shift = torch.linspace(-3.0 * self.clip, 3.0 * self.clip, self.rows, dtype=torch.float64)
        batch = dataclasses.replace(batch, log_prob=batch.log_prob - shift)
        ratio = shift.exp()
        beyond = torch.where(batch.advantage > 0, ratio > 1 + self.clip, ratio < 1 - self.clip)
        gradients = apparatus.gradients(batch).abs().sum(-1)
        return [
            compare("greatest gradient of a clipped sample", gradients[beyond].max(), 0.0, 0.0),
            compare("others without a gradient", float((gradients[~beyond] == 0.0).sum()), 0.0, 0.0),
        ]


@dataclass(frozen=True)
class FirstStep:
    """Adam's first step is ``rate · sign(gradient)`` as its ε falls to zero, so the loss's unit does not matter.

    Attributes:
        world: any.
        policy: a continuous one.
        objective: a surrogate.
        solver: one step of Adam with a vanishing ε.
        rate: its learning rate.
        rows: of the batch, and of the minibatch.
        seed: of policy and batch.
        tolerance: of every entry of the step, over the rate.
    """

    world: Task
    policy: PolicyFactory
    objective: Objective
    solver: SolverFactory
    rate: float
    rows: int
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        outcomes = []
        for scale in (1.0, 1e-3, 1e3):
            apparatus = assemble(self.world, self.policy, {"surrogate": self.objective}, self.seed)
            batch = drawn_batch(apparatus, self.world, self.rows, self.seed)
            batch = dataclasses.replace(batch, advantage=scale * batch.advantage)
            direction = apparatus.gradient(batch).sign()
            step = moved(apparatus, self.solver, batch, self.seed)
            name = f"step / rate, loss × {scale:g}"
            outcomes.append(compare(name, step / self.rate, direction, self.tolerance))
        return outcomes


@dataclass(frozen=True)
class GradientBound:
    """A gradient whose norm exceeds the bound is scaled to it, another is left alone; neither is turned.

    Attributes:
        world: any.
        policy: a continuous one.
        objective: a surrogate.
        shares: bounds in units of the gradient's norm.
        rows: of the batch, and of the minibatch.
        seed: of policy and batch.
        tolerance: of every entry of the step.
    """

    world: Task
    policy: PolicyFactory
    objective: Objective
    shares: Sequence[float]
    rows: int
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        outcomes = []
        for share in self.shares:
            apparatus = assemble(self.world, self.policy, {"surrogate": self.objective}, self.seed)
            batch = drawn_batch(apparatus, self.world, self.rows, self.seed)
            gradient = apparatus.gradient(batch)
            bound = share * float(gradient.norm())
            chain: dict[str, Link] = {"clip": ClipByGlobalNorm(bound), "optimizer": SGD(momentum=0.0)}
            step = moved(apparatus, first_order(chain, self.rows), batch, self.seed)
            outcomes += [
                compare(
                    f"norm of the step, bound {share:g} ‖g‖",
                    step.norm(),
                    gradient.norm() * min(share, 1.0),
                    self.tolerance,
                ),
                compare(f"step, bound {share:g} ‖g‖", step, min(share, 1.0) * gradient, self.tolerance),
            ]
        return outcomes


@dataclass(frozen=True)
class MinibatchMean:
    """The gradients of a pass's minibatches have the batch's own for their mean, whatever their size.

    Attributes:
        world: any.
        policy: a continuous one.
        objectives: terms by name, all at once.
        minibatches: how many.
        rows: of the batch.
        seed: of policy and batch.
        tolerance: of every entry.
    """

    world: Task
    policy: PolicyFactory
    objectives: Mapping[str, Objective]
    minibatches: Sequence[int]
    rows: int
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        apparatus = assemble(self.world, self.policy, self.objectives, self.seed)
        batch = drawn_batch(apparatus, self.world, self.rows, self.seed)
        exact = apparatus.gradient(batch)
        outcomes = []
        for count in self.minibatches:
            solver = first_order({"optimizer": Total()}, self.rows // count)(
                vector=apparatus.vector, problem=apparatus.problem, generator=stream(self.seed, "solver")
            )
            solver.solve(batch)
            (total,) = solver.state_dict()["moments"]
            outcomes.append(compare(f"{count} minibatches", -total / count, exact, self.tolerance))
        return outcomes


@dataclass(frozen=True)
class Total(Uniform):
    """An optimiser that stays where it is and sums the gradients that it is given, ``[P]``."""

    place: ClassVar[Place] = "optimizer"

    def initial(self, vector: Tensor) -> Moments:
        return (torch.zeros_like(vector),)

    def step(self, update: Tensor, moments: Moments, vector: Tensor, rate: Tensor) -> tuple[Tensor, Moments]:
        return torch.zeros_like(vector), (moments[0] + update,)

    def rescale(self, moments: Moments, factor: Tensor) -> Moments:
        return (moments[0] * factor,)


def first_order(chain: Mapping[str, Link], minibatch: int) -> SolverFactory:
    """One pass of steps at a rate of one, each on ``minibatch`` rows."""
    make: Callable[..., Any] = FirstOrderSolver  # mypy takes what a solver lets be read for what could be set
    return partial(
        make,
        chain=chain,
        rate=Constant(1.0),
        minibatch=minibatch,
        epochs=1,
        target_kl=math.inf,
        gradient_metric="gradient/norm",
        compile_steps=False,
    )


def moved(apparatus: Apparatus, solver: SolverFactory, batch: Batch, seed: int) -> Tensor:
    """By how much one call of a solver moves the parameters, ``[P]``."""
    before = apparatus.vector.clone()
    made = solver(vector=apparatus.vector, problem=apparatus.problem, generator=stream(seed, "solver"))
    made.solve(batch)
    return apparatus.vector - before
