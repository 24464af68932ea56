"""The problems of an update as it met them, for whoever looks at the gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from torch import Tensor, nn

from pgrobot.batch import Batch, CriticBatch
from pgrobot.critics import Critic
from pgrobot.policies import Policy
from pgrobot.reduce import Reduce
from pgrobot.solvers.parameters import FlatParameters
from pgrobot.solvers.problem import CriticProblem, PolicyProblem, Report
from pgrobot.types import Rollout, State


@dataclass(frozen=True, slots=True)
class SnapshotProblem:
    """Where the parameters were, and what was to be maximised around there.

    Attributes:
        parameters: the vector ``[P]``, and which part of it is which layer's.
        terms: what each term adds to the objective at any vector ``[P]``, by name, a scalar each; pure.
    """

    parameters: FlatParameters
    terms: Callable[[Tensor], Report]


@dataclass(frozen=True, slots=True)
class PolicySnapshot(SnapshotProblem):
    """The policy's problem, with what it is made of.

    Attributes:
        policy: a copy of the policy as it was; its parameters are views of ``parameters.vector``.
        problem: the very problem, about that copy.
        batch: what it learnt from in its first pass.
        columns: the advantage of every column, in the column's own unit, centred and weighed as the batch's is but
            neither priced nor normalised: rows or chunks like the batch.
    """

    policy: Policy
    problem: PolicyProblem
    batch: Batch
    columns: Mapping[str, Tensor]


class Posed(Protocol):
    """What a snapshot keeps of a pass."""

    @property
    def policy(self) -> Batch: ...

    @property
    def critic(self) -> CriticBatch: ...

    @property
    def columns(self) -> Callable[[], Mapping[str, Tensor]]: ...


@dataclass(frozen=True, slots=True)
class UpdateSnapshot:
    """What an update learns from in its first pass, and the state it begins from: what it moves is copied."""

    rollout: Rollout  # as it was collected
    batch: Batch  # rows [B] or chunks [B, L]
    critic_batch: CriticBatch  # likewise
    columns: Mapping[str, Tensor]  # each column's own advantage, rows or chunks
    policy: State  # parameters and normalisers
    critic: State
    weights: Tensor  # of the objective's terms

    @classmethod
    def of(
        cls, rollout: Rollout, posed: Posed, policy: Policy, critic: Critic, problem: PolicyProblem
    ) -> Self:
        """Keep what a first pass was posed with, before it is solved."""
        return cls(
            rollout=rollout,
            batch=posed.policy,
            critic_batch=posed.critic,
            columns=posed.columns(),
            policy=own_state(policy),
            critic=own_state(critic),
            weights=problem.weights.clone(),
        )

    def problems(self, policy: Policy, critic: Critic, problem: PolicyProblem) -> SnapshotProblems:
        """Pose the problems ``policy`` and ``critic`` again, about copies of the modules, each when it is asked for."""
        return SnapshotProblems(
            {
                "policy": lambda: self._policy_problem(copy.deepcopy(policy), problem),
                "critic": lambda: self._critic_problem(copy.deepcopy(critic), problem.reduce),
            }
        )

    def _policy_problem(self, policy: Policy, problem: PolicyProblem) -> PolicySnapshot:
        policy.load_state_dict(self.policy)
        parameters = FlatParameters(policy)
        again = problem.about(policy, parameters, self.weights)
        terms = lambda v: again.contributions(v, self.batch)
        return PolicySnapshot(parameters, terms, policy, again, self.batch, self.columns)

    def _critic_problem(self, critic: Critic, reduce: Reduce) -> SnapshotProblem:
        critic.load_state_dict(self.critic)
        parameters = FlatParameters(critic)
        fit = CriticProblem(critic, parameters, reduce)
        return SnapshotProblem(parameters, lambda v: {"value": -fit.loss(v, self.critic_batch)[0]})


class SnapshotProblems(Mapping[str, SnapshotProblem]):
    """Problems by name, each posed when it is first asked for: to copy a module takes a percent of an iteration.

    Args:
        makers: what poses each.
    """

    def __init__(self, makers: Mapping[str, Callable[[], SnapshotProblem]]) -> None:
        self._makers = makers
        self._made: dict[str, SnapshotProblem] = {}

    def __getitem__(self, name: str) -> SnapshotProblem:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def own_state(module: nn.Module) -> State:
    """A module's state in storage of its own: its parameters may be views of a larger one."""
    return {name: value.clone() for name, value in module.state_dict().items()}
