"""Checks in a choice among arms that cost something: what keeps to a budget meets its own optimum, in closed form.

A policy near another one, ``max E_π[x] − τ KL(π ‖ μ)``, is ``π ∝ μ exp(x / τ)``. So is every optimum here, with
``x = q − λ c`` and its own λ: that at which the budget is met, κ where a penalty is too small, ``1 / (t (d − E_π[c]))``
behind a barrier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from scipy.optimize import brentq
from torch import Tensor

from pgrobot.batch import Batch
from pgrobot.constraints import Constraint
from pgrobot.factories import MultiplierFactory, PolicyFactory
from pgrobot.laboratory.apparatus import Apparatus, assemble
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.laboratory.worlds import Arms
from pgrobot.objectives import Objective
from pgrobot.randomness import stream
from pgrobot.solvers import SolverFactory

MOST = 1e4  # a price beyond which nobody looks


@dataclass(frozen=True)
class BudgetedArms:
    """Arms with costs and a budget, and the policy that has acted among them.

    Attributes:
        world: the arms.
        policy: a discrete one with as many choices.
        costs: expected cost of each arm.
        budget: of the expected cost.
        temperature: τ, of the distance from the policy that acted.
        seed: of the policy.
    """

    world: Arms
    policy: PolicyFactory
    costs: Sequence[float]
    budget: float
    temperature: float
    seed: int

    def posed(self, terms: Mapping[str, Objective], budget: float) -> Posed:
        """The policy's problem, and its batch with a row for each arm."""
        apparatus = assemble(self.world, self.policy, terms, self.seed)
        nothing = torch.zeros(len(self.costs), 1, dtype=torch.float64)
        reward, cost = (torch.tensor(list(x), dtype=torch.float64) for x in (self.world.values, self.costs))
        acted = apparatus.probabilities(apparatus.vector, nothing[:1])[0]
        rows = apparatus.batch(nothing, apparatus.choices, reward - acted @ reward)
        batch = replace(
            rows,
            weight=acted.unsqueeze(-1),
            cost_advantage=(cost - acted @ cost).unsqueeze(-1),
            slack=(budget - acted @ cost).expand(len(cost), 1),
        )
        return Posed(apparatus, batch, acted, reward, cost)


@dataclass(frozen=True)
class Posed:
    """What is solved, and what is known of it.

    Attributes:
        apparatus: the policy, its parameters and its problem.
        batch: the arms, each weighing as it is likely.
        acted: probabilities of the arms when they were drawn.
        reward, cost: of each arm.
    """

    apparatus: Apparatus
    batch: Batch
    acted: Tensor
    reward: Tensor
    cost: Tensor

    def near(self, gain: Tensor, temperature: float) -> Tensor:
        """``π ∝ μ exp(gain / τ)``."""
        return torch.softmax(self.acted.log() + gain / temperature, dim=0)

    def priced(self, price: float, temperature: float) -> Tensor:
        """The best policy where the cost has a price."""
        return self.near(self.reward - price * self.cost, temperature)

    def found(self) -> Tensor:
        """Where the parameters have been moved to."""
        nothing = torch.zeros(1, 1, dtype=torch.float64)
        return self.apparatus.probabilities(self.apparatus.vector, nothing)[0]

    def spent(self, policy: Tensor) -> float:
        """The expected cost."""
        return float(policy @ self.cost)

    def shadow_price(self, budget: float, temperature: float) -> float:
        """λ*, the price at which the best policy spends the budget."""
        return float(
            brentq(lambda x: self.spent(self.priced(x, temperature)) - budget, 0.0, MOST, xtol=1e-14)
        )


def solved(posed: Posed, solver: SolverFactory, steps: int, seed: int) -> Tensor:
    """The probabilities that so many solutions of the problem lead to; the rate is annealed along them."""
    problem, vector = posed.apparatus.problem, posed.apparatus.vector
    built = solver(vector=vector, problem=problem, generator=stream(seed, "shuffle"))
    for step in range(steps):
        built.anneal(step / steps)
        built.solve(posed.batch)
    return posed.found()


@dataclass(frozen=True)
class ExactPenalty:
    """With κ ≥ λ* a penalty's optimum is the constrained one; with a smaller κ it is that of the price κ, and beyond.

    Attributes:
        arms: with a budget.
        penalty: makes the term of a weight κ.
        objectives: the other terms: a surrogate, and the distance from the policy that acted.
        shares: κ as shares of λ*.
        solver: steps up the gradient; its minibatch is the number of arms.
        steps: how many.
        tolerance: of every probability.
    """

    arms: BudgetedArms
    penalty: Callable[..., Objective]
    objectives: Mapping[str, Objective]
    shares: Sequence[float]
    solver: SolverFactory
    steps: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        arms, outcomes = self.arms, []
        for share in self.shares:
            least = arms.posed(self.objectives, arms.budget).shadow_price(arms.budget, arms.temperature)
            terms = {**self.objectives, "penalty": self.penalty(weight=share * least)}
            posed = arms.posed(terms, arms.budget)
            exact = posed.priced(min(share, 1.0) * least, arms.temperature)
            found = solved(posed, self.solver, self.steps, arms.seed)
            words = f"κ = {share:g} λ*"
            cost = max(arms.budget, posed.spent(exact))
            outcomes += [
                compare(f"policy, {words}", found, exact, self.tolerance),
                compare(f"cost, {words}", posed.spent(found), cost, self.tolerance),
            ]
        return outcomes


@dataclass(frozen=True)
class LogBarrier:
    """A barrier's optimum spends ``1 / (t λ)`` less than the budget and has the price λ, wherever it is begun.

    Outside of the barrier's domain the first step is down the cost's own gradient.

    Attributes:
        arms: with a budget.
        barrier: makes the term of a sharpness t.
        objectives: the other terms: the distance from the policy that acted.
        sharpness: of the barriers.
        outside: the budget where the policy that acted exceeds it.
        solver: steps up the gradient; its minibatch is the number of arms.
        steps: how many.
        tolerance: of every probability.
    """

    arms: BudgetedArms
    barrier: Callable[..., Objective]
    objectives: Mapping[str, Objective]
    sharpness: Sequence[float]
    outside: float
    solver: SolverFactory
    steps: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        arms, outcomes = self.arms, []
        for sharpness in self.sharpness:
            terms = {"barrier": self.barrier(sharpness=sharpness), **self.objectives}
            for words, budget in (("inside", arms.budget), ("outside", self.outside)):
                posed = arms.posed(terms, budget)
                if words == "outside":
                    problem, vector = posed.apparatus.problem, posed.apparatus.vector
                    down = -torch.func.jacrev(problem.costs)(vector, posed.batch)[0]
                    told = f"first gradient, t = {sharpness:g}, {words}"
                    outcomes.append(compare(told, posed.apparatus.gradient(posed.batch), down, 1e-12))
                found = solved(posed, self.solver, self.steps, arms.seed)
                exact = posed.priced(self._price(posed, budget, sharpness), arms.temperature)
                outcomes.append(compare(f"policy, t = {sharpness:g}, {words}", found, exact, self.tolerance))
        return outcomes

    def _price(self, posed: Posed, budget: float, sharpness: float) -> float:
        """The λ that is ``1 / (t (d − E_π[c]))`` at its own best policy; the left side falls, as the cost does."""

        def beyond(price: float) -> float:
            left = budget - posed.spent(posed.priced(price, self.arms.temperature))
            return 1.0 - sharpness * left * price

        # below λ* nothing is left, and the equation holds above it
        least = 0.0 if posed.spent(posed.priced(0.0, self.arms.temperature)) < budget else None
        first = posed.shadow_price(budget, self.arms.temperature) if least is None else least
        return float(brentq(beyond, first, MOST, xtol=1e-14))


@dataclass(frozen=True)
class PolicySpace:
    """The optimum in policy space, ``π ∝ μ exp((q − ν c) / λ)``, is where FOCOPS' objective leads.

    Attributes:
        arms: their temperature is the objective's λ.
        objectives: the term, with no bound on the divergence.
        prices: ν.
        solver: steps up the gradient; its minibatch is the number of arms.
        steps: how many.
        tolerance: of every probability.
    """

    arms: BudgetedArms
    objectives: Mapping[str, Objective]
    prices: Sequence[float]
    solver: SolverFactory
    steps: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        outcomes = []
        for price in self.prices:
            posed = self.arms.posed(self.objectives, self.arms.budget)
            gain = posed.reward - price * posed.cost
            batch = replace(posed.batch, advantage=gain - posed.acted @ gain)
            found = solved(replace(posed, batch=batch), self.solver, self.steps, self.arms.seed)
            exact = posed.priced(price, self.arms.temperature)
            outcomes.append(compare(f"policy, ν = {price:g}", found, exact, self.tolerance))
        return outcomes


@dataclass(frozen=True)
class TwoSteps:
    """CUP ends at ``π ∝ π' exp(−w ν c)``, π' where its improvement ends: ``∝ μ exp(q / τ)``, ``w = (1 − γλ)/(1 − γ)``.

    Attributes:
        arms: with a budget.
        objectives: of the improvement: a surrogate, and the distance from the policy that acted.
        solver: both steps; ν is its first price, and none follows.
        price: ν.
        worth: w.
        tolerance: of every probability.
    """

    arms: BudgetedArms
    objectives: Mapping[str, Objective]
    solver: SolverFactory
    price: float
    worth: float
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        posed = self.arms.posed(self.objectives, self.arms.budget)
        found = solved(posed, self.solver, 1, self.arms.seed)
        half = posed.priced(0.0, self.arms.temperature)
        exact = torch.softmax(half.log() - self.worth * self.price * posed.cost, dim=0)
        return [compare("policy", found, exact, self.tolerance)]


@dataclass(frozen=True)
class ShadowPrice:
    """Every multiplier ends at λ* = 1/(2μ*) where μ follows its price: max μ s.t. μ² + σ² ≤ d has μ* = √(d − σ²).

    Attributes:
        multipliers: by name.
        variance: σ².
        budget: d.
        rate: of the gradient steps in μ.
        steps: how many.
        tolerance: of μ and of λ.
    """

    multipliers: Mapping[str, MultiplierFactory]
    variance: float
    budget: float
    rate: float
    steps: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        best, outcomes = (self.budget - self.variance) ** 0.5, []
        constraint, earned = Constraint("power", self.budget, "step", 0.0), torch.ones(1, 1, 2)
        for name, make in self.multipliers.items():
            multiplier = make(constraints=(constraint,), columns=("reward", "cost/power"))
            mean, price = 0.1, 0.0
            for _ in range(self.steps):
                excess = torch.tensor([mean**2 + self.variance - self.budget], dtype=torch.float64)
                price = multiplier.update(excess, 1.0, earned)["multiplier/power"]
                mean += self.rate * (1.0 - 2.0 * mean * price)
            outcomes += [
                compare(f"mean, {name}", mean, best, self.tolerance),
                compare(f"price, {name}", price, 0.5 / best, self.tolerance),
            ]
        return outcomes
