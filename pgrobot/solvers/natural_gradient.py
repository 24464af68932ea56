"""Natural gradient steps: precondition the gradient by a Fisher information, choose a length, accept or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor
from torch.func import grad_and_value

from pgrobot.batch import Batch
from pgrobot.ranges import Built, at_least
from pgrobot.solvers.fisher import Fisher, gauss_newton
from pgrobot.solvers.linear import Product, Solution, conjugate_gradient
from pgrobot.solvers.problem import PolicyProblem, Report
from pgrobot.solvers.rates import metric_followed
from pgrobot.solvers.steps import StepSize
from pgrobot.solvers.trust_region import Acceptance, Trial
from pgrobot.types import State


@dataclass(frozen=True, slots=True)
class Proposal:
    """A step of the quadratic model.

    Attributes:
        direction: what the gradient became, ``[P]``.
        multiplier: what it was multiplied with, a scalar.
        step: the whole step, ``[P]``.
        kl: the mean KL that is predicted of it, in nats, a scalar.
        report: metrics of how it was found.
    """

    direction: Tensor
    multiplier: Tensor
    step: Tensor
    kl: Tensor
    report: Report


class NaturalGradientSolver:
    """One step per call along ``x = (F + ηI)⁻¹ g``, with g the gradient of the objective on the whole batch.

    The three choices below make it natural policy gradient (Kakade 2002), TRPO (Schulman et al. 2015) or natural
    actor-critic (Peters and Schaal 2008). Damping shapes the direction only: its length, the predicted and the
    measured KL know nothing of it. The predicted KL ``½ m² xᵀFx`` is that of the Gauss-Newton Fisher information of
    the whole batch whatever metric gave the direction.

    Parameters have bounds (``problem.project``). One that lies at a bound which the gradient leads out of takes no part
    in the step, so that none of its length is spent on it (two-metric projection: Bertsekas 1982), and every point that
    is looked at lies within the bounds: the KL that is accepted is that of the policy that is kept.

    See docs/derivations.md#natural-gradient.

    Args:
        vector: the parameters ``[P]``, moved in place.
        problem: what to maximise, and the policy it is about.
        fisher: the metric F.
        damping: η, added to the metric's diagonal.
        iterations: most conjugate-gradient iterations.
        tolerance: relative residual at which they stop.
        step: the length of the step.
        acceptance: which point along it to move to.
        generator: random stream of the rows that the metric is averaged over.
    """

    needs_policy: ClassVar[bool] = True
    reads_reference: ClassVar[bool] = True
    kl_before_step: ClassVar[bool] = False
    keeps_budgets: ClassVar[bool] = False

    def __init__(
        self,
        vector: Tensor,
        problem: PolicyProblem,
        fisher: Annotated[Fisher, Built("_target_")],
        damping: Annotated[float, at_least(0.0)],
        iterations: Annotated[int, at_least(1)],
        tolerance: Annotated[float, at_least(0.0)],
        step: Annotated[StepSize, Built("_target_")],
        acceptance: Annotated[Acceptance, Built("_target_")],
        generator: torch.Generator,
    ) -> None:
        self._vector = vector
        self._problem = problem
        self._fisher = fisher
        self._damping = damping
        self._iterations = iterations
        self._tolerance = tolerance
        self._step = step
        self._acceptance = acceptance
        self._generator = generator
        metric_followed(step.schedule, None)  # its steps are judged by the KL
        self._size = step.schedule.initial
        self._multiplier = 0.0

    def anneal(self, progress: float) -> None:
        """Set the size of the step for ``progress`` in [0, 1) of training."""
        self._size = self._step.schedule.anneal(self._size, progress)

    @torch.no_grad()
    def solve(self, batch: Batch) -> tuple[Report, bool]:
        """Move the parameters by one step on the batch, whose rows are ``[B]``.

        Returns:
            Metrics of the policy that was moved to and of the step; never asks to stop.
        """
        descent, (loss, metrics) = grad_and_value(self._problem.loss, has_aux=True)(self._vector, batch)
        mean = self._problem.reduce.mean
        start, gradient = self._agreed(self._vector, loss, metrics), -mean(descent)
        proposal = self._propose(batch, gradient)
        step = proposal.step
        chosen, choice = self._choose(start, proposal, batch)
        self._vector.copy_(chosen.vector)
        self._multiplier = float(proposal.multiplier)
        # a rejected step's KL of zero does not say that longer ones would be accepted
        if chosen is not start:
            self._size = self._step.schedule.adapt(self._size, float(chosen.report["policy/kl"]))
        predicted, improvement = gradient @ step, start.loss - chosen.loss
        return chosen.report | choice | proposal.report | {
            "gradient/policy_norm": torch.linalg.vector_norm(gradient),
            "step/kl_predicted": proposal.kl,
            "step/improvement_predicted": predicted,
            "step/improvement": improvement,
            "step/improvement_ratio": torch.where(predicted > 0.0, improvement / predicted, 0.0),
        }, False

    def rescale(self, factor: Tensor) -> None:
        """Nothing is remembered of past gradients."""

    def _propose(self, batch: Batch, gradient: Tensor) -> Proposal:
        """The step that the quadratic model calls for, before anything is tried."""
        metric = self._metric(batch)
        return self._natural(batch, metric, gradient, self._problem.free(self._vector, gradient))

    def _choose(self, start: Trial, proposal: Proposal, batch: Batch) -> tuple[Trial, Report]:
        """Where to move along the proposal: ``start`` itself, or a trial."""
        return self._acceptance(
            start, proposal.step, lambda v: self._trial(v, batch), self._step.radius(self._size)
        )

    def _metric(self, batch: Batch) -> Product:
        """Multiply by F, with rows drawn for this step; undamped."""
        product = self._fisher(self._problem, self._vector, batch, self._generator)
        return lambda v: self._problem.reduce.mean(product(v))

    def _length(self, batch: Batch) -> Product:
        """Multiply by the Fisher information that the KL of a step is predicted by."""
        product = gauss_newton(self._problem, self._vector, batch)
        return lambda v: self._problem.reduce.mean(product(v))

    def _natural(self, batch: Batch, metric: Product, gradient: Tensor, free: Tensor) -> Proposal:
        """Along ``(F + ηI)⁻¹ g`` among the parameters that are ``free`` ``[P]``, as long as ``step`` says."""
        solution = self._solved(metric, gradient, free)
        curvature = solution.x @ self._length(batch)(solution.x)
        multiplier = self._step.multiplier(self._size, curvature)
        return Proposal(
            direction=solution.x,
            multiplier=multiplier,
            step=multiplier * solution.x,
            kl=0.5 * multiplier.square() * curvature,
            report={
                "conjugate_gradient/residual": torch.tensor(solution.residuals[-1]),
                "conjugate_gradient/iterations": torch.tensor(float(len(solution.residuals) - 1)),
                "conjugate_gradient/indefinite": torch.tensor(float(solution.indefinite)),
            },
        )

    def _solved(self, metric: Product, gradient: Tensor, free: Tensor) -> Solution:
        """``(F + ηI)⁻¹ g`` among the parameters that are ``free`` ``[P]``; the others are zero."""
        return conjugate_gradient(
            lambda v: torch.where(free, metric(v), 0.0) + self._damping * v,
            torch.where(free, gradient, 0.0),
            self._tolerance,
            self._iterations,
        )

    def _trial(self, vector: Tensor, batch: Batch) -> Trial:
        allowed = self._problem.project(vector)
        return self._agreed(allowed, *self._problem.loss(allowed, batch))

    def _agreed(self, vector: Tensor, loss: Tensor, report: Report) -> Trial:
        """What all processes say of the parameters ``[P]``."""
        mean = self._problem.reduce.mean
        return Trial(vector, mean(loss), {name: mean(value) for name, value in report.items()})

    def state_dict(self) -> State:
        """The size of the step, the last multiplier and the state of the draws."""
        return {
            "size": self._size,
            "multiplier": self._multiplier,
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``."""
        self._size = state["size"]
        self._multiplier = state["multiplier"]
        self._generator.set_state(state["generator"])

    @property
    def rate(self) -> float:
        """What the last natural gradient was multiplied with, before the acceptance; zero before the first."""
        return self._multiplier
