"""Minibatch first-order descent on the flat vector, one native call per step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor
from torch.func import grad_and_value
from torch.utils import _pytree as pytree

from pgrobot.compilation import Compiled
from pgrobot.errors import PgrobotError, nearest_divisor
from pgrobot.ranges import Built, Keys, MappingOf, at_least, positive
from pgrobot.solvers.chain import Chain
from pgrobot.solvers.problem import Problem, Report
from pgrobot.solvers.rates import Rate, metric_followed
from pgrobot.solvers.transform import Link
from pgrobot.types import State


class FirstOrderSolver:
    """Shuffle the batch, cut it into minibatches and step down the gradient of each; whole passes at a time.

    See docs/derivations.md#first-order-steps.

    Args:
        vector: the parameters ``[P]``, moved in place.
        problem: whose ``loss`` is descended.
        chain: what makes a step of a gradient, by name, in this order.
        rate: the learning rate and its schedule.
        minibatch: environment steps per step; must divide the batch, and hold whole chunks of the problem's. A batch of
            fewer is one step.
        epochs: passes over the batch per call.
        target_kl: a pass whose steps met a larger mean KL is this iteration's last; infinity never stops.
        gradient_metric: name under which the norm of the gradient, before the chain, is reported.
        compile_steps: compile the step into one native call; the eager path computes the same.
        generator: random stream of the shuffles.

    Raises:
        PgrobotError: the links are no chain, the minibatch cuts a chunk, or nothing reports what the rate follows.
    """

    needs_policy: ClassVar[bool] = False
    reads_reference: ClassVar[bool] = False
    kl_before_step: ClassVar[bool] = True
    keeps_budgets: ClassVar[bool] = False

    def __init__(
        self,
        vector: Tensor,
        problem: Problem,
        chain: Annotated[Mapping[str, Link], MappingOf(Keys("optimizer"), Built("_target_"))],
        rate: Annotated[Rate, Built("initial")],
        minibatch: Annotated[int, at_least(1)],
        epochs: Annotated[int, at_least(1)],
        target_kl: Annotated[float, positive],
        gradient_metric: str,
        compile_steps: bool,
        generator: torch.Generator,
    ) -> None:
        if minibatch % problem.sequence:
            raise PgrobotError(
                f"A minibatch of {minibatch} steps does not consist of whole chunks of {problem.sequence} steps: "
                f"use a multiple of {problem.sequence}"
            )
        self._vector = vector
        self._chain = Chain(chain, problem.layout, vector)
        self._moments = self._chain.initial
        self._schedule: Any = rate  # a ``FollowingRate`` where it follows a metric
        self._rate = rate.initial
        self._follows = metric_followed(rate, problem)
        self._followed: list[float] = []  # what the rate follows, of the last pass; none before the first
        self._minibatch = minibatch
        self._sequence = problem.sequence
        self._reduce = problem.reduce
        self._epochs = epochs
        self._target_kl = target_kl
        self._generator = generator
        self._step = _Step(problem, self._chain, gradient_metric)
        self._compiled = Compiled(self._step, enabled=compile_steps and problem.reduce.local)

    def anneal(self, progress: float) -> None:
        """Set the learning rate for ``progress`` in [0, 1) of training, and by how far the last update went."""
        self._rate = self._schedule.anneal(self._rate, progress)
        for moved in self._followed:
            self._rate = self._schedule.follow(self._rate, moved)

    @torch.no_grad()
    def solve(self, batch: Any) -> tuple[Report, bool]:
        """Move the parameters over ``epochs`` passes of ``batch``, a pytree whose rows are ``[B]``.

        Returns:
            Metrics averaged over the rows of the last pass, and whether the iteration should stop here.

        Raises:
            PgrobotError: the minibatch does not divide the batch.
        """
        rows = _length(batch) * self._sequence
        if rows % min(self._minibatch, rows):
            raise PgrobotError(
                f"A minibatch of {self._minibatch} does not divide the batch of {rows} rows "
                f"(num_envs × horizon); the nearest that does is {nearest_divisor(rows, self._minibatch)}"
            )
        report: Report = {}
        for _ in range(self._epochs):
            report = self._epoch(batch, rows, min(self._minibatch, rows))
            if "policy/kl" not in report:  # a problem that moves no policy
                continue
            kl = float(report["policy/kl"])
            self._rate = self._schedule.adapt(self._rate, kl)
            if kl > self._target_kl or self._beyond(report):
                return report, True
        return report, False

    def rescale(self, factor: Tensor) -> None:
        """Let the chain remember gradients ``factor`` ``[P]`` times as large."""
        self._moments = self._chain.rescale(self._moments, factor)

    def _beyond(self, report: Report) -> bool:
        """Note what the rate follows, and ask it whether a pass that went so far is the rollout's last."""
        if not self._follows:
            return False
        self._followed = [float(report[self._follows])]
        return bool(self._schedule.ends(*self._followed))

    def _epoch(self, batch: Any, rows: int, size: int) -> Report:
        order = torch.randperm(rows // self._sequence, generator=self._generator)
        shape = (rows // size, size // self._sequence)
        leaves, self._step.structure = pytree.tree_flatten(batch)
        rate = torch.tensor(self._rate, dtype=self._vector.dtype)
        state: Sequence[Tensor] = (self._vector, *self._moments)
        first = (rate, *state, *(x[order[: shape[1]]] for x in leaves))
        step, reads = self._compiled.bound(first), self._compiled.reads(first)
        shuffled = (
            x[order].view(*shape, *x.shape[1:]).unbind() if index in reads else repeat(x, shape[0])
            for index, x in enumerate(leaves, 1 + len(state))
        )
        minibatches = list(zip(*shuffled, strict=True))
        reports = []
        for minibatch in minibatches:
            report, *state = step(rate, *state, *minibatch)
            reports.append(report)
        self._vector.copy_(state[0])
        self._moments = tuple(state[1:])
        told = self._reduce.mean(_over_minibatches(torch.stack(reports), batch, order))
        return dict(zip(self._step.metrics, told, strict=True))

    def state_dict(self) -> State:
        """Moments, learning rate and the state of the shuffles."""
        followed = {"followed": list(self._followed)} if self._follows else {}
        return {
            "moments": list(self._moments),
            "rate": self._rate,
            "generator": self._generator.get_state(),
            **followed,
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``."""
        moments = zip(self._moments, state["moments"], strict=True)
        self._moments = tuple(tensor.clone() for _, tensor in moments)
        self._rate = state["rate"]
        self._followed = list(state["followed"]) if self._follows else []
        self._generator.set_state(state["generator"])

    @property
    def rate(self) -> float:
        """The present learning rate."""
        return self._rate


class _Step:
    """One step as a pure function of tensors: the unit that is compiled.

    Takes the rate, the vector, the chain's moments and the leaves of a minibatch; returns the metrics as one
    tensor, the next vector and the next moments.

    Attributes:
        structure: the pytree that the leaves of a minibatch make up; set before the step is called.
        metrics: names of what the first output holds; known once the step has been called or traced.
    """

    structure: pytree.TreeSpec

    def __init__(self, problem: Problem, chain: Chain, gradient_metric: str) -> None:
        self.metrics: tuple[str, ...] = ()
        self._gradient_of = grad_and_value(problem.loss, has_aux=True)
        self._project = problem.project
        self._reduce = problem.reduce
        self._chain = chain
        self._moments = len(chain.initial)
        self._gradient_metric = gradient_metric

    def __call__(self, rate: Tensor, vector: Tensor, *rest: Tensor) -> Sequence[Tensor]:
        minibatch = pytree.tree_unflatten(list(rest[self._moments :]), self.structure)
        gradient, (_, report) = self._gradient_of(vector, minibatch)
        gradient = self._reduce.mean(gradient)
        report = report | {self._gradient_metric: torch.linalg.vector_norm(gradient)}
        step, moments = self._chain.step(gradient, rest[: self._moments], vector, rate)
        vector = vector - step
        self.metrics = tuple(report)
        return torch.stack(list(report.values())), self._project(vector), *moments


def _over_minibatches(reports: Tensor, batch: Any, order: Tensor) -> Tensor:
    """The mean of what minibatches report ``[M, R]``, each as its rows count: one that is half padding counts half."""
    weight: Tensor | None = getattr(batch, "weight", None)  # a problem of one's own may have any batch
    if weight is None or weight.shape[-1] == 0:
        return reports.mean(0)
    counts = weight[order].reshape(len(reports), -1).sum(-1, keepdim=True)
    return (reports * counts).sum(0) / counts.sum()


def _length(batch: Any) -> int:
    leaf: Tensor = pytree.tree_leaves(batch)[0]
    return leaf.shape[0]
