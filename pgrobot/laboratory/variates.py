"""Checks of baselines and control variates: they leave the gradient's mean alone and its variance as computed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from pgrobot.baselines import Baseline
from pgrobot.batch import BaselineInput, Batch
from pgrobot.control_variates import features
from pgrobot.factories import PolicyFactory
from pgrobot.laboratory.apparatus import Apparatus, hermite
from pgrobot.laboratory.bandits import Draw, draw
from pgrobot.laboratory.check import Outcome, compare
from pgrobot.laboratory.paths import solve
from pgrobot.laboratory.worlds import Bandit, Process
from pgrobot.objectives import Objective
from pgrobot.randomness import stream


@dataclass(frozen=True)
class StateBaseline:
    """``E[∇log π(a|s) b(s, t)]`` is zero, summed over every path, whatever ``b`` is.

    Attributes:
        world: a process.
        policy: a discrete one with as many choices.
        objective: the surrogate.
        horizon: steps of a path.
        discount: γ of the value that is one of the baselines.
        seed: of the policy and of the baselines that are drawn.
        tolerance: of every entry.
    """

    world: Process
    policy: PolicyFactory
    objective: Objective
    horizon: int
    discount: float
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        terms = {"surrogate": self.objective}
        solved = solve(
            self.world, self.policy, terms, self.horizon, self.seed, lambda _: self.world.model.start
        )
        paths, states = solved.paths, len(solved.obs)
        value, _ = solved.model.values(solved.policy, self.discount, solved.model.reward)
        step = torch.arange(self.horizon).unsqueeze(-1)
        table = torch.randn(
            self.horizon, states, generator=stream(self.seed, "baselines"), dtype=torch.float64
        )
        baselines = {
            "a constant": torch.ones_like(paths.weight),
            "V(s)": value[paths.state],
            "any b(s)": table[0][paths.state],
            "any b(s, t)": table[step, paths.state],
        }
        outcomes = []
        for name, baseline in baselines.items():
            found = solved.gradient(paths.weight * baseline)
            outcomes.append(compare(f"mean score times {name}", found.abs(), 0.0 * found, self.tolerance))
        return outcomes


@dataclass(frozen=True)
class CrossFitting:
    """Fitted on other trajectories a baseline leaves the expected gradient as it is; fitted on its own it does not.

    The actions of ``rows`` bandits are all combinations of quadrature nodes, so the expectation is a sum. Two cases
    have a known bias. The mean of the very batch keeps ``1 − 1 / rows`` of the gradient. And where only what a control
    leaves of the advantage is divided by a deviation ``d``, not its expectation (Tucker et al. 2018, arXiv 1802.10031,
    of the released Q-Prop), a linear control ``c z`` adds ``E[c] (1 − 1 / d) / σ`` to the gradient in the mean.

    Attributes:
        world: the bandit.
        policy: a Gaussian one.
        objectives: the surrogate, and what adds a control's expectation back.
        baselines: cross-fitted ones by name.
        same_batch: the mean of the batch itself.
        control: a cross-fitted linear one, for the other bias.
        deviation: what only its advantage is divided by, ``d``.
        rows: bandits in a batch.
        nodes: of each action's quadrature.
        seed: of the policy.
        tolerance: of every number.
    """

    world: Bandit
    policy: PolicyFactory
    objectives: Mapping[str, Objective]
    baselines: Mapping[str, Baseline]
    same_batch: Baseline
    control: Baseline
    deviation: float
    rows: int
    nodes: int
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        drawn = draw(self.world, self.policy, self.objectives, self.seed)
        exact = torch.from_numpy(self.world.gradient(drawn.mean, drawn.std))
        outcomes = []
        for name, baseline in self.baselines.items():
            found = self._expected(drawn, *self._batches(drawn, baseline))
            outcomes.append(compare(name, found, exact, self.tolerance))
        same = self._expected(drawn, *self._batches(drawn, self.same_batch))
        known = -exact / self.rows
        outcomes.append(compare("bias of the same batch's mean", same - exact, known, self.tolerance))
        weight, batches = self._batches(drawn, self.control)
        divided = replace(batches, advantage=batches.advantage / self.deviation)
        bias = self._expected(drawn, weight, divided) - exact / self.deviation
        coefficient = float(weight @ batches.control[..., 0].mean(-1))
        added = coefficient * (1.0 - 1.0 / self.deviation) / drawn.std
        name = "bias of a control whose advantage alone is divided"
        return [
            *outcomes,
            compare(f"{name}, ∂μ", bias[0], added, self.tolerance),
            compare(f"{name}, ∂log σ", bias[1], 0.0, self.tolerance),
        ]

    def _expected(self, drawn: Draw, weight: Tensor, batches: Batch) -> Tensor:
        """The expectation of a batch's gradient in ``(mean, log std)``, a pair."""
        return weight @ drawn.apparatus.gradients_of(batches) @ torch.linalg.pinv(drawn.jacobian)

    def _batches(self, drawn: Draw, baseline: Baseline) -> tuple[Tensor, Batch]:
        """Every batch there is, with its probability; columns are ``[R, rows, …]``."""
        nodes, weights = hermite(self.nodes)
        noise = torch.tensor(list(itertools.product(nodes.tolist(), repeat=self.rows)), dtype=torch.float64)
        weight = torch.tensor(
            list(itertools.product(weights.tolist(), repeat=self.rows)), dtype=torch.float64
        ).prod(-1)
        value = float(self.world.value(drawn.mean, drawn.std))
        batches = []
        for row in noise:
            action = (drawn.mean + drawn.std * row).unsqueeze(-1)
            reward = torch.from_numpy(self.world.reward(action[:, 0].numpy()))
            batches.append(_controlled(drawn.apparatus, action, reward, value, baseline))
        stacked: Batch = pytree.tree_map(lambda *x: torch.stack(x), *batches)
        return weight, stacked


@dataclass(frozen=True)
class ControlVariates:
    """A control variate leaves the variance that its correlation with the gradient says, and the mean.

    With the exact slope of ``Q`` in the action (Q-Prop) the variances are ``(10σ², 56σ⁴)``, with its curvature as well
    they are zero; and ``g − C h`` with ``C = Cov(g, h) / Var(h)`` has ``1 − ρ²`` of the variance of ``g``.

    Attributes:
        world: the bandit.
        policy: a Gaussian one.
        objectives: the surrogate, and what adds the control's expectation back.
        directions: any combinations of the linear and the quadratic feature, by name.
        seed: of the policy.
        tolerance: of every number.
    """

    world: Bandit
    policy: PolicyFactory
    objectives: Mapping[str, Objective]
    directions: Mapping[str, Sequence[float]]
    seed: int
    tolerance: float

    def run(self) -> Sequence[Outcome]:
        drawn = draw(self.world, self.policy, self.objectives, self.seed)
        std, exact = drawn.std, torch.from_numpy(self.world.gradient(drawn.mean, drawn.std))
        slope, curvature = float(exact[0]) * std, -(std**2)
        closed = torch.tensor([10.0 * std**2, 56.0 * std**4], dtype=torch.float64)
        outcomes = []
        for name, control, left in (
            ("linear in the action", (slope, 0.0), closed),
            ("quadratic in the action", (slope, curvature), 0.0 * closed),
        ):
            found = with_control(self.world, drawn, torch.tensor(control, dtype=torch.float64))
            mean = drawn.weight @ found
            variance = drawn.weight @ (found - mean).square()
            outcomes += [
                compare(f"mean, {name}", mean, exact, self.tolerance),
                compare(f"variance, {name}", variance, left, self.tolerance),
            ]
        for name, direction in self.directions.items():
            outcomes.append(self._best(name, drawn, exact, torch.tensor(direction, dtype=torch.float64)))
        return outcomes

    def _best(self, name: str, drawn: Draw, exact: Tensor, direction: Tensor) -> Outcome:
        """What the best coefficient of a control leaves of either parameter's variance, beside ``1 − ρ²``."""
        plain = with_control(self.world, drawn, 0.0 * direction)
        g, h = plain - exact, plain - with_control(self.world, drawn, direction)
        covariance, spread = drawn.weight @ (g * h), drawn.weight @ h.square()
        whole = drawn.weight @ g.square()
        left = [
            drawn.weight @ (with_control(self.world, drawn, c * direction) - exact).square()[:, k] / whole[k]
            for k, c in enumerate(covariance / spread)
        ]
        squared = covariance.square() / spread / whole
        return compare(f"1 − ρ² of {name}", torch.stack(left), 1.0 - squared, self.tolerance)


def with_control(world: Bandit, drawn: Draw, control: Tensor) -> Tensor:
    """Every row's gradient with the value for a baseline and a control of these coefficients ``[2]``: ``[B, 2]``."""
    reward = torch.from_numpy(world.reward(drawn.action[:, 0].numpy()))
    batch = drawn.batch(reward - float(world.value(drawn.mean, drawn.std)))
    noise = features(batch.action, batch.reference)
    return drawn.gradients(
        replace(batch, advantage=batch.advantage - noise @ control, control=control.expand_as(noise))
    )


def variance(world: Bandit, drawn: Draw, control: Tensor) -> Tensor:
    """Of one row's gradient with this control, a pair."""
    found = with_control(world, drawn, control)
    return drawn.weight @ (found - drawn.weight @ found).square()


@dataclass(frozen=True)
class OutOfSample:
    """A control fitted on other rows, averaged over many fits, raises the variance of no parameter's gradient.

    Each fit is on actions that are drawn, and what it leaves of the variance is a quadrature. A control's coefficients
    are those of a baseline, one for all parameters; and the best one of every parameter by itself, ``C* = Cov(g, h) /
    Var(h)``, as the rows of the fit estimate it. That leaves ``1 − ρ²`` and the square of its own error, so where the
    correlation is weak it takes many rows to gain anything.

    Attributes:
        world: the bandit.
        policy: a Gaussian one.
        objectives: the surrogate, and what adds the control's expectation back.
        baselines: cross-fitted controls by name.
        directions: any combinations of the linear and the quadratic feature, by name, for ``C*``.
        rows: bandits that are drawn for one fit of each fold, and for one of ``C*``.
        fits: how many draws.
        seed: of policy and draws.
    """

    world: Bandit
    policy: PolicyFactory
    objectives: Mapping[str, Objective]
    baselines: Mapping[str, Baseline]
    directions: Mapping[str, Sequence[float]]
    rows: int
    fits: int
    seed: int

    def run(self) -> Sequence[Outcome]:
        drawn = draw(self.world, self.policy, self.objectives, self.seed)
        left = {name: self._left(drawn, self._fitted(drawn, b)) for name, b in self.baselines.items()}
        for name, direction in self.directions.items():
            left[f"C* of {name}"] = self._left_by_best(drawn, torch.tensor(direction, dtype=torch.float64))
        outcomes = []
        for name, shares in left.items():
            for parameter, share in zip(("μ", "log σ"), shares, strict=True):
                beyond = (share - 1.0).clamp(min=0.0)
                outcomes.append(compare(f"variance of ∂{parameter} beyond its own, {name}", beyond, 0.0, 0.0))
        return outcomes

    def _left(self, drawn: Draw, controls: Sequence[Tensor]) -> Tensor:
        """What the controls ``[2]`` leave on average of either parameter's variance, a pair."""
        none = variance(self.world, drawn, torch.zeros(2, dtype=torch.float64))
        return torch.stack([variance(self.world, drawn, control) / none for control in controls]).mean(0)

    def _left_by_best(self, drawn: Draw, direction: Tensor) -> Tensor:
        """The same of a direction of which every parameter has its own estimated coefficient."""
        shares = []
        for rows in self._drawn(drawn):
            plain = with_control(self.world, rows, 0.0 * direction)
            h = plain - with_control(self.world, rows, direction)
            pairs = [torch.cov(torch.stack((plain[:, k], h[:, k]))) for k in range(2)]
            own = [
                self._left(drawn, [pair[0, 1] / pair[1, 1] * direction])[k] for k, pair in enumerate(pairs)
            ]
            shares.append(torch.stack(own))
        return torch.stack(shares).mean(0)

    def _drawn(self, drawn: Draw) -> Iterator[Draw]:
        """Rows of one fit after the other, drawn from the policy."""
        generator = stream(self.seed, "draws")
        for _ in range(self.fits):
            noise = torch.randn(self.rows, 1, generator=generator, dtype=torch.float64)
            weight = torch.full((self.rows,), 1.0 / self.rows, dtype=torch.float64)
            yield replace(drawn, action=drawn.mean + drawn.std * noise, weight=weight)

    def _fitted(self, drawn: Draw, baseline: Baseline) -> Sequence[Tensor]:
        """The coefficients of every fit for every fold, each from rows that it is not applied to."""
        value = float(self.world.value(drawn.mean, drawn.std))
        found = []
        for rows in self._drawn(drawn):
            action = rows.action
            reward = torch.from_numpy(self.world.reward(action[:, 0].numpy()))
            control = _controlled(drawn.apparatus, action, reward, value, baseline).control
            found += list(
                torch.cat((control, torch.zeros(self.rows, 2 - control.shape[1])), -1).unique(dim=0)
            )
        return found


def _controlled(
    apparatus: Apparatus, action: Tensor, reward: Tensor, value: float, baseline: Baseline
) -> Batch:
    """Bandits ``[n]`` of one step each, with what a baseline leaves of their rewards."""
    batch = apparatus.batch(torch.zeros_like(action), action, reward - value)
    row: Batch = pytree.tree_map(lambda x: x.unsqueeze(0), batch)
    left = baseline(
        BaselineInput(
            obs=row.obs,
            action=row.action,
            reference=row.reference,
            done=torch.ones_like(row.episode_start),
            counts=torch.ones_like(row.episode_start),
            age=torch.zeros_like(row.advantage),
            returns=reward.unsqueeze(0),
            advantage=row.advantage,
            weight=torch.ones_like(row.advantage),
            score_norm=lambda: apparatus.problem.score_norm(apparatus.vector, batch).unsqueeze(0),
        )
    )
    return replace(batch, advantage=left.advantage[0], control=left.control[0])
