"""The learner: from a rollout to moved parameters, asking nobody which algorithm, constraint or policy it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TypeVar

import torch
from torch import Tensor, nn

from pgrobot.algorithm import Algorithm, Surroundings
from pgrobot.answers import joined, metrics_of, paying, with_column_of
from pgrobot.batch import weighted_mean
from pgrobot.concurrency import second_core
from pgrobot.constraints import Constraint
from pgrobot.critics import Critic
from pgrobot.estimators import effective_sample_share
from pgrobot.policies import Policy
from pgrobot.posing import Evidence, PosedPass, Poser, columns_of, discounts_of
from pgrobot.pricing import Budgets
from pgrobot.replay import Experience, Window
from pgrobot.retrospect import Values, explained_variance, valued
from pgrobot.solvers import (
    CriticProblem,
    FlatParameters,
    PolicyProblem,
    Report,
    SnapshotProblems,
    Still,
    UpdateSnapshot,
    own_state,
)
from pgrobot.types import IntrinsicReward, Metrics, Multiplier, Rollout, State

T = TypeVar("T")
_LOOKED_AT = 256  # rows on which the normaliser's share of the policy's way is measured


class Learner:
    """One policy, its critic, and how they learn.

    Args:
        policy: the policy; its parameters become views of one flat vector.
        critic: predicts every column; likewise.
        intrinsic: what adds reward columns of its own to a rollout, in the order of the ``bonus/`` columns.
        constraints: the budgets, in the order of the cost columns.
        multiplier: prices the cost columns.
        algorithm: how they learn.
        surroundings: where.
        auxiliary: networks of the objective's terms, by the term's name: learnt with the policy, and no part of it.
    """

    def __init__(
        self,
        policy: Policy,
        critic: Critic,
        intrinsic: Sequence[IntrinsicReward],
        constraints: Sequence[Constraint],
        multiplier: Multiplier,
        algorithm: Algorithm,
        surroundings: Surroundings,
        auxiliary: Mapping[str, nn.Module] = MappingProxyType({}),
    ) -> None:
        self.policy = policy
        self.auxiliary = dict(auxiliary)
        self.critic = critic
        self.multiplier = multiplier
        self.constraints = tuple(constraints)
        self.policy_vector = FlatParameters(policy, auxiliary)
        self.critic_vector = FlatParameters(critic)
        self._intrinsic = tuple(intrinsic)
        self._iterations = surroundings.iterations
        self._average = algorithm.average
        self._averaged = algorithm.average.initial(self.policy_vector.vector)
        self._passes = algorithm.passes
        self._window = Window(algorithm.memory, algorithm.sample_weights)
        reduce, streams = surroundings.reduce, surroundings.streams
        self.problem = PolicyProblem(
            policy,
            self.policy_vector,
            algorithm.objective,
            reduce,
            [one.name for one in constraints],
            auxiliary,
        )
        self.policy_solver = algorithm.policy_solver(
            vector=self.policy_vector.vector, problem=self.problem, generator=streams["policy"]
        )
        self.critic_solver = algorithm.critic_solver(
            vector=self.critic_vector.vector,
            problem=CriticProblem(critic, self.critic_vector, reduce),
            generator=streams["critic"],
        )
        self._still = Still(self.policy_vector.vector, self.problem)
        self._warmup = surroundings.critic_warmup
        self.columns = columns_of(constraints, intrinsic)
        discounts = discounts_of(self.columns, algorithm.discounts, intrinsic)
        self.poser = Poser(
            policy, critic, self.policy_vector, self.problem, algorithm, multiplier, discounts, reduce
        )
        self._budgets = Budgets(
            constraints, multiplier, algorithm.discounts["cost"], surroundings.max_episode_steps, reduce
        )
        self._critic_carry = torch.zeros(0, critic.carry_size)
        self._began: tuple[Rollout | None, Tensor] = (None, self._critic_carry)
        self._updates = 0
        self._snapshot: UpdateSnapshot | None = None
        self._second_core = second_core(surroundings.cores if reduce.local else 1)

    @torch.no_grad()
    def update(self, rollout: Rollout) -> Metrics:
        """Learn from one rollout; returns the iteration's metrics."""
        carry = self._remembered(rollout)
        collected, rollout = rollout, self._with_intrinsic(rollout)
        self.problem.show(self._updates)
        newest = Experience(rollout, carry)
        learnt = self._window.joined(newest, again=False)
        done = min(self._updates, self._iterations - 1) / self._iterations
        for solver in (self.policy_solver, self.critic_solver):
            solver.anneal(done)
        metrics = self._budgets.price(rollout, self._updates / self._iterations)
        self._averaged = self._average.step(self._averaged, self.policy_vector.vector)
        evidence = self.poser.evidence(learnt.rollout, len(carry), *self._budgets.left, self._averaged[0])
        values = valued(self.critic, learnt.rollout, learnt.carry)
        self._rescale(evidence, values)  # values are in the columns' own units and stay what they are
        for index in range(self._passes):
            posed = self.poser.pose(evidence, values)
            if index == 0:
                metrics |= explained_variance(
                    self.poser.of_newest(posed.target, evidence),
                    self.poser.of_newest(values.now, evidence),
                    self.columns,
                )
                metrics |= self._window.metrics(learnt, posed.log_ratio)
                self._snapshot = UpdateSnapshot.of(
                    collected, posed, self.policy, self.critic, self.problem, self._averaged[0]
                )
            then = partial(self._following, learnt.rollout, values, index)
            report, stop, values = self._solve(posed, then)
            metrics |= report
            if stop:
                break
        self._critic_carry, self._began = values.carries[-1, : len(carry)], (collected, carry)
        self._window.keep(newest)
        if not self._warming_up:
            metrics |= self.problem.adapt(metrics["policy/kl"])
        metrics["policy/kl_normalizer"] = self._merge(rollout, evidence)
        for one in self._intrinsic:
            metrics = joined(metrics, one.fit, metrics_of(one.fit, rollout))
        self._updates += 1
        return metrics | {
            "policy/std": float(self.poser.of_newest(self._deviation(evidence), evidence).mean()),
            "policy/learning_rate": self.policy_solver.rate,
            "critic/learning_rate": self.critic_solver.rate,
        }

    @torch.no_grad()
    def pose(self, rollout: Rollout) -> PosedPass:
        """The problems of a pass over the rollout, at the present parameters and prices; nothing moves."""
        newest = Experience(self._with_intrinsic(rollout), self._remembered(rollout))
        learnt = self._window.joined(newest, again=self._began[0] is rollout)
        return self.poser.pose(*self._seen(learnt, len(newest.carry)))

    @torch.no_grad()
    def solve(self, posed: PosedPass) -> tuple[Metrics, bool]:
        """Move policy and critic by one pass; returns metrics, and whether the rollout's passes should end here."""
        return self._solve(posed, lambda: None)[:2]

    def begin(self) -> None:
        """Take the policy as it is for the one that the run begins as: its average, and the prior of terms."""
        self._averaged = self._average.initial(self.policy_vector.vector)
        self.problem.begin()

    def skip(self) -> None:
        """A rollout went by unlearnt: what the critic remembers is of no use to the next one."""
        self._critic_carry = torch.zeros_like(self._critic_carry)

    def snapshot(self, rollout: Rollout) -> SnapshotProblems:
        """The problems ``policy`` and ``critic`` as the last update met them: for looking at, in storage of their own.

        Args:
            rollout: what that update learnt from. There are no problems if it learnt from another one, or none.
        """
        if self._snapshot is None or self._snapshot.rollout is not rollout:
            return SnapshotProblems({})
        return self._snapshot.problems(self.policy, self.critic, self.problem)

    def seen(self, rollout: Rollout) -> tuple[Evidence, Values]:
        """A rollout, without the past, as the present policy, its own reference, and critic see it; nothing moves."""
        self.problem.show(self._updates)
        carry, rollout = self._remembered(rollout), self._with_intrinsic(rollout)
        return self._seen(Experience(rollout, carry), len(carry))

    def _seen(self, learnt: Experience, newest: int) -> tuple[Evidence, Values]:
        left, here = self._budgets.left, self.policy_vector.vector
        evidence = self.poser.evidence(learnt.rollout, newest, *left, here)
        return evidence, valued(self.critic, learnt.rollout, learnt.carry)

    def _solve(self, posed: PosedPass, then: Callable[[], T]) -> tuple[Metrics, bool, T]:
        """One pass of both problems, which share nothing: the critic is fitted beside the policy, ``then`` follows."""

        def fit() -> tuple[Report, T]:
            return self.critic_solver.solve(posed.critic)[0], then()

        fitting = self._second_core.submit(fit)
        try:
            mover = self._still if self._warming_up else self.policy_solver
            policy_report, stop = mover.solve(posed.policy)
        finally:
            critic_report, followed = fitting.result()
        metrics = {name: float(value) for name, value in (policy_report | critic_report).items()}
        if self.poser.reads_log_ratio:
            metrics["estimator/effective_sample_share"] = effective_sample_share(
                posed.log_ratio, posed.weight
            )
        return metrics, stop, followed

    def _following(self, rollout: Rollout, values: Values, index: int) -> Values:
        """The values of the next pass; where there is none, those of this one."""
        last = index + 1 == self._passes
        return values if last else valued(self.critic, rollout, values.carries[0])

    def _rescale(self, evidence: Evidence, values: Values) -> None:
        """Let the critic's unit follow the returns, and its solver's memory follow the unit."""
        rollout = evidence.rollout
        target = self.poser.estimate(rollout, values, self.poser.log_ratio(rollout)).target
        factors = self.critic.rescale(self.poser.of_newest(target, evidence))
        self.critic_solver.rescale(self.critic_vector.spread(factors))

    def _merge(self, rollout: Rollout, evidence: Evidence) -> float:
        """Merge the observations into the normalisers, which moves the policy: by how many nats of KL, on some rows.

        No trust region has seen that part of its way.
        """
        # An odd stride, or it would be the same few environments in every step.
        every = rollout.log_prob.numel() // _LOOKED_AT | 1
        seen = {name: obs.flatten(0, 1)[::every] for name, obs in rollout.obs.items()}
        rows = (seen, rollout.carry.flatten(0, 1)[::every], rollout.episode_start.flatten()[::every])
        before, _ = self.policy(*rows)
        observed = self.poser.observed(rollout)
        for part in (self.critic,) if self._warming_up else (self.policy, self.critic):
            part.merge(observed)
        after, _ = self.policy(*rows)
        weight = evidence.weight[:, : evidence.newest]
        return float(weighted_mean(before.kl(after), weight.flatten(0, 1)[::every]))

    @property
    def _warming_up(self) -> bool:
        """Whether the critic alone learns."""
        return self._updates < self._warmup

    def _deviation(self, evidence: Evidence) -> Tensor:
        """Of what goes to the environment, ``[T, N, …]``; of a manager, of which nothing does, that of its goals."""
        commanded = self.policy.command(evidence.reference.std)
        return commanded if commanded.shape[-1] else evidence.reference.std

    def _with_intrinsic(self, rollout: Rollout) -> Rollout:
        """The rollout with the columns of the intrinsic rewards."""
        for one in paying(self._intrinsic):
            rollout = with_column_of(one, rollout)
        return rollout

    def _remembered(self, rollout: Rollout) -> Tensor:
        """What the critic remembers before the first step of the next rollout, or of the last one, ``[N, H]``."""
        if self._began[0] is rollout:
            return self._began[1]
        nothing = torch.zeros(rollout.log_prob.shape[1], self.critic.carry_size)
        return self._critic_carry if len(self._critic_carry) == len(nothing) else nothing

    def state_dict(self) -> State:
        """Parameters, normalisers, averages, moments, multipliers, weights, memories, past, shuffles, updates."""
        return {
            "policy": own_state(self.policy),
            "auxiliary": {name: own_state(network) for name, network in self.auxiliary.items()},
            "critic": own_state(self.critic),
            "critic_carry": self._critic_carry.clone(),
            "window": self._window.state_dict(),
            "policy_solver": self.policy_solver.state_dict(),
            "critic_solver": self.critic_solver.state_dict(),
            "average": [tensor.clone() for tensor in self._averaged],
            "weights": self.problem.weights.clone(),
            "prior": self.problem.prior.state_dict() if self.problem.reads_prior else {},
            "multiplier": self.multiplier.state_dict(),
            "intrinsic": [one.state_dict() for one in self._intrinsic],
            "updates": self._updates,
        } | ({"supplied": supplied} if (supplied := self.problem.supplied) else {})

    def load_state_dict(self, state: State) -> None:
        """Continue from ``state``; parameters are copied into the flat vectors.

        Raises:
            PgrobotError: a term brings along something else than it did.
        """
        self.problem.check_supplied(state.get("supplied", {}))
        self.policy.load_state_dict(state["policy"])
        for name, network in self.auxiliary.items():
            network.load_state_dict(state["auxiliary"][name])
        self.critic.load_state_dict(state["critic"])
        self._critic_carry = state["critic_carry"].clone()
        self._window.load_state_dict(state["window"])
        self.policy_solver.load_state_dict(state["policy_solver"])
        self.critic_solver.load_state_dict(state["critic_solver"])
        average, weight = (tensor.clone() for tensor in state["average"])
        self._averaged = average, weight
        self.problem.weights.copy_(state["weights"])
        if self.problem.reads_prior:
            self.problem.prior.load_state_dict(state["prior"])
        self.multiplier.load_state_dict(state["multiplier"])
        for one, saved in zip(self._intrinsic, state["intrinsic"], strict=True):
            one.load_state_dict(saved)
        self._updates = state["updates"]
