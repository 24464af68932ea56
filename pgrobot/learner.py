"""The learner: from a rollout to moved parameters, asking nobody which algorithm, constraint or policy it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from pgrobot.batch import Batch, CriticBatch
from pgrobot.concurrency import beside
from pgrobot.constraints import Constraint, measure
from pgrobot.critics import MlpCritic
from pgrobot.objectives import Objective
from pgrobot.policies import Policy
from pgrobot.solvers import CriticProblem, FlatParameters, PolicyProblem, Problem, Report
from pgrobot.types import Metrics, Multiplier, Rollout, State

T = TypeVar("T")


class Estimator(Protocol):
    """A pure function of all columns at once; see ``pgrobot.estimators``."""

    def __call__(
        self,
        reward: Tensor,
        value: Tensor,
        next_value: Tensor,
        terminated: Tensor,
        done: Tensor,
        log_ratio: Tensor,
        *,
        discount: Tensor,
    ) -> tuple[Tensor, Tensor]: ...


class Solver(Protocol):
    """Moves the vector it was made for."""

    rate: float

    def anneal(self, progress: float) -> None: ...

    def solve(self, batch: Any) -> tuple[Report, bool]: ...

    def state_dict(self) -> State: ...

    def load_state_dict(self, state: State) -> None: ...


class SolverFactory(Protocol):
    """A solver but for what the learner knows."""

    def __call__(self, *, vector: Tensor, problem: Problem, generator: torch.Generator) -> Solver: ...


class Learner:
    """One policy, its critic, and how they learn.

    Args:
        policy: the policy; its parameters become views of one flat vector.
        critic: predicts every column; likewise.
        estimator: advantages and targets of every column.
        terms: the policy objective's terms by name.
        policy_solver: makes the solver that moves the policy.
        critic_solver: makes the solver that fits the critic.
        constraints: the budgets, in the order of the cost columns.
        multiplier: prices the cost columns.
        columns: names of the reward tensor's columns.
        discounts: γ by kind of column: ``reward``, ``cost``, ``bonus``.
        passes: how often per rollout the advantages are estimated anew and both problems solved.
        iterations: updates of the whole training, for what anneals.
        max_episode_steps: the time limit, for budgets per episode.
        streams: random streams of the two solvers' shuffles.
        cores: how many the two solvers may keep busy; with one the critic is fitted before the policy moves.
    """

    def __init__(
        self,
        policy: Policy,
        critic: MlpCritic,
        estimator: Estimator,
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
        self._estimator = estimator
        self._policy_vector = FlatParameters(policy)
        self._critic_vector = FlatParameters(critic)
        self._policy_solver = policy_solver(
            vector=self._policy_vector.vector,
            problem=PolicyProblem(policy, self._policy_vector, terms),
            generator=streams["policy"],
        )
        self._critic_solver = critic_solver(
            vector=self._critic_vector.vector,
            problem=CriticProblem(critic, self._critic_vector),
            generator=streams["critic"],
        )
        self._budgets = torch.tensor([c.budget for c in self.constraints], dtype=torch.float64)
        self._costs = slice(1, 1 + len(self.constraints))
        self._discount = torch.tensor([discounts[name.split("/")[0]] for name in columns])
        self._cost_discount = discounts["cost"]
        self._passes = passes
        self._iterations = iterations
        self._max_episode_steps = max_episode_steps
        self._updates = 0
        self._beside = beside(cores)

    @torch.no_grad()
    def update(self, rollout: Rollout) -> Metrics:
        """Learn from one rollout; returns the iteration's metrics."""
        for solver in (self._policy_solver, self._critic_solver):
            solver.anneal(self._updates / self._iterations)
        metrics = self._price(rollout)
        reference, _ = self.policy(rollout.obs, rollout.carry, rollout.episode_start)
        log_ratio = reference.log_prob(rollout.action) - rollout.log_prob
        self.critic.rescale(self._estimate(rollout, log_ratio)[1])
        for index in range(self._passes):
            advantage, target = self._estimate(rollout, log_ratio)
            if index == 0:
                metrics |= _explained_variance(advantage, target, rollout.columns)
            cost_advantage = advantage[..., self._costs]
            batch = Batch(
                obs=rollout.obs,
                carry=rollout.carry,
                episode_start=rollout.episode_start,
                action=rollout.action,
                log_prob=rollout.log_prob,
                reference=reference,
                advantage=_standardised(self.multiplier.mix(advantage)),
                cost_advantage=cost_advantage - cost_advantage.mean((0, 1)),
            )
            # The two problems share nothing, so the critic is fitted beside the policy.
            fit = self._beside.submit(self._critic_solver.solve, _rows(CriticBatch(rollout.obs, target)))
            try:
                policy_report, stop = self._policy_solver.solve(_rows(batch))
            finally:
                critic_report, _ = fit.result()
            metrics |= _numbers(policy_report) | _numbers(critic_report)
            if stop:
                break
        self.policy.merge(rollout.obs)
        self.critic.merge(rollout.obs)
        self._updates += 1
        return metrics | {
            "policy/std": float(reference.std.mean()),
            "policy/learning_rate": self._policy_solver.rate,
            "critic/learning_rate": self._critic_solver.rate,
        }

    def _price(self, rollout: Rollout) -> Metrics:
        """Measure every budget on this rollout and let the multiplier move on the excess."""
        measured = measure(
            rollout.reward[..., self._costs],
            rollout.done,
            rollout.telemetry["age"][0],
            rollout.telemetry["paid"][0],
            self.constraints,
            self._cost_discount,
            self._max_episode_steps,
        )
        metrics = self.multiplier.update(measured - self._budgets)
        for constraint, value in zip(self.constraints, measured.tolist(), strict=True):
            metrics[f"cost/{constraint.name}/mean"] = value
            metrics[f"cost/{constraint.name}/budget"] = constraint.budget
        return metrics

    def _estimate(self, rollout: Rollout, log_ratio: Tensor) -> tuple[Tensor, Tensor]:
        """Advantages and targets ``[T, N, C]`` under the present critic.

        The successor of a step is the next row's observation, except where the row is its episode's or the
        rollout's last: only there the critic is asked for the true successor.
        """
        value = self.critic.value(rollout.obs)
        done = rollout.done
        last = done.clone()
        last[-1] = True
        next_value = torch.cat((value[1:], value[-1:]))
        next_value[last] = self.critic.value({name: obs[last] for name, obs in rollout.next_obs.items()})
        return self._estimator(
            rollout.reward, value, next_value, rollout.terminated, done, log_ratio, discount=self._discount
        )

    def state_dict(self) -> State:
        """Parameters, normalisers, moments, multipliers, shuffles and the number of updates."""
        return {
            "policy": _tensors(self.policy),
            "critic": _tensors(self.critic),
            "policy_solver": self._policy_solver.state_dict(),
            "critic_solver": self._critic_solver.state_dict(),
            "multiplier": self.multiplier.state_dict(),
            "updates": self._updates,
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``; parameters are copied into the flat vectors."""
        self.policy.load_state_dict(state["policy"])
        self.critic.load_state_dict(state["critic"])
        self._policy_solver.load_state_dict(state["policy_solver"])
        self._critic_solver.load_state_dict(state["critic_solver"])
        self.multiplier.load_state_dict(state["multiplier"])
        self._updates = state["updates"]


def _rows(batch: T) -> T:
    """Time and environments as one dimension."""
    rows: T = pytree.tree_map(lambda x: x.flatten(0, 1), batch)
    return rows


def _standardised(advantage: Tensor) -> Tensor:
    """Centre and scale the mixed advantage as a whole: what reward and costs weigh against each other stays."""
    return (advantage - advantage.mean()) / (advantage.std(correction=0) + 1e-12)


def _explained_variance(advantage: Tensor, target: Tensor, columns: Sequence[str]) -> Metrics:
    """Share of each column's target variance that the critic predicted before it was fitted to it."""
    residual = advantage.var((0, 1), correction=0)  # target − value
    variance = target.var((0, 1), correction=0).clamp(min=1e-12)
    explained = (1.0 - residual / variance).tolist()
    return {
        f"critic/explained_variance/{name}": value for name, value in zip(columns, explained, strict=True)
    }


def _numbers(report: Report) -> Metrics:
    return {name: float(value) for name, value in report.items()}


def _tensors(module: torch.nn.Module) -> State:
    """A module's state in storage of its own: its parameters are views of a larger one."""
    return {name: value.clone() for name, value in module.state_dict().items()}
