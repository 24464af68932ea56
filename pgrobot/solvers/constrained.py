"""Natural gradient steps that keep to budgets by themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from torch import Tensor
from torch.func import vjp

from pgrobot.batch import Batch
from pgrobot.ranges import Built, at_least, between
from pgrobot.solvers.arrears import Arrears
from pgrobot.solvers.enforcement import CASES, Enforcement, LocalProblem
from pgrobot.solvers.fisher import Fisher
from pgrobot.solvers.linear import Product
from pgrobot.solvers.natural_gradient import NaturalGradientSolver, Proposal
from pgrobot.solvers.problem import PolicyProblem, Report
from pgrobot.solvers.steps import StepSize
from pgrobot.solvers.trust_region import Acceptance, Trial
from pgrobot.types import State

_ROUNDS = 3  # of holding parameters that a step would take out of their bounds
_ROUNDINGS = 16.0  # that a product of two directions may be wrong by


class ConstrainedSolver(NaturalGradientSolver):
    """One step per call that keeps the ``K`` costs of the batch within its slack, in the quadratic model.

    The step is the natural gradient's where that breaks no limit, bit for bit, as it is without constraints. Else the
    gradient of every cost, to first order, becomes a limit: ``aₖᵀx ≤ roomₖ`` with ``roomₖ`` the slack that is left. A
    step is then looked for in the span of the natural gradients of reward and costs, in which gains, costs and the KL
    are products of known vectors: the limits hold as exactly as those, however well the systems were solved, and
    damping shapes the span alone. ``enforcement`` says which point of it.

    What is accepted along the step has the mean ratio times the cost advantages within the slack as well. Where no
    budget is exceeded it improves the objective; where one is, the largest excess has to fall instead.

    See docs/derivations.md#steps-under-budgets.

    Args:
        vector, problem, fisher, damping, iterations, tolerance, generator: as of ``NaturalGradientSolver``.
        step: the length of the step without limits, whose predicted KL bounds the others.
        acceptance: which point along the step to move to.
        enforcement: where the step goes.
        integral: gain of what is owed to the budgets, see ``Arrears``; 0: nothing is, and a budget is what it says.
    """

    keeps_budgets: ClassVar[bool] = True

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
        enforcement: Annotated[Enforcement, Built("_target_")],
        integral: Annotated[float, between(0.0, 1.0)],
        generator: torch.Generator,
    ) -> None:
        super().__init__(vector, problem, fisher, damping, iterations, tolerance, step, acceptance, generator)
        self._enforcement = enforcement
        self._arrears = Arrears(integral, vector.new_zeros(len(problem.constraints)))
        self._recovering = False

    @torch.no_grad()
    def solve(self, batch: Batch) -> tuple[Report, bool]:
        """As of ``NaturalGradientSolver``, with what is owed to each budget brought up to date before."""
        if batch.slack.shape[-1]:
            self._arrears.after(_slack(batch), recovering=self._recovering)
        report, stop = super().solve(batch)
        self._recovering = bool(report.get("step/case/recovery", torch.zeros(())) == 1.0)
        return report, stop

    def state_dict(self) -> State:
        """That of ``NaturalGradientSolver``, what is owed, and whether the last step recovered."""
        return super().state_dict() | {"owed": self._arrears.owed.clone(), "recovering": self._recovering}

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``."""
        super().load_state_dict(state)
        self._arrears.owed = state["owed"].clone()
        self._recovering = state["recovering"]

    def _propose(self, batch: Batch, gradient: Tensor) -> Proposal:
        if batch.slack.shape[-1] == 0:
            return super()._propose(batch, gradient)
        limits = _limits(self._problem, self._vector, batch, self._arrears.owed)
        metric = self._metric(batch)
        reward = self._natural(batch, metric, gradient, self._problem.free(self._vector, gradient))
        if bool((limits.slopes @ reward.step <= limits.room).all()):
            return _limited(
                reward, limits, "free", torch.zeros_like(limits.room), limits.excess.clamp(min=0.0)
            )
        free = torch.ones_like(gradient, dtype=torch.bool)
        for _ in range(_ROUNDS):
            proposal = self._planned(batch, metric, gradient, limits, free)
            # no length is spent on what the projection would take back
            free = free & self._problem.free(self._vector, proposal.step)
            if not bool(proposal.step[~free].any()):
                break
        return proposal

    def _planned(
        self, batch: Batch, metric: Product, gradient: Tensor, limits: Limits, free: Tensor
    ) -> Limited:
        """What the enforcement decides among the parameters that are ``free`` ``[P]``."""
        reward = self._natural(batch, metric, gradient, free)
        slopes = torch.where(free, limits.slopes, 0.0)
        natural = self._enforcement.natural
        corrections = [self._solved(metric, slope, free).x if natural else slope for slope in slopes]
        directions = torch.stack([reward.direction, *corrections])
        span = directions.double()
        compared = span @ span.T
        if natural:
            compared = self._damping * compared + _products(metric, directions)
        radius = self._step.radius(self._size)
        local = LocalProblem(
            gain=(span @ gradient.double()).numpy(),
            rows=(slopes.double() @ span.T).numpy(),
            room=limits.room.double().numpy(),
            metric=compared.numpy(),
            kl=_products(self._length(batch), directions).numpy(),
            reach=float(reward.multiplier),
            radius=radius if math.isfinite(radius) else float(reward.kl),
            resolution=_ROUNDINGS * torch.finfo(gradient.dtype).eps,
        )
        plan = self._enforcement(local)
        step = (torch.from_numpy(plan.z) @ span).to(gradient)
        taken = replace(reward, step=step, kl=torch.tensor(local.spent(plan.z), dtype=torch.float64))
        unit = (
            torch.from_numpy(plan.unit).to(step) if plan.case == "recovery" else limits.excess.clamp(min=0.0)
        )
        return _limited(taken, limits, plan.case, torch.from_numpy(plan.price), unit)

    def _choose(self, start: Trial, proposal: Proposal, batch: Batch) -> tuple[Trial, Report]:
        """The acceptance's choice, to which a point that breaks a limit counts as one that is infinitely bad."""
        if not isinstance(proposal, Limited):
            return super()._choose(start, proposal, batch)
        limits, radius = proposal.limits, self._step.radius(self._size)
        exceeded = bool((limits.excess > 0.0).any())
        allowed = math.inf if proposal.case == "recovery" else limits.excess.clamp(min=0.0)

        def judged(trial: Trial) -> Trial:
            change = self._problem.reduce.mean(self._problem.costs(trial.vector, batch))
            excess = change - limits.slack
            largest = torch.where(proposal.unit > 0.0, excess / proposal.unit, -math.inf).max()
            worth = largest if exceeded else trial.loss
            told = _named("step/cost", limits, change)
            kept = (excess <= allowed).all()
            return Trial(trial.vector, torch.where(kept, worth, math.inf), trial.report | told)

        here = judged(start)
        step = proposal.step
        chosen, choice = self._acceptance(here, step, lambda v: judged(self._trial(v, batch)), radius)
        if chosen is here:
            return start, choice | _named("step/cost", limits, limits.change)
        return replace(chosen, loss=chosen.report["loss/policy"]), choice


@dataclass(frozen=True, slots=True)
class Limits:
    """What a step has to keep to."""

    names: tuple[str, ...]
    slack: Tensor  # of each budget, per step of an episode, less what is owed to it      [K]
    change: Tensor  # of each cost since then                                             [K]
    slopes: Tensor  # its gradient                                                        [K, P]
    owed: Tensor  # to each budget, as of ``Arrears``                                     [K]

    @property
    def room(self) -> Tensor:
        """What each cost may change by from here, ``[K]``."""
        return self.slack - self.change

    @property
    def excess(self) -> Tensor:
        """What each cost has to change by, ``[K]``; negative within its budget."""
        return self.change - self.slack


@dataclass(frozen=True, slots=True)
class Limited(Proposal):
    """A step under limits.

    Attributes:
        limits: those.
        case: one of ``CASES``.
        unit: in which excesses are compared, ``[K]``; zero of a cost whose excess does not count.
    """

    limits: Limits
    case: str
    unit: Tensor


def _slack(batch: Batch) -> Tensor:
    """What is left of each budget, ``[K]``; the same in every row."""
    return batch.slack.flatten(0, -2)[0]


def _limits(problem: PolicyProblem, vector: Tensor, batch: Batch, owed: Tensor) -> Limits:
    mean = problem.reduce.mean
    change, pull = vjp(lambda v: problem.costs(v, batch), vector)[:2]
    slopes = torch.stack([mean(pull(unit)[0]) for unit in torch.eye(len(change)).to(change)])
    return Limits(problem.constraints, _slack(batch) - owed, mean(change), slopes, owed)


def _limited(proposal: Proposal, limits: Limits, case: str, price: Tensor, unit: Tensor) -> Limited:
    told = {f"step/case/{name}": torch.tensor(float(name == case)) for name in CASES}
    told |= _named("step/dual", limits, price)
    told |= _named("step/slack", limits, limits.room + limits.owed)
    told |= _named("step/arrears", limits, limits.owed)
    told |= _named("step/cost_predicted", limits, limits.slopes @ proposal.step)
    return Limited(
        direction=proposal.direction,
        multiplier=proposal.multiplier,
        step=proposal.step,
        kl=proposal.kl,
        report=proposal.report | told,
        limits=limits,
        case=case,
        unit=unit,
    )


def _named(word: str, limits: Limits, values: Tensor) -> Report:
    return {f"{word}/{name}": value for name, value in zip(limits.names, values, strict=True)}


def _products(product: Product, directions: Tensor) -> Tensor:
    """``dᵢᵀ F dⱼ`` of directions ``[J, P]``, in float64."""
    images = torch.stack([product(direction) for direction in directions]).double()
    found = directions.double() @ images.T
    return 0.5 * (found + found.T)
