"""The problems of an update as it met them, for whoever looks at the gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol, Self

import torch
from torch import Tensor, nn

from pgrobot.batch import Batch, CriticBatch
from pgrobot.critics import Critic
from pgrobot.objectives import PolicyAt
from pgrobot.policies import Policy
from pgrobot.reduce import Reduce
from pgrobot.solvers.parameters import AUXILIARY, FlatParameters
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
        problem: the very problem, about the policy as it was.
        batch: what it learnt from in its first pass.
        columns: the advantage of every column, in the column's own unit, centred and weighed as the batch's is but
            neither priced nor normalised: rows or chunks like the batch.
        structure: the policy itself, for what no update changes: what it reads and what it commands.
        copied: makes a copy of the policy as it was.
        own_reference: whether the batch's reference policy is the policy as it was.
    """

    problem: PolicyProblem
    batch: Batch
    columns: Mapping[str, Tensor]
    structure: Policy
    copied: Callable[[], Policy]
    own_reference: bool

    @property
    def start(self) -> PolicyAt:
        """The policy as it was, on the batch and anywhere else."""
        if self.own_reference:  # the update has asked it already
            return self.problem.elsewhere(self.parameters.vector, self.batch, self.batch.reference)
        return self.problem.at(self.parameters.vector, self.batch)


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
    own_reference: bool  # the batch's reference policy is this one
    critic_batch: CriticBatch  # likewise
    columns: Mapping[str, Tensor]  # each column's own advantage, rows or chunks
    policy: State  # parameters and normalisers
    auxiliary: State  # parameters of the networks of terms, by their names in the vector
    critic: State
    weights: Tensor  # of the objective's terms

    @classmethod
    def of(
        cls,
        rollout: Rollout,
        posed: Posed,
        policy: Policy,
        critic: Critic,
        problem: PolicyProblem,
        reference: Tensor,
    ) -> Self:
        """Keep what a first pass was posed with, before it is solved; ``reference`` ``[P]`` is that policy's."""
        return cls(
            rollout=rollout,
            batch=posed.policy,
            own_reference=torch.equal(reference, problem.parameters.vector),
            critic_batch=posed.critic,
            columns=posed.columns(),
            policy=own_state(policy),
            auxiliary={
                f"{AUXILIARY}.{term}.{name}": value
                for term, network in problem.auxiliary.items()
                for name, value in own_state(network).items()
            },
            critic=own_state(critic),
            weights=problem.weights.clone(),
        )

    def problems(self, policy: Policy, critic: Critic, problem: PolicyProblem) -> SnapshotProblems:
        """Pose the problems of ``policy`` and ``critic`` again, as these were, each when it is asked for."""
        return SnapshotProblems(
            {
                "policy": lambda: self._policy_problem(policy, problem),
                "critic": lambda: self._critic_problem(copy.deepcopy(critic), problem.reduce),
            }
        )

    def _policy_problem(self, policy: Policy, problem: PolicyProblem) -> PolicySnapshot:
        buffers = {name: self.policy[name] for name, _ in policy.named_buffers() if name in self.policy}
        again = problem.about(
            problem.parameters.recalled({**self.policy, **self.auxiliary}, buffers), self.weights
        )
        terms = lambda v: again.contributions(v, self.batch)
        copied = partial(_loaded, policy, self.policy)
        return PolicySnapshot(
            again.parameters, terms, again, self.batch, self.columns, policy, copied, self.own_reference
        )

    def _critic_problem(self, critic: Critic, reduce: Reduce) -> SnapshotProblem:
        critic.load_state_dict(self.critic)
        parameters = FlatParameters(critic)
        fit = CriticProblem(critic, parameters, reduce)
        return SnapshotProblem(parameters, lambda v: {"value": -fit.loss(v, self.critic_batch)[0]})


def _loaded(policy: Policy, state: State) -> Policy:
    """A copy with that state."""
    copied = copy.deepcopy(policy)
    copied.load_state_dict(state)
    return copied


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
