"""The learner: from a rollout to moved parameters, asking nobody which algorithm, constraint or policy it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor
from torch.func import functional_call, grad
from torch.utils import _pytree as pytree

from pgrobot.baselines import NORMALISATIONS, Baseline, Normalisation
from pgrobot.batch import BaselineInput, Batch, CriticBatch
from pgrobot.concurrency import second_core
from pgrobot.constraints import Constraint, measure
from pgrobot.critics import MlpCritic
from pgrobot.distributions import Distribution
from pgrobot.estimators import (
    Estimate,
    Estimator,
    EstimatorInput,
    discount_from_start,
    effective_sample_share,
    reads_log_ratio,
)
from pgrobot.objectives import Objective
from pgrobot.policies import Policy
from pgrobot.solvers import (
    CriticProblem,
    ExponentialAverage,
    FlatParameters,
    PolicyProblem,
    Report,
    SnapshotProblem,
    SolverFactory,
    UpdateSnapshot,
    own_state,
)
from pgrobot.types import IntrinsicReward, Metrics, Multiplier, Rollout, State

T = TypeVar("T")
_LOOKED_AT = 256  # rows on which the normaliser's share of the policy's way is measured
Values = tuple[Tensor, Tensor]  # of the states and of their true successors, [T, N, C] each


class Learner:
    """One policy, its critic, and how they learn.

    Args:
        policy: the policy; its parameters become views of one flat vector.
        critic: predicts every column; likewise.
        intrinsic: what adds reward columns of its own to a rollout, in the order of the ``bonus/`` columns.
        estimator: advantages and targets of every column.
        baseline: what the mixed returns are compared with.
        normalisation: of the advantage: a name in ``NORMALISATIONS``.
        state_discount: whether a step weighs γ^t, t steps into its episode, in the policy gradient.
        average: of the policy's parameters over updates: the reference that distances are measured from.
        terms: the policy objective's terms by name.
        policy_solver: makes the solver that moves the policy.
        critic_solver: makes the solver that fits the critic.
        constraints: the budgets, in the order of the cost columns.
        multiplier: prices the cost columns.
        columns: names of the reward tensor's columns.
        discounts: γ by kind of column: ``reward``, ``cost``, ``bonus``.
        passes: how often per rollout the advantages are estimated anew and both problems solved.
        iterations: updates over which what is annealed reaches its last value, which it keeps in those that follow.
        max_episode_steps: the time limit, for budgets per episode.
        streams: random streams of the two solvers' shuffles.
        cores: how many the two solvers may keep busy; with one the critic is fitted before the policy moves.
    """

    def __init__(
        self,
        policy: Policy,
        critic: MlpCritic,
        intrinsic: Sequence[IntrinsicReward],
        estimator: Estimator,
        baseline: Baseline,
        normalisation: str,
        state_discount: bool,
        average: ExponentialAverage,
        terms: Mapping[str, Objective],
        policy_solver: SolverFactory,
        critic_solver: SolverFactory,
        constraints: Sequence[Constraint],
        multiplier: Multiplier,
        columns: Sequence[str],
        discounts: Mapping[str, float],
        passes: int,
        iterations: int,
        max_episode_steps: int,
        streams: Mapping[str, torch.Generator],
        cores: int,
    ) -> None:
        self.policy = policy
        self.critic = critic
        self.multiplier = multiplier
        self.constraints = tuple(constraints)
        self._intrinsic = tuple(intrinsic)
        self._estimator = estimator
        self._baseline = baseline
        self._normalised = NORMALISATIONS[normalisation]
        self._policy_vector = FlatParameters(policy)
        self._critic_vector = FlatParameters(critic)
        self._average = average
        self._averaged = average.initial(self._policy_vector.vector)
        self._problem = PolicyProblem(policy, self._policy_vector, terms)
        self._policy_solver = policy_solver(
            vector=self._policy_vector.vector, problem=self._problem, generator=streams["policy"]
        )
        self._critic_solver = critic_solver(
            vector=self._critic_vector.vector,
            problem=CriticProblem(critic, self._critic_vector),
            generator=streams["critic"],
        )
        self._budgets = torch.tensor([c.budget for c in self.constraints], dtype=torch.float64)
        self._slack = torch.zeros(len(self.constraints))
        self._costs = slice(1, 1 + len(self.constraints))
        self._discount = torch.tensor([discounts[name.split("/")[0]] for name in columns])
        self._cost_discount = discounts["cost"]
        self._state_discount = discounts["reward"] if state_discount else 1.0
        self._passes = passes
        self._iterations = iterations
        self._max_episode_steps = max_episode_steps
        self._updates = 0
        self._snapshot: UpdateSnapshot | None = None
        self._second_core = second_core(cores)

    @torch.no_grad()
    def update(self, rollout: Rollout) -> Metrics:
        """Learn from one rollout; returns the iteration's metrics."""
        for solver in (self._policy_solver, self._critic_solver):
            solver.anneal(min(self._updates, self._iterations - 1) / self._iterations)
        collected, rollout = rollout, self._with_intrinsic(rollout)
        metrics = self._price(rollout)
        reference = self._reference(rollout)
        values = self._values(rollout)  # in the columns' own units: rescaling changes none of them
        factors = self.critic.rescale(self._estimate(rollout, values, self._log_ratio(rollout))[1])
        self._critic_solver.rescale(self._critic_vector.spread(factors))
        for index in range(self._passes):
            log_ratio = self._log_ratio(rollout)
            advantage, target, weight = self._estimate(rollout, values, log_ratio)
            batch = _rows(
                self._batch(
                    rollout, reference, advantage, values[0], weight, self._baseline, self._normalised
                )
            )
            critic_batch = _rows(CriticBatch.of_rows(rollout.obs, target))
            if index == 0:
                metrics |= _explained_variance(target, values[0], rollout.columns)
                self._snapshot = UpdateSnapshot.of(
                    collected, batch, critic_batch, self.policy, self.critic, self._problem
                )
            # The two problems share nothing, so the critic is fitted beside the policy.
            again = index + 1 < self._passes
            fit = self._second_core.submit(self._fit, critic_batch, rollout, values, again)
            try:
                policy_report, stop = self._policy_solver.solve(batch)
            finally:
                critic_report, values = fit.result()
            metrics |= _numbers(policy_report) | _numbers(critic_report)
            if reads_log_ratio(self._estimator):
                metrics["estimator/effective_sample_share"] = effective_sample_share(log_ratio)
            if stop:
                break
        metrics |= self._problem.adapt(metrics["policy/kl"])
        metrics["policy/kl_normalizer"] = self._merge(rollout)
        for one in self._intrinsic:
            metrics |= one.fit(rollout)
        self._updates += 1
        return metrics | {
            "policy/std": float(reference.std.mean()),
            "policy/learning_rate": self._policy_solver.rate,
            "critic/learning_rate": self._critic_solver.rate,
        }

    def snapshot(self, rollout: Rollout) -> dict[str, SnapshotProblem]:
        """The problems ``policy`` and ``critic`` as the last update met them: for looking at, in storage of their own.

        Args:
            rollout: what that update learnt from. There are no problems if it learnt from another one, or none.
        """
        begun = self._snapshot
        if begun is None or begun.rollout is not rollout:
            return {}
        return begun.snapshot(self.policy, self.critic, self._problem)

    @torch.no_grad()
    def advantages(self, rollout: Rollout) -> Tensor:
        """The estimator's advantages, with bonuses and priced costs mixed, as baselines see them: ``[T, N]``.

        Nothing moves.
        """
        rollout = self._with_intrinsic(rollout)
        advantage, _, _ = self._estimate(rollout, self._values(rollout), self._log_ratio(rollout))
        return self.multiplier.mix(advantage)

    @torch.no_grad()
    def gradient(self, rollout: Rollout, baseline: Baseline, terms: Mapping[str, Objective]) -> Tensor:
        """The gradient of other ``terms`` over another ``baseline``, of a rollout that the present policy collected.

        It takes an update's own way up to its first step, with advantages as they are (``raw``) and distances
        measured from the policy itself. Nothing moves.

        Returns:
            ``[P]``, the direction of ascent, in the unit of the reward.
        """
        rollout = self._with_intrinsic(rollout)
        reference, _ = self.policy(rollout.obs, rollout.carry, rollout.episode_start)
        values = self._values(rollout)
        advantage, _, weight = self._estimate(rollout, values, self._log_ratio(rollout))
        raw = NORMALISATIONS["raw"]
        rows = _rows(self._batch(rollout, reference, advantage, values[0], weight, baseline, raw))
        problem = PolicyProblem(self.policy, self._policy_vector, terms)
        ascent: Tensor = -grad(lambda vector: problem.loss(vector, rows)[0])(self._policy_vector.vector)
        return ascent

    def _merge(self, rollout: Rollout) -> float:
        """Merge the observations into the normalisers, which moves the policy: by how many nats of KL, on some rows.

        No trust region has seen that part of its way.
        """
        # An odd stride, or it would be the same few environments in every step.
        every = rollout.log_prob.numel() // _LOOKED_AT | 1
        seen = {name: obs.flatten(0, 1)[::every] for name, obs in rollout.obs.items()}
        rows = (seen, rollout.carry.flatten(0, 1)[::every], rollout.episode_start.flatten()[::every])
        before, _ = self.policy(*rows)
        for part in (self.policy, self.critic):
            part.merge(rollout.obs)
        after, _ = self.policy(*rows)
        return float(before.kl(after).mean())

    def _with_intrinsic(self, rollout: Rollout) -> Rollout:
        """The rollout with the columns of the intrinsic rewards."""
        for one in self._intrinsic:
            rollout = one(rollout)
        return rollout

    def _reference(self, rollout: Rollout) -> Distribution:
        """The averaged policy on the rollout: with a decay of zero the policy itself."""
        self._averaged = self._average.step(self._averaged, self._policy_vector.vector)
        arguments = (rollout.obs, rollout.carry, rollout.episode_start)
        parameters = self._policy_vector.views(self._averaged[0])
        reference: Distribution = functional_call(self.policy, parameters, arguments)[0]
        return reference

    def _batch(
        self,
        rollout: Rollout,
        reference: Distribution,
        advantage: Tensor,
        value: Tensor,
        weight: Tensor,
        baseline: Baseline,
        normalise: Normalisation,
    ) -> Batch:
        """What the policy learns from, ``[T, N]``: the mixed advantages over the baseline, normalised and weighed."""
        cost_advantage = advantage[..., self._costs]
        batch = Batch(
            obs=rollout.obs,
            carry=rollout.carry,
            episode_start=rollout.episode_start,
            action=rollout.action,
            log_prob=rollout.log_prob,
            reference=reference,
            advantage=self.multiplier.mix(advantage),
            cost_advantage=cost_advantage - cost_advantage.mean((0, 1)),
            slack=self._slack.expand_as(cost_advantage),
            weight=rollout.log_prob.new_zeros(*rollout.log_prob.shape, 0),
            control=rollout.log_prob.new_zeros(*rollout.log_prob.shape, 0),
        )
        age = rollout.age
        discounted = discount_from_start(age, self._state_discount)
        controlled = baseline(
            BaselineInput(
                obs=rollout.obs,
                action=rollout.action,
                reference=reference,
                done=rollout.done,
                age=age,
                returns=self.multiplier.mix(advantage + value),
                advantage=batch.advantage,
                weight=discounted * weight,
                score_norm=lambda: self._problem.score_norm(self._policy_vector.vector, _rows(batch)).view_as(
                    age
                ),
            )
        )
        normalised, scale = normalise(controlled.advantage)
        return replace(
            batch,
            advantage=normalised * (discounted * weight),
            control=controlled.control * (discounted / scale).unsqueeze(-1),  # an expectation under π itself
        )

    def _price(self, rollout: Rollout) -> Metrics:
        """Measure every budget on this rollout and let the multiplier move on the excess."""
        measured = measure(
            rollout.reward[..., self._costs],
            rollout.done,
            rollout.censored,
            rollout.age,
            rollout.paid,
            self.constraints,
            self._cost_discount,
            self._max_episode_steps,
        )
        excess = (measured.cost - self._budgets) / measured.steps
        self._slack.copy_(-excess)
        metrics = self.multiplier.update(excess, measured.length, rollout.reward)
        for constraint, value in zip(self.constraints, measured.cost.tolist(), strict=True):
            metrics[f"cost/{constraint.name}/mean"] = value
            metrics[f"cost/{constraint.name}/budget"] = constraint.budget
        return metrics

    def _fit(
        self, batch: CriticBatch, rollout: Rollout, values: Values, again: bool
    ) -> tuple[Report, Values]:
        """Fit the critic; returns what its solver reports, and the values it gives ``again`` for another pass."""
        report, _ = self._critic_solver.solve(batch)
        return report, self._values(rollout) if again else values

    @torch.no_grad()
    def _values(self, rollout: Rollout) -> Values:
        """The critic's value of every state and of its true successor, ``[T, N, C]`` each.

        The successor of a step is the next row's observation, except where the row is its episode's or the
        rollout's last: only there the critic is asked for the true successor.
        """
        value = self.critic.value(rollout.obs)
        last = rollout.done.clone()
        last[-1] = True
        next_value = torch.cat((value[1:], value[-1:]))
        next_value[last] = self.critic.value({name: obs[last] for name, obs in rollout.next_obs.items()})
        return value, next_value

    def _log_ratio(self, rollout: Rollout) -> Tensor:
        """Of the present policy to the one that acted, ``[T, N]``; zero where the estimator does not read it."""
        if not reads_log_ratio(self._estimator):
            return torch.zeros_like(rollout.log_prob)
        policy, _ = self.policy(rollout.obs, rollout.carry, rollout.episode_start)
        return policy.log_prob(rollout.action) - rollout.log_prob

    def _estimate(self, rollout: Rollout, values: Values, log_ratio: Tensor) -> Estimate:
        """Advantages and targets under the present policy, ``[T, N, C]`` each, and the steps' weights ``[T, N]``."""
        return self._estimator(
            EstimatorInput(
                reward=rollout.reward,
                value=values[0],
                next_value=values[1],
                terminated=rollout.terminated.unsqueeze(-1),
                done=rollout.done.unsqueeze(-1),
                log_ratio=log_ratio,
                discount=self._discount,
            )
        )

    def state_dict(self) -> State:
        """Parameters, normalisers, averages, moments, multipliers, weights, intrinsic, shuffles, number of updates."""
        return {
            "policy": own_state(self.policy),
            "critic": own_state(self.critic),
            "policy_solver": self._policy_solver.state_dict(),
            "critic_solver": self._critic_solver.state_dict(),
            "average": [tensor.clone() for tensor in self._averaged],
            "weights": self._problem.weights.clone(),
            "multiplier": self.multiplier.state_dict(),
            "intrinsic": [one.state_dict() for one in self._intrinsic],
            "updates": self._updates,
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``; parameters are copied into the flat vectors."""
        self.policy.load_state_dict(state["policy"])
        self.critic.load_state_dict(state["critic"])
        self._policy_solver.load_state_dict(state["policy_solver"])
        self._critic_solver.load_state_dict(state["critic_solver"])
        average, weight = (tensor.clone() for tensor in state["average"])
        self._averaged = average, weight
        self._problem.weights.copy_(state["weights"])
        self.multiplier.load_state_dict(state["multiplier"])
        for one, saved in zip(self._intrinsic, state["intrinsic"], strict=True):
            one.load_state_dict(saved)
        self._updates = state["updates"]


def _rows(batch: T) -> T:
    """Time and environments as one dimension."""
    rows: T = pytree.tree_map(lambda x: x.flatten(0, 1), batch)
    return rows


def _explained_variance(target: Tensor, value: Tensor, columns: Sequence[str]) -> Metrics:
    """Share of each column's target variance that the critic predicted before it was fitted to it."""
    residual = (target - value).var((0, 1), correction=0)
    variance = target.var((0, 1), correction=0).clamp(min=1e-12)
    explained = (1.0 - residual / variance).tolist()
    return {
        f"critic/explained_variance/{name}": value for name, value in zip(columns, explained, strict=True)
    }


def _numbers(report: Report) -> Metrics:
    return {name: float(value) for name, value in report.items()}
