"""Posing: from a rollout to the problems of an update, at the parameters as they are; nothing here moves anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from pgrobot.algorithm import Algorithm
from pgrobot.answers import paying
from pgrobot.baselines import NORMALISATIONS, Baseline, Normalisation
from pgrobot.batch import BaselineInput, Batch, CriticBatch, weighted_mean
from pgrobot.constraints import Constraint
from pgrobot.critics import Critic
from pgrobot.distributions import Distribution
from pgrobot.estimators import Estimate, EstimatorInput, discount_from_start, reads_log_ratio
from pgrobot.estimators.estimator import estimated
from pgrobot.policies import Policy
from pgrobot.reduce import Reduce
from pgrobot.retrospect import Values, acting
from pgrobot.sequences import as_rollout, in_rows, unrolled
from pgrobot.solvers import FlatParameters, PolicyProblem
from pgrobot.types import IntrinsicReward, Multiplier, Rollout


@dataclass(frozen=True, slots=True)
class Evidence:
    """What all passes of an update have in common."""

    rollout: Rollout  # with the columns of the intrinsic rewards; the past's environments come last
    newest: int  # how many of its environments are the newest rollout's
    reference: Distribution  # the policy that distances are measured from   [T, N]
    slack: Tensor  # what is left of each budget per step of an episode, or decision  [K]
    worth: Tensor  # what a unit of each cost counts in it                   [K]
    weight: Tensor  # what each step counts; of width 0: all the same        [T, N, 0 or 1]


@dataclass(frozen=True, slots=True)
class PosedPass:
    """The problems of one pass over a rollout, as batches of rows or of chunks, and what was estimated for them."""

    policy: Batch
    critic: CriticBatch
    target: Tensor  # of the critic                                          [T, N, C]
    log_ratio: Tensor  # of the present policy to the one that acted         [T, N]
    weight: Tensor  # as of ``Evidence``                                     [T, N, 0 or 1]
    # every column's own advantage by its name, in its own unit, computed when asked for: rows or chunks like `policy`
    columns: Callable[[], Mapping[str, Tensor]]


class Poser:
    """Poses what one policy and its critic learn from rollouts.

    Args:
        policy: the policy.
        critic: predicts every column.
        vector: the policy's parameters.
        problem: the policy's.
        algorithm: how they learn.
        multiplier: prices the cost columns.
        discounts: γ of each of the reward tensor's columns by its name, in their order.
        reduce: what several processes agree on.
    """

    def __init__(
        self,
        policy: Policy,
        critic: Critic,
        vector: FlatParameters,
        problem: PolicyProblem,
        algorithm: Algorithm,
        multiplier: Multiplier,
        discounts: Mapping[str, float],
        reduce: Reduce,
    ) -> None:
        self.algorithm = algorithm
        self._policy = policy
        self._critic = critic
        self._vector = vector
        self._problem = problem
        self._multiplier = multiplier
        self._columns = tuple(discounts)
        self._costs = [index for index, name in enumerate(discounts) if name.startswith("cost/")]
        self._reduce = reduce
        self._reads_successor = any(
            getattr(term, "reads_successor", False) for term in algorithm.objective.values()
        )
        self._discount = torch.tensor(list(discounts.values()))

    def pose(self, evidence: Evidence, values: Values) -> PosedPass:
        """The problems at the present parameters, with the algorithm's own baseline and normalisation."""
        algorithm = self.algorithm
        return self.posed_with(evidence, values, algorithm.baseline, NORMALISATIONS[algorithm.normalisation])

    def posed_with(
        self, evidence: Evidence, values: Values, baseline: Baseline, normalise: Normalisation
    ) -> PosedPass:
        """``pose`` with another baseline and normalisation."""
        rollout = evidence.rollout
        carry, log_ratio = self._along(rollout)
        estimate = self.estimate(rollout, values, log_ratio)
        batch = self._batch(evidence, carry, estimate, values.now, baseline, normalise)
        critic_batch = CriticBatch(
            obs=rollout.obs,
            carry=values.carries[:-1],
            episode_start=rollout.episode_start,
            target=estimate.target,
            weight=evidence.weight,
        )
        return PosedPass(
            in_rows(batch, self._policy.sequence),
            in_rows(critic_batch, self._critic.sequence),
            estimate.target,
            log_ratio,
            evidence.weight,
            partial(self._own, evidence, estimate),
        )

    def evidence(
        self, rollout: Rollout, newest: int, slack: Tensor, worth: Tensor, parameters: Tensor
    ) -> Evidence:
        """What the passes over a rollout have in common.

        Args:
            rollout: with the columns of the intrinsic rewards.
            newest: how many of its environments, the first ones, are the newest rollout's.
            slack: as of ``Budgets``, ``[K]``.
            worth: likewise.
            parameters: of the reference policy, ``[P]``.
        """
        reference, _ = acting(self._policy, rollout, self._vector.views(parameters))
        alike = bool(self._reduce.mean((rollout.weight == 1.0).all().float()) == 1.0)
        weight = rollout.weight.unsqueeze(-1)
        left = self._of_a_row(slack, rollout)
        counts = weight[..., :0] if alike else weight
        return Evidence(rollout, newest, reference, left, worth.clone(), counts)

    def _of_a_row(self, slack: Tensor, rollout: Rollout) -> Tensor:
        """What a budget leaves per row, ``[K]``: one that lasts several steps may cost as many times as much."""
        return slack * self._reduce.mean(weighted_mean(rollout.duration, rollout.weight.unsqueeze(-1)))

    def counting(self, x: Tensor, evidence: Evidence) -> Tensor:
        """What an update learns from: ``x`` ``[T, N, …]`` of all processes, or its steps ``[B, …]`` that count."""
        return self._counting(x, evidence.weight)

    def of_newest(self, x: Tensor, evidence: Evidence) -> Tensor:
        """``counting`` of the newest rollout alone, the only one that the present policy collected."""
        return self._counting(x[:, : evidence.newest], evidence.weight[:, : evidence.newest])

    def _counting(self, x: Tensor, weight: Tensor) -> Tensor:
        everywhere = self._reduce.gather(x)
        if weight.shape[-1] == 0:
            return everywhere
        return everywhere[self._reduce.gather(weight).squeeze(-1) > 0.0]

    def observed(self, rollout: Rollout) -> dict[str, Tensor]:
        """What all processes saw in the steps that a rollout is made of, but for padding: ``[…, D]`` by group."""
        steps = rollout.by_step
        counts = self._reduce.gather(steps.weight) > 0.0
        everywhere = {name: self._reduce.gather(obs) for name, obs in steps.obs.items()}
        return everywhere if bool(counts.all()) else {name: obs[counts] for name, obs in everywhere.items()}

    def mixed(self, columns: Tensor, evidence: Evidence) -> Tensor:
        """The multiplier's mix ``[T, N]`` of ``[T, N, C]``, whose costs are centred among the steps that count."""
        everywhere = self._reduce.gather(columns)
        if evidence.weight.shape[-1] == 0:
            return self._reduce.own(self._multiplier.mix(everywhere))
        counts = self._reduce.gather(evidence.weight).squeeze(-1) > 0.0
        mixed = torch.zeros_like(everywhere[..., 0])
        mixed[counts] = self._multiplier.mix(everywhere[counts])
        return self._reduce.own(mixed)

    def log_ratio(self, rollout: Rollout) -> Tensor:
        """Of the present policy to the one that acted, ``[T, N]``; zero where the estimator does not read it."""
        return self._along(rollout)[1] if self.reads_log_ratio else torch.zeros_like(rollout.log_prob)

    def _along(self, rollout: Rollout) -> tuple[Tensor, Tensor]:
        """What the present policy remembers before each step, ``[T, N, H]``, and its ``log_ratio``, found together."""
        nothing = torch.zeros_like(rollout.log_prob)
        if not (unrolled(self._policy) or self.reads_log_ratio):
            return rollout.carry, nothing
        policy, carry = acting(self._policy, rollout, {})
        read = self.reads_log_ratio
        return carry, policy.log_prob(rollout.action) - rollout.log_prob if read else nothing

    @property
    def reads_log_ratio(self) -> bool:
        """Whether the estimator corrects for an older policy."""
        return reads_log_ratio(self.algorithm.estimator)

    def estimate(self, rollout: Rollout, values: Values, log_ratio: Tensor) -> Estimate:
        """Advantages and targets of every column under the present policy, and what every step weighs."""
        terminated, done = rollout.terminated.unsqueeze(-1), rollout.done.unsqueeze(-1)
        if not bool(rollout.episodic.all()):
            terminated = terminated & rollout.episodic
            done = (done & rollout.episodic) | rollout.final.unsqueeze(-1)  # no trace goes on into padding
        discount = self._discount
        if not bool((rollout.duration == 1.0).all()):
            discount = discount ** rollout.duration.unsqueeze(-1)
        return estimated(
            self.algorithm.estimator,
            EstimatorInput(rollout.reward, values.now, values.next, terminated, done, log_ratio, discount),
        )

    def _own(self, evidence: Evidence, estimate: Estimate) -> dict[str, Tensor]:
        """What each column alone would have the policy learn from: centred and weighed as the mix is, unpriced."""
        advantage = estimate.advantage - _mean_of_columns(self.of_newest(estimate.advantage, evidence))
        weight = discount_from_start(evidence.rollout.age, self._state_discount) * estimate.weight
        columns = dict(zip(self._columns, (advantage * weight.unsqueeze(-1)).unbind(-1), strict=True))
        return in_rows(columns, self._policy.sequence)

    def _batch(
        self,
        evidence: Evidence,
        carry: Tensor,
        estimate: Estimate,
        value: Tensor,
        baseline: Baseline,
        normalise: Normalisation,
    ) -> Batch:
        """What the policy learns from, ``[T, N]``: the mixed advantages over the baseline, normalised and weighed."""
        rollout = evidence.rollout
        cost_advantage = estimate.advantage[..., self._costs] * evidence.worth
        batch = Batch(
            obs=rollout.obs,
            carry=carry,
            episode_start=rollout.episode_start,
            action=rollout.action,
            log_prob=rollout.log_prob,
            reference=evidence.reference,
            advantage=self.mixed(estimate.advantage, evidence),
            cost_advantage=cost_advantage - _mean_of_columns(self.of_newest(cost_advantage, evidence)),
            slack=evidence.slack.expand_as(cost_advantage),
            control=rollout.log_prob.new_zeros(*rollout.log_prob.shape, 0),
            weight=evidence.weight,
            next_obs=dict(rollout.next_obs) if self._reads_successor else {},
        )
        discounted = discount_from_start(rollout.age, self._state_discount)
        weight = discounted * estimate.weight
        controlled = baseline(
            BaselineInput(
                obs=rollout.obs,
                action=rollout.action,
                reference=evidence.reference,
                done=rollout.done,
                counts=rollout.weight > 0.0,
                age=rollout.age,
                returns=self.mixed(estimate.advantage + value, evidence),
                advantage=batch.advantage,
                weight=weight,
                score_norm=lambda: self._score_norm(batch),
            )
        )
        normalised, scale = normalise(controlled.advantage, self.counting(controlled.advantage, evidence))
        return replace(
            batch,
            advantage=normalised * weight,
            control=controlled.control * (discounted / scale).unsqueeze(-1),  # an expectation under π itself
        )

    def _score_norm(self, batch: Batch) -> Tensor:
        length, environments = self._policy.sequence, batch.log_prob.shape[1]
        norms = self._problem.score_norm(self._vector.vector, in_rows(batch, length))
        return as_rollout(norms, environments, length)

    @property
    def _state_discount(self) -> float:
        return self.algorithm.discounts["reward"] if self.algorithm.state_discount else 1.0


def _mean_of_columns(x: Tensor) -> Tensor:
    """``[K]`` of ``[…, K]``."""
    return x.mean(tuple(range(x.dim() - 1)))


def columns_of(constraints: Sequence[Constraint], intrinsic: Sequence[IntrinsicReward]) -> tuple[str, ...]:
    """Names of the reward tensor's columns, in their order."""
    bonuses = (one.column for one in paying(intrinsic))
    return "reward", *(f"cost/{one.name}" for one in constraints), *bonuses


def discounts_of(
    columns: Sequence[str], discounts: Mapping[str, float], intrinsic: Sequence[IntrinsicReward]
) -> dict[str, float]:
    """γ of every column by its name: an intrinsic reward's own where it has a ``discount``, else that of its kind."""
    own = {one.column: float(getattr(one, "discount", discounts["bonus"])) for one in intrinsic}
    return {name: own.get(name, discounts[name.split("/")[0]]) for name in columns}
